"""What the tests by stress-ng have in common: the lines that it prints, and whether it came to its end.

Source of the formats: stress-ng 0.15.06 (Debian 12).
"""

from __future__ import annotations

import math
import re

from agent.model import Evidence

PLACE = "/tmp"  # noqa: S108 -- it writes nothing there, but does not start without a place where it could
LINE = r"^stress-ng: {} +\[\d{{1,10}}\] "
"""How a line begins, by its kind (``info:``)."""
DONE = re.compile(LINE.format("info:") + r"successful run completed in ", re.MULTILINE | re.ASCII)

_WHOLE = 0.9
"""Share of the seconds asked for that it must have worked to count as come to its end: stress-ng that somebody ends by
SIGTERM calls itself successful. Ours.
"""
_ASKED = re.compile(r" --timeout (\d{1,9})(?: |$)", re.ASCII)


def long_enough(report: Evidence, seconds: float) -> bool:
    """Whether so many seconds of work are what its command asked for."""
    asked = _ASKED.search(report.source)
    return seconds >= (_WHOLE * int(asked[1]) if asked else math.inf)
