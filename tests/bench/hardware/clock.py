"""The real-time clock, which goes on from a battery while the unit is off."""

from __future__ import annotations

import time

from tests.bench.hardware.part import Part


class Clock(Part):
    """``base`` in the table is where the clock stood when the unit was switched on (``2001-01-01``); without it, it is
    right.
    """

    name = "clock"

    def arguments(self) -> list[str]:
        """The clock's start."""
        return ["-rtc", f"base={self.table.get('base', 'utc')},clock=host"]

    def connect(self) -> None:
        """Set the system's time, as a time server would: a restored guest still has that of its snapshot."""
        self.guest.run("/bin/date", "-s", f"@{time.time():.3f}").check()
