"""What the clock's own speed says."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

RUNS_WRONG = "CLOCK-8236"


@rule(RUNS_WRONG)
def runs_wrong(readings: Readings) -> Iterator[Finding]:
    """The battery-backed clock runs faster or slower than any sound quartz does, whatever the catches of its ticks can
    have shifted: its quartz or the board around it. No battery makes a clock run wrong. Confidence 0.6 (ours): the
    clock that it is measured with may be the wrong one.
    """
    for drift in readings.all("rtc_test.drift"):
        error = readings.get("rtc_test.error", drift.subject)
        runs, shifted = (readings.number(f"rtc_test.{name}", drift.subject) for name in ("drift", "error"))
        if error is None or runs is None or shifted is None:
            continue
        if abs(runs) - abs(shifted) > entry(RUNS_WRONG).limit("drift"):
            a_day = round(min(abs(runs), 1e9) * 0.0864)
            yield finding(RUNS_WRONG, drift.subject, Verdict.UNKNOWN, 0.6, (drift, error), seconds=a_day)
