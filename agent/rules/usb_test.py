"""What USB devices said when they were asked again and again."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

DOES_NOT_STAY = "USB-7389"
_TROUBLE = ("lost", "renumbered", "errors")


@rule(DOES_NOT_STAY)
def does_not_stay(readings: Readings) -> Iterator[Finding]:
    """A device went away, came back under another address, or did not answer as it did before. A person may have pulled
    it, and some devices answer oddly, so this is no verdict and one event is not enough for it. Confidence 0.5 (ours).
    """
    for cycles in readings.all("usb_test.cycles"):
        subject = cycles.subject
        counts = [readings.number(f"usb_test.{name}", subject) or 0.0 for name in _TROUBLE]
        if sum(counts) < entry(DOES_NOT_STAY).limit("events"):
            continue
        evidence = [r for name in _TROUBLE if (r := readings.get(f"usb_test.{name}", subject))]
        asked = readings.number("usb_test.cycles", subject) or 0.0
        values = {"count": int(min(sum(counts), 2**53)), "cycles": int(min(max(asked, 0.0), 2**53))}
        yield finding(DOES_NOT_STAY, subject, Verdict.UNKNOWN, 0.5, (*evidence, cycles), **values)
