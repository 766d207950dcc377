"""Whether the clock went on while the unit was off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

_ZONE_STEP_S = 15 * 60  # offsets of time zones are multiples of it (IANA time zone database, since 1972)
_ZONE_RANGE_S = (-12 * 3600, 14 * 3600)
_YEAR_10000_S = 253402300800  # beyond what a date can be written for


@rule("CLOCK-8204")
def lost_its_time(readings: Readings) -> Iterator[Finding]:
    """The clock is long before the firmware was built, or before any unit was: it started anew, so its power was gone.
    That is the coin cell, unless somebody cleared the settings or set the clock wrong; hence a failure only where the
    clock chip reports the battery too. Confidence ours.
    """
    for clock, since_epoch in _clocks(readings):
        reset = _reset(readings, clock, since_epoch)
        if reset:
            battery = _dead_battery(readings, clock.subject)
            yield finding(
                "CLOCK-8204",
                reset[0].subject,
                Verdict.FAIL if battery else Verdict.UNKNOWN,
                0.9 if battery else 0.7,
                (*reset, battery) if battery else reset,
                date=datetime.fromtimestamp(since_epoch, UTC).date().isoformat(),
            )


@rule("CLOCK-8212")
def differs_from_the_system(readings: Readings) -> Iterator[Finding]:
    """The clock differs from the system clock, and not by a time zone (Windows keeps local time in it). One of the two
    is wrong; which, it does not say. Confidence ours.
    """
    for clock, since_epoch in _clocks(readings):
        reading = readings.get("rtc.difference", clock.subject)
        difference = readings.number("rtc.difference", clock.subject)
        if reading and difference is not None and _is_off(difference) and not _reset(readings, clock, since_epoch):
            minutes = round(abs(difference) / 60)
            yield finding("CLOCK-8212", clock.subject, Verdict.UNKNOWN, 0.5, (clock, reading), minutes=minutes)


@rule("CLOCK-8220")
def battery_reported(readings: Readings) -> Iterator[Finding]:
    """The clock chip reports that its battery was too low (VRT), while the time may still be right. Confidence ours:
    the bit is meant for it, but no field data are published.
    """
    for clock, since_epoch in _clocks(readings):
        battery = _dead_battery(readings, clock.subject)
        if battery and not _reset(readings, clock, since_epoch):
            yield finding("CLOCK-8220", battery.subject, Verdict.UNKNOWN, 0.7, (battery,))


def _clocks(readings: Readings) -> Iterator[tuple[Reading, float]]:
    """Every clock that gives a time, and that time in s since 1970."""
    for clock in readings.all("rtc.since_epoch"):
        since_epoch = readings.number("rtc.since_epoch", clock.subject)
        if since_epoch is not None and 0 <= since_epoch < _YEAR_10000_S:
            yield clock, since_epoch


def _reset(readings: Readings, clock: Reading, since_epoch: float) -> tuple[Reading, ...]:
    """The readings that show that the clock started anew; none when it did not."""
    limits = entry("CLOCK-8204")
    reading = readings.get("rtc.since_firmware", clock.subject)
    since_firmware = readings.number("rtc.since_firmware", clock.subject)
    if reading and since_firmware is not None and since_firmware < -limits.limit("before_firmware"):
        return clock, reading
    return (clock,) if since_epoch < limits.limit("earliest") else ()


def _dead_battery(readings: Readings, subject: str) -> Reading | None:
    battery = readings.get("rtc.battery_ok", subject)
    return battery if battery is not None and battery.value is False else None


def _is_off(difference_s: float) -> bool:
    limits = entry("CLOCK-8212")
    low, high = _ZONE_RANGE_S
    nearest = _ZONE_STEP_S * round(difference_s / _ZONE_STEP_S)
    is_zone = low <= nearest <= high and abs(difference_s - nearest) <= limits.limit("zone_tolerance")
    return abs(difference_s) > limits.limit("difference") and not is_zone
