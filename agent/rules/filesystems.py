"""Whether the unit has run out of room."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

FULL = "DISK-1402"


@rule(FULL)
def full(readings: Readings) -> Iterator[Finding]:
    """A file system of the unit has next to no room left: programs cannot save, updates break off, it may not start.

    No part is faulty, so the verdict is unknown and it is only a warning; that it is full is certain but for what the
    system may clear away by itself (confidence 0.95, ours). A file system of a few MiB, as for start files, is judged
    by its share like any other.
    """
    for used in readings.all("filesystems.used"):
        percent = readings.number("filesystems.used", used.subject)
        if percent is not None and entry(FULL).limit("used") <= percent <= 100:
            yield finding(FULL, used.subject, Verdict.UNKNOWN, 0.95, (used,), percent=round(percent, 1))
