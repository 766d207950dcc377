"""A unit that stands still while it is exercised."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue.entry import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

STOOD_STILL = "CPU-6510"


@rule(STOOD_STILL)
def stood_still(readings: Readings) -> Iterator[Finding]:
    """For a moment nothing ran, though the agent had its turn: neither other programs nor sleep nor the disk explain
    it. What a person calls a freeze begins like that; firmware, a driver, heat, memory or the board may be the cause,
    so no failure. A virtual machine is held up by its host, and is not judged. Confidence 0.3: ours.
    """
    gap, gaps, longest = (
        readings.get("heartbeat_watch.gap"),
        readings.get("heartbeat_watch.gaps"),
        readings.number("heartbeat_watch.gap"),
    )
    virtual = readings.get("cpu.virtual", "cpu")
    if gap is None or gaps is None or longest is None or (virtual is not None and virtual.value is True):
        return
    if longest >= entry(STOOD_STILL).limit("gap"):
        count = readings.number("heartbeat_watch.gaps") or 0
        evidence = [gap, gaps, *([first] if (first := readings.get("heartbeat_watch.first_gap")) else [])]
        values = {"seconds": round(longest, 1), "count": int(count)}
        yield finding(STOOD_STILL, "", Verdict.UNKNOWN, 0.3, evidence, **values)
