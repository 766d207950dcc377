"""Whether the unit can be told from others."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding


@rule("UNIT-9006")
def no_serial(readings: Readings) -> Iterator[Finding]:
    """Firmware was read and holds no serial number that could be one. No fault of a part: an RMA needs the number from
    the label, and a board that was exchanged often comes without it. Confidence 1: it is what the firmware says.
    """
    usable = readings.get("unit.serial_usable")
    if usable is not None and usable.value is False:
        refused = readings.get("unit.serial_refused")
        evidence = (usable, refused) if refused else (usable,)
        yield finding(
            "UNIT-9006", "", Verdict.UNKNOWN, 1.0, evidence, text=(str(refused.value).strip() if refused else "") or "–"
        )


@rule("UNIT-9011")
def serial_of_a_part(readings: Readings) -> Iterator[Finding]:
    """The unit's own serial number is missing or a placeholder, and that of its board or chassis stands in for it.
    Confidence 1: it is what the firmware says.
    """
    serial, whose = readings.get("unit.serial"), readings.get("unit.serial_of")
    if serial is not None and whose is not None and whose.value != "system":
        yield finding("UNIT-9011", "", Verdict.UNKNOWN, 1.0, (serial, whose), serial=str(serial.value))
