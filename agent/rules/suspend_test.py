"""What a unit did when it was put to sleep again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

DOES_NOT_SLEEP = "DOWN-8777"
LOST = "DOWN-8789"


@rule(DOES_NOT_SLEEP)
def does_not_sleep(readings: Readings) -> Iterator[Finding]:
    """The unit did not fall asleep, or woke up at another time than that of the alarm. A driver, a BIOS setting or
    somebody at the keyboard does this as well as hardware, and a person is enough for a single time. Confidence 0.3
    (ours).
    """
    cycles = readings.get("suspend_test.cycles")
    parts = [r for name in ("failed", "early", "late") if (r := readings.get(f"suspend_test.{name}"))]
    count = int(sum(readings.number(r.name) or 0.0 for r in parts))
    if cycles is not None and count >= entry(DOES_NOT_SLEEP).limit("events"):
        values = {"count": count, "cycles": int(readings.number(cycles.name) or 0)}
        yield finding(DOES_NOT_SLEEP, "", Verdict.UNKNOWN, 0.3, (*parts, cycles), **values)


@rule(LOST)
def lost(readings: Readings) -> Iterator[Finding]:
    """Something that was there before the unit slept was not there after it woke up. A person may have pulled it, so
    no verdict. Confidence 0.5 (ours).
    """
    cycles = readings.get("suspend_test.cycles")
    for gone in readings.all("suspend_test.lost"):
        count = readings.number(gone.name, gone.subject) or 0.0
        if cycles is not None and count >= 1:
            values = {"count": int(min(count, 2**53)), "cycles": int(readings.number(cycles.name) or 0)}
            found = finding(LOST, gone.subject, Verdict.UNKNOWN, 0.5, (gone, cycles), **values)
            yield replace(found, component=gone.component)
