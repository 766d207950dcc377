"""Voltages, CMOS battery and fans, from the monitoring chips of the main board.

What these chips say is doubtful: inputs that are not wired, dividers that nobody described, limits that nobody set. So
only inputs with a name are judged, and a chip is believed on this board only as far as its other named rails are
plausible. Published outputs of healthy machines show unnamed inputs anywhere between 0 V and full scale, fans of 0 rpm
on headers without a fan, alarms raised by limits of 0, and a ``+3.3V`` of 1.68 V on a chip with another scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.catalogue.entry import entry
from agent.model import ComponentKind, Finding, Reading, Readings, Verdict
from agent.model.acpi_fan import is_acpi_fan
from agent.rules import rule
from agent.rules._by_catalogue import finding

_NOMINAL = {"12V": 12.0, "5V": 5.0, "3.3V": 3.3, "5VSB": 5.0, "3VSB": 3.3, "3.3VSB": 3.3}
_STANDBY = ("3VSB", "3.3VSB")
_UNNAMED = re.compile(r"/(in|fan)[0-9]+$")
"""The kernel's own name for an input: nobody said what it measures."""
_PROCESSOR_FAN = re.compile(r"(CPU|Processor)([ _]?Fan)?( ?[01])?", re.IGNORECASE)


@rule("VOLT-5004", "VOLT-5012", "VOLT-5020")
def rails(readings: Readings) -> Iterator[Finding]:
    """A rail named +12V, +5V, +3.3V, 5VSB or 3VSB away from its nominal voltage.

    Beyond the supply's tolerance plus the sensor's error it is a hint (VOLT-5012); beyond the wide limit a fault
    (VOLT-5004), if another named rail of the same chip is within tolerance, which shows that the chip's scaling fits
    this board. What no running machine can have is a sensor that cannot be believed (VOLT-5020). Confidences: ours.
    """
    for reading, nominal, off in _named_rails(readings):
        if off <= _tolerance(reading):
            continue
        if off > entry("VOLT-5020").limit("implausible"):
            yield _rail("VOLT-5020", reading, nominal, Verdict.UNKNOWN, 0.2)
        elif off > entry("VOLT-5004").limit("deviation") and _scaled_right(readings, reading):
            yield _rail("VOLT-5004", reading, nominal, Verdict.FAIL, 0.7)
        else:
            yield _rail("VOLT-5012", reading, nominal, Verdict.UNKNOWN, 0.4)


@rule("VOLT-5036")
def limits(readings: Readings) -> Iterator[Finding]:
    """A named voltage outside limits that somebody chose for it.

    Limits count only when the driver's alarm is raised too and the two are close together: chips start with 0 and full
    scale. Standard rails and the battery have rules of their own. Confidence: ours.
    """
    known = {r.subject for r, *_ in _named_rails(readings)} | {r.subject for r in readings.all("board.battery.voltage")}
    for reading in readings.all("board.voltage"):
        low, high = (readings.number(f"board.voltage.{word}", reading.subject) for word in ("min", "max"))
        value = reading.number
        if low is None or high is None or value is None or reading.subject in known or _UNNAMED.search(reading.subject):
            continue
        chosen = 0 < low < high and (high - low) / (high + low) <= entry("VOLT-5036").limit("spread")
        believable = chosen and abs(2 * value / (low + high) - 1) <= entry("VOLT-5020").limit("implausible")
        if believable and not low <= value <= high and _yes(readings, "board.voltage.alarm", reading.subject):
            values = {"voltage": round(value, 2), "low": round(low, 2), "high": round(high, 2)}
            yield finding("VOLT-5036", reading.subject, Verdict.UNKNOWN, 0.4, [reading], **values)


@rule("VOLT-5209", "VOLT-5214")
def battery(readings: Readings) -> Iterator[Finding]:
    """A CMOS battery that is nearly (VOLT-5209) or quite (VOLT-5214) empty.

    Nothing is said of a chip whose other named rails are implausible. Next to nothing may also be a pin that the board
    does not wire, so it is only a hint. Confidences: ours.
    """
    for reading in readings.all("board.battery.voltage"):
        voltage = reading.number
        if voltage is None or voltage < 0 or not _believable(readings, reading):
            continue
        values = {"voltage": round(voltage, 2)}
        if voltage < entry("VOLT-5214").limit("wired"):
            yield finding("VOLT-5209", reading.subject, Verdict.UNKNOWN, 0.4, [reading], **values)
        elif voltage < entry("VOLT-5214").limit("empty"):
            yield finding("VOLT-5214", reading.subject, Verdict.FAIL, 0.8, [reading], **values)
        elif voltage < entry("VOLT-5209").limit("low"):
            yield finding("VOLT-5209", reading.subject, Verdict.UNKNOWN, 0.7, [reading], **values)


@rule("FAN-2503", "FAN-2516", "FAN-2527", "FAN-2534")
def fans(readings: Readings) -> Iterator[Finding]:
    """A fan that stands still although it should turn, or turns far slower than it is told to.

    0 rpm alone says nothing: headers without a fan read 0 (even those with a name), many fans rest while it is cool,
    and on older chips minimum and alarm come from power-on values. So it is a fault only of the processor's own fan
    beside a hot processor (FAN-2503), and a hint where a named fan does not follow its target speed at all (FAN-2527)
    or by far (FAN-2534), or where no measured fan turns beside a hot processor, since the right one may not be measured
    (FAN-2516). Confidences: ours.
    """
    fans = [r for r in readings.all("board.fan") if r.number is not None]
    still = [r for r in fans if (r.number or 0.0) < entry("FAN-2503").limit("turning")]
    hot = _hot_processor(readings)
    judged = False
    for reading in (fan for fan in fans if fan not in still):
        target = readings.get("board.fan.target", reading.subject)
        asked, turns = target.number if target else None, reading.number or 0.0
        if target and asked and _is_known(reading) and turns < entry("FAN-2534").limit("share") * asked:
            values = {"rpm": round(turns), "target": round(asked)}
            yield finding("FAN-2534", reading.subject, Verdict.UNKNOWN, 0.5, [reading, target], **values)
    for reading in still:
        target = readings.get("board.fan.target", reading.subject)
        if hot is not None and _PROCESSOR_FAN.fullmatch(reading.subject.partition("/")[2]):
            yield finding("FAN-2503", reading.subject, Verdict.FAIL, 0.8, [reading, hot], temperature=hot.value)
            judged = True
        elif target is not None and (rpm := target.number) and _is_known(reading):
            yield finding("FAN-2527", reading.subject, Verdict.UNKNOWN, 0.6, [reading, target], target=round(rpm))
            judged = True
    if hot is not None and still and len(still) == len(fans) and not judged:
        yield finding("FAN-2516", still[0].subject, Verdict.UNKNOWN, 0.5, [still[0], hot], temperature=hot.value)


def _is_known(fan: Reading) -> bool:
    """Whether somebody said that there is a fan: a label, or firmware itself (driver ``acpi_fan``)."""
    return not _UNNAMED.search(fan.subject) or is_acpi_fan(fan.subject)


def _named_rails(readings: Readings) -> Iterator[tuple[Reading, float, float]]:
    """Rails with a standard name: reading, nominal voltage, relative deviation."""
    for reading in readings.all("board.voltage"):
        nominal, value = _NOMINAL.get(_rail_name(reading)), reading.number
        if nominal is not None and value is not None:
            yield reading, nominal, abs(value / nominal - 1)


def _rail_name(reading: Reading) -> str:
    label = reading.subject.partition("/")[2].upper().lstrip("+").replace(" ", "").replace("_", "")
    return re.sub(r"^(V|VCC)?(12|5|3\.3|3)V?(SB|STANDBY)?$", lambda m: f"{m[2]}V{'SB' if m[3] else ''}", label)


def _tolerance(reading: Reading) -> float:
    tolerance = "standby" if _rail_name(reading) in _STANDBY else "supply"
    return entry("VOLT-5012").limit(tolerance) + entry("VOLT-5012").limit("sensor")


def _scaled_right(readings: Readings, reading: Reading) -> bool:
    return any(
        off <= _tolerance(other)
        for other, _, off in _named_rails(readings)
        if _chip(other) == _chip(reading) and other.subject != reading.subject
    )


def _believable(readings: Readings, reading: Reading) -> bool:
    limit = entry("VOLT-5020").limit("implausible")
    return all(off <= limit for other, _, off in _named_rails(readings) if _chip(other) == _chip(reading))


def _hot_processor(readings: Readings) -> Reading | None:
    """The hottest processor temperature, if it is one at which every fan turns."""
    low, high = entry("FAN-2503").limit("hot"), entry("FAN-2503").limit("impossible")
    hot = [
        (value, reading)
        for reading in readings.all("board.temperature")
        if reading.component is ComponentKind.CPU and (value := reading.number) is not None and low <= value <= high
    ]
    return max(hot, key=lambda pair: pair[0])[1] if hot else None


def _rail(code: str, reading: Reading, nominal: float, verdict: Verdict, confidence: float) -> Finding:
    voltage = reading.number or 0.0
    return finding(code, reading.subject, verdict, confidence, [reading], voltage=round(voltage, 2), nominal=nominal)


def _chip(reading: Reading) -> str:
    return reading.subject.partition("/")[0]


def _yes(readings: Readings, name: str, subject: str) -> bool:
    reading = readings.get(name, subject)
    return reading is not None and reading.value is True
