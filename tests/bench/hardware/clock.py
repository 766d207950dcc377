"""The real-time clock, which goes on from a battery while the unit is off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from tests.bench.hardware.part import Part

_STATUS, _VALID = 0x0D, 0x80
"""Register D, and its bit 7: the battery was good all the time (MC146818A, VRT)."""
_KEPT = range(0x0E, 0x30)
"""Of the clock's memory, what the firmware has found there or put there: it stays as it is."""


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
        with self.qemu.bus() as bus:
            kept = bytes(bus.clock_memory(at) for at in _KEPT)
        address = innards.the_only(kept) - _KEPT.start + _STATUS
        innards.write(address, bytes([0]))
        try:
            yield
        finally:
            innards.write(address, bytes([_VALID]))
