"""What screens showed while they were switched dark and lit, and looked for again."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

CONNECTION = "LCD-4461"
BRIGHTNESS = "LCD-4473"
_TROUBLE = ("lost", "edid_errors", "edid_changed")


@rule(CONNECTION)
def connection(readings: Readings) -> Iterator[Finding]:
    """A display was not found again, or said something else of itself, in some of the cycles and not in all: the cable,
    its plug or the panel's electronics make bad contact. What is wrong in every cycle is damaged for good, or was
    unplugged, and judged by one look. Confidence 0.6 (ours): a person may have pulled an external display's plug.
    """
    for cycles in readings.all("display_test.cycles"):
        subject = cycles.subject
        total = readings.number("display_test.cycles", subject) or 0.0
        bad = sum(readings.number(f"display_test.{name}", subject) or 0.0 for name in _TROUBLE)
        if entry(CONNECTION).limit("events") <= bad < total:
            evidence = [r for name in _TROUBLE if (r := readings.get(f"display_test.{name}", subject))]
            values = {"count": int(min(bad, 2**53)), "cycles": int(min(total, 2**53))}
            yield finding(CONNECTION, subject, Verdict.UNKNOWN, 0.6, (*evidence, cycles), **values)


@rule(BRIGHTNESS)
def brightness(readings: Readings) -> Iterator[Finding]:
    """The backlight's level was another than the one that was set, more often than a person at the brightness keys
    would make it so. Confidence 0.5 (ours): a program that sets the brightness by itself does the same.
    """
    for steps in readings.all("display_test.steps"):
        wrong = readings.get("display_test.brightness_wrong", steps.subject)
        total = readings.number("display_test.steps", steps.subject) or 0.0
        bad = readings.number("display_test.brightness_wrong", steps.subject) or 0.0
        if wrong is not None and total > 0 and bad >= entry(BRIGHTNESS).limit("share") * total:
            values = {"count": int(min(bad, 2**53)), "steps": int(min(total, 2**53))}
            yield finding(BRIGHTNESS, steps.subject, Verdict.UNKNOWN, 0.5, (wrong, steps), **values)
