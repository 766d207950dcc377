"""Judging heat: limits reached, little left at idle, a processor slowed down, a fan left off, a wrong sensor."""

from __future__ import annotations

from collections.abc import Iterable

from agent.catalogue import entry
from agent.model import ComponentKind, Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

AT_LIMIT = "HEAT-2008"
LITTLE_LEFT = "HEAT-2019"
THROTTLED = "HEAT-2100"
THROTTLED_OFTEN = "HEAT-2113"
TOO_HOT_AT_WORK = "HEAT-2035"
IMPLAUSIBLE = "HEAT-2202"
STANDS_STILL = "HEAT-2215"
FAN_LEFT_OFF = "FAN-2542"
FIRMWARE_ZONE = "acpitz"
"""The type of a thermal zone of the firmware (drivers/acpi/thermal.c), at whose critical point it switches off."""


@rule(AT_LIMIT, LITTLE_LEFT)
def heat(readings: Readings) -> Iterable[Finding]:
    """A part is at the limit that its maker set, or near it although the unit has nothing to do.

    At or above ``hot``, or within ``margin`` of ``critical``, where the kernel switches the unit off. Processors of
    today run up to that limit by design when they work hard, so it is a fault only while the load is low; under load,
    or where the load is unknown, it is a hint. One finding for the hottest part of each kind: cores of one package are
    not faults of their own. Confidence: ours.
    """
    nearest: dict[str, Reading] = {}
    for headroom in readings.all("thermals.headroom"):
        left = readings.number("thermals.headroom", headroom.subject)
        best = nearest.get(headroom.component)
        if left is not None and (best is None or left < (readings.number(best.name, best.subject) or 0.0)):
            nearest[headroom.component] = headroom
    load = readings.get("thermals.load")
    for headroom in nearest.values():
        subject = headroom.subject
        left = readings.number("thermals.headroom", subject)
        temperature = readings.number("thermals.temperature", subject)
        if left is None or temperature is None:
            continue
        hot = readings.number("thermals.trip.hot", subject)
        names = ("temperature", "trip.critical", "trip.hot", "headroom")
        found = [readings.get(f"thermals.{name}", subject) for name in names]
        evidence = [r for r in (*found, load) if r is not None]
        values = {"temperature": round(temperature), "limit": round(temperature + left)}
        if left <= entry(AT_LIMIT).limit("margin") or (hot is not None and temperature >= hot):
            idle = _idle(readings, entry(AT_LIMIT).limit("idle_load"))
            verdict, confidence = (Verdict.FAIL, 0.8) if idle else (Verdict.UNKNOWN, 0.4)
            yield finding(AT_LIMIT, subject, verdict, confidence, evidence, **values)
        elif left < entry(LITTLE_LEFT).limit("headroom") and _idle(readings, entry(LITTLE_LEFT).limit("idle_load")):
            yield finding(LITTLE_LEFT, subject, Verdict.UNKNOWN, 0.5, evidence, **values)


@rule(THROTTLED, THROTTLED_OFTEN)
def throttling(readings: Readings) -> Iterable[Finding]:
    """The processor slowed itself down because of heat since the unit was started.

    A few short events are normal where a processor boosts, so they are told and no more. Often, by events for each hour
    or by share of the time, the cooling deserves a look. Without the uptime there is no "often". Confidence: ours.
    """
    names = [f"thermals.throttle.{unit}_{what}" for unit in ("package", "core") for what in ("count", "time")]
    evidence = [r for r in map(readings.get, (*names, "thermals.uptime")) if r is not None]
    events = max((readings.number(name) or 0.0 for name in names if name.endswith("count")), default=0.0)
    seconds = max((readings.number(name) or 0.0 for name in names if name.endswith("time")), default=0.0)
    uptime = readings.number("thermals.uptime")
    if events <= 0:
        return
    values: dict[str, str | int | float] = {"events": int(events)}
    often = entry(THROTTLED_OFTEN)
    if uptime is None or uptime <= 0:
        yield finding(THROTTLED, "", Verdict.UNKNOWN, 0.2, evidence, **values)
        return
    # a unit just started is judged as if it had run for an hour: a burst at the start is normal
    hours = max(uptime / 3600, 1.0)
    if events / hours > often.limit("events_per_hour") or seconds / (hours * 3600) > often.limit("share"):
        yield finding(THROTTLED_OFTEN, "", Verdict.UNKNOWN, 0.5, evidence, **values)
    else:
        yield finding(THROTTLED, "", Verdict.UNKNOWN, 0.2, evidence, **values)


@rule(TOO_HOT_AT_WORK)
def heat_at_work(readings: Readings) -> Iterable[Finding]:
    """A zone of the firmware came close to its critical point, where the unit switches itself off, within the seconds
    of a hardware test: the heat does not get out. Processors' own sensors are left out, since those run up to their
    limit by design. What a zone is, its watcher says, or the probe where an older watcher did not. Confidence 0.7
    (ours): the rest is a zone whose critical point is set too low.
    """
    for headroom in readings.all("thermals_watch.headroom"):
        subject = headroom.subject
        left = readings.number("thermals_watch.headroom", subject)
        peak = readings.number("thermals_watch.peak", subject)
        kind = readings.get("thermals_watch.type", subject) or readings.get("thermals.type", subject)
        if left is None or peak is None or kind is None or kind.value != FIRMWARE_ZONE:
            continue
        if left <= entry(TOO_HOT_AT_WORK).limit("headroom"):
            names = ("start", "peak", "headroom", "seconds")
            evidence = [r for name in names if (r := readings.get(f"thermals_watch.{name}", subject))]
            values = {"temperature": round(peak), "limit": round(peak + left)}
            yield finding(TOO_HOT_AT_WORK, subject, Verdict.FAIL, 0.7, evidence, **values)


@rule(STANDS_STILL)
def stands_still(readings: Readings) -> Iterable[Finding]:
    """A zone of the firmware did not move by a fraction of a degree while the processors worked. Much firmware asks its
    sensor only now and then, so this is a note: what such a zone says of heat counts for little. Values that firmware
    makes up (``thermals.placeholder``) give nothing. Confidence 0.2 (ours).
    """
    limits = entry(STANDS_STILL)
    for spread in readings.all("thermals_watch.spread"):
        subject = spread.subject
        kind, made_up = (readings.get(f"thermals.{name}", subject) for name in ("type", "placeholder"))
        looks, seconds = (readings.number(f"thermals_watch.{name}", subject) or 0 for name in ("samples", "seconds"))
        watched = looks >= limits.limit("samples") and seconds >= limits.limit("seconds")
        if spread.value != 0 or not watched or kind is None or made_up is not None:
            continue
        if kind.value == FIRMWARE_ZONE:
            peak = readings.number("thermals_watch.peak", subject) or 0.0
            names = ("spread", "samples", "seconds")
            evidence = [r for name in names if (r := readings.get(f"thermals_watch.{name}", subject))]
            values = {"temperature": round(peak)}
            yield finding(STANDS_STILL, subject, Verdict.UNKNOWN, 0.2, evidence, **values)


@rule(FAN_LEFT_OFF)
def answer_to_heat(readings: Readings) -> Iterable[Finding]:
    """A zone of the firmware is past the point at which it has the fan driven up (its active trip point, ACPI 6.5,
    11.4.1), and every fan that the system drives is at its lowest level. Silent where the system drives none, as then
    firmware does. Confidence 0.4 (ours): the level may be another part's, or on its way up.
    """
    fans = [r for r in readings.all("thermals.cooling.state") if r.component is ComponentKind.FAN]
    driven = [r for r in fans if (readings.number("thermals.cooling.max_state", r.subject) or 0) > 0]
    if not driven or any(r.value != 0 for r in driven):
        return
    for trip in readings.all("thermals.trip.active"):
        kind = readings.get("thermals.type", trip.subject)
        temperature = readings.get("thermals.temperature", trip.subject)
        limit, now = (readings.number(f"thermals.{name}", trip.subject) for name in ("trip.active", "temperature"))
        if kind is None or kind.value != FIRMWARE_ZONE or temperature is None or limit is None or now is None:
            continue
        if now >= limit + entry(FAN_LEFT_OFF).limit("past"):
            values = {"temperature": round(now), "limit": round(limit)}
            evidence = [temperature, trip, *driven]
            yield finding(FAN_LEFT_OFF, trip.subject, Verdict.UNKNOWN, 0.4, evidence, **values)


@rule(IMPLAUSIBLE)
def plausibility(readings: Readings) -> Iterable[Finding]:
    """A sensor shows a temperature that cannot be. Sensor, wiring or firmware: no verdict. Values that firmware makes
    up where it has no sensor at all (``thermals.placeholder``) are no fault and give nothing. Confidence: ours.
    """
    for reading in readings.all("thermals.implausible"):
        value = readings.number(reading.name, reading.subject)
        if value is not None:
            values = {"temperature": round(value)}
            yield finding(IMPLAUSIBLE, reading.subject, Verdict.UNKNOWN, 0.3, [reading], **values)


def _idle(readings: Readings, limit: float) -> bool:
    load = readings.number("thermals.load")
    return load is not None and load < limit
