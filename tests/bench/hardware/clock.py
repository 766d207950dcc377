"""The real-time clock, which goes on from a battery while the unit is off."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from tests.bench.hardware.part import Part


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
