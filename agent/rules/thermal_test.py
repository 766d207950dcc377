"""What a soak says of the way that the heat takes out of the unit, and of its fans."""

from __future__ import annotations

import math
from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

WOULD_SWITCH_OFF = "HEAT-2043"
RISES_MORE = "HEAT-2056"
FAN_STEADY = "FAN-2550"
FAN_STOPS = "FAN-2569"


@rule(WOULD_SWITCH_OFF)
def would_switch_off(readings: Readings) -> Iterator[Finding]:
    """A zone would come to its critical point, where the kernel switches the unit off, if the work went on: the plateau
    of the fitted model lies there, less its own uncertainty. A soak that ends before the plateau, or before that point,
    shows it all the same. Confidence 0.7 (ours): the rest is a model that does not hold, or a point set too low.
    """
    limits = entry(WOULD_SWITCH_OFF)
    for plateau in readings.all("thermal_test.plateau"):
        subject = plateau.subject
        settles, error, critical = (
            readings.number(f"thermal_test.{name}", subject) for name in ("plateau", "plateau_error", "critical")
        )
        if settles is None or error is None or critical is None:
            continue
        if settles - limits.limit("errors") * error >= critical - limits.limit("margin"):
            names = ("plateau", "plateau_error", "critical", "peak")
            evidence = [r for name in names if (r := readings.get(f"thermal_test.{name}", subject))]
            values = {"temperature": _whole(settles), "limit": _whole(critical)}
            yield finding(WOULD_SWITCH_OFF, subject, Verdict.FAIL, 0.7, evidence, **values)


@rule(RISES_MORE)
def rises_more(readings: Readings) -> Iterator[Finding]:
    """The same sensor rises more for the same heat than that of the profile's unit: dust, dry paste, or a fan that does
    not do enough. By watts where both soaks have them, else by load, which also counts a processor that takes more
    power. More than units of one model differ, and more than both measurements err. One profile is one unit, so this
    is no verdict. Confidence 0.5 (ours).
    """
    limits = entry(RISES_MORE)
    for kind in readings.all("profile.thermal_test.type"):
        now_kind = readings.get("thermal_test.type", kind.subject)
        if now_kind is None or now_kind.value != kind.value:
            continue  # zones are numbered as their drivers come
        for name in ("thermal_test.rise_per_watt", "thermal_test.rise"):
            names = (name, f"{name}_error", f"profile.{name}", f"profile.{name}_error")
            numbers = [readings.number(which, kind.subject) for which in names]
            rise, error, expected, expected_error = (math.nan if n is None else n for n in numbers)
            if math.isnan(rise + error + expected + expected_error):
                continue
            more = rise - expected > limits.limit("errors") * math.hypot(error, expected_error)
            if expected > 0 and more and rise > limits.limit("times") * expected:
                evidence = [r for which in names if (r := readings.get(which, kind.subject))]
                percent = _whole(min(100.0 * (rise / expected - 1.0), 1e6))
                yield finding(RISES_MORE, kind.subject, Verdict.UNKNOWN, 0.5, evidence, percent=percent)
            break


@rule(FAN_STEADY)
def fans_do_not_follow(readings: Readings) -> Iterator[Finding]:
    """The unit got hot, and not one of its fans turned faster. Some fans have but one speed, and that of the processor
    may be one that is not measured, so this is no verdict. Confidence 0.3 (ours).
    """
    limit = entry(FAN_STEADY).limit
    fans = [(r, hot) for r in readings.all("thermal_test.fan.rest") if (hot := _hot(readings, r.subject))]
    turning = [(rest, hot) for rest, hot in fans if _rpm(rest) >= limit("turning")]
    warm = [
        peak
        for peak in readings.all("thermal_test.peak")
        if (readings.number(peak.name, peak.subject) or 0.0) >= limit("hot")
        and (readings.number("thermal_test.rise", peak.subject) or 0.0) >= limit("rise")
    ]
    if warm and turning and all(_rpm(hot) < limit("times") * max(_rpm(rest), limit("turning")) for rest, hot in fans):
        hottest = max(warm, key=lambda peak: readings.number(peak.name, peak.subject) or 0.0)
        values = {"temperature": _whole(readings.number(hottest.name, hottest.subject) or 0.0)}
        evidence = [*(r for pair in fans for r in pair), hottest]
        yield finding(FAN_STEADY, turning[0][0].subject, Verdict.UNKNOWN, 0.3, evidence, **values)


@rule(FAN_STOPS)
def fan_stops(readings: Readings) -> Iterator[Finding]:
    """A fan that turned while the unit rested stood still while it was hot: no controller does that. Its counter may
    be at fault, so this is no verdict. Confidence 0.6 (ours).
    """
    limit = entry(FAN_STOPS).limit
    for rest in readings.all("thermal_test.fan.rest"):
        hot = _hot(readings, rest.subject)
        if hot is not None and _rpm(rest) >= limit("before") and _rpm(hot) < limit("still"):
            yield finding(FAN_STOPS, rest.subject, Verdict.UNKNOWN, 0.6, (rest, hot), rpm=_whole(_rpm(rest)))


def _hot(readings: Readings, fan: str) -> Reading | None:
    return readings.get("thermal_test.fan.hot", fan)


def _rpm(reading: Reading) -> float:
    return reading.number or 0.0


def _whole(value: float) -> int:
    return round(max(min(value, 1e9), -1e9))
