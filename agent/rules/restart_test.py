"""What a unit did not bring back from a restart that the check had asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

GONE = "DOWN-8753"
SLOWER = "DOWN-8766"
CLOCK_LOST = "CLOCK-8248"


@rule(GONE)
def gone(readings: Readings) -> Iterator[Finding]:
    """A part or USB device that was there before the restart is not there after it. A person may have pulled it
    meanwhile, and a driver may be late: no verdict. Confidence 0.6 (ours).
    """
    for missing in readings.all("restart_test.missing"):
        found = finding(GONE, missing.subject, Verdict.UNKNOWN, 0.6, (missing,), what=str(missing.value))
        yield replace(found, component=missing.component)


@rule(SLOWER)
def slower(readings: Readings) -> Iterator[Finding]:
    """A link came up with fewer lanes or a lower speed than before the restart, or a network cable without a link: a
    contact, a cable, or what is at its other end. Confidence 0.5 (ours).
    """
    for after in readings.all("restart_test.after"):
        before = readings.get("restart_test.before", after.subject)
        if before is None:
            continue
        values = {"before": _shown(before), "after": _shown(after)}
        found = finding(SLOWER, after.subject, Verdict.UNKNOWN, 0.5, (before, after), **values)
        yield replace(found, component=after.component)


@rule(CLOCK_LOST)
def clock_lost(readings: Readings) -> Iterator[Finding]:
    """The battery-backed clock says that the unit came up before it went down: it lost time, or its memory. Where a
    time server corrected it meanwhile this stays unseen. Confidence 0.6 (ours).
    """
    for away in readings.all("restart_test.away"):
        value = readings.number("restart_test.away", away.subject)
        if value is not None and value < -entry(CLOCK_LOST).limit("backwards"):
            lost = {"seconds": round(max(-value, -1e15))}
            yield finding(CLOCK_LOST, away.subject, Verdict.UNKNOWN, 0.6, (away,), **lost)


def _shown(link: Reading) -> str:
    """``x4``, ``1000 Mbit/s``; no link at all is ``0``."""
    if isinstance(link.value, bool | str):
        return "0"
    return f"{link.value / 1e6:g} Mbit/s" if link.unit == "bit/s" else f"x{link.value:g}"
