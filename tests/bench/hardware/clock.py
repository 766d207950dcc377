"""The real-time clock, which goes on from a battery while the unit is off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from tests.bench.hardware.part import Part, again_and_again
from tests.bench.machine.innards import Innards

_STATUS, _VALID = 0x0D, 0x80
"""Register D, and its bit 7: the battery was good all the time (MC146818A, VRT)."""
_KEPT = range(0x0E, 0x30)
"""Of the clock's memory, what the firmware has found there or put there: it stays as it is."""
_OFFSET = 152
"""Bytes from the beginning of that memory to the nanoseconds by which the clock is ahead (``RTCState.offset`` in
hw/rtc/mc146818rtc.c of QEMU 7.2).
"""
STEP_S = 0.05
"""Seconds between two corrections of a clock that runs fast."""


class Clock(Part):
    """``base`` in the table is where the clock stood when the unit was switched on (``2001-01-01``); without it, it is
    right, or fast by ``offset_s`` seconds.
    """

    name = "clock"

    def arguments(self) -> list[str]:
        """The clock's start."""
        base = self.table.get("base", "utc")
        if "offset_s" in self.table:
            base = f"{datetime.now(UTC) + timedelta(seconds=self.table['offset_s']):%Y-%m-%dT%H:%M:%S}"
        return ["-rtc", f"base={base},clock=host"]

    def connect(self) -> None:
        """Set the system's time, as a time server would: a restored guest still has that of its snapshot."""
        self.guest.run("/bin/date", "-s", f"@{time.time():.3f}").check()

    @contextmanager
    def battery_reported_low(self) -> Iterator[None]:
        """The clock says that its battery was too low, while it still goes right. A clock's driver cannot write that,
        so it is put into QEMU's own memory.
        """
        innards = self.qemu.innards()
        address = self._memory(innards) + _STATUS
        innards.write(address, bytes([0]))
        try:
            yield
        finally:
            innards.write(address, bytes([_VALID]))

    @contextmanager
    def running_fast(self, ppm: float) -> Iterator[None]:
        """Its quartz is wrong: of each million seconds it makes so many more. QEMU has no such clock, so it is put
        ahead, a little at a time, in QEMU's own memory.
        """
        set_ahead, begun = self._ahead(), time.monotonic()
        with again_and_again(lambda: set_ahead((time.monotonic() - begun) * ppm / 1e6), STEP_S):
            yield

    def put_ahead(self, seconds: float) -> None:
        """It is so many seconds further from now on; or, where they are negative, back."""
        self._ahead()(seconds)

    def _ahead(self) -> Callable[[float], None]:
        """What puts it so many seconds ahead of how it was when this was called."""
        innards = self.qemu.innards()
        address = self._memory(innards) + _OFFSET
        before = int.from_bytes(innards.read(address, 8), "little", signed=True)
        return lambda seconds: innards.write(
            address, (before + round(seconds * 1e9)).to_bytes(8, "little", signed=True)
        )

    def _memory(self, innards: Innards) -> int:
        """Where QEMU keeps the clock's memory."""
        with self.qemu.bus() as bus:
            kept = bytes(bus.clock_memory(at) for at in _KEPT)
        return innards.the_only(kept) - _KEPT.start
