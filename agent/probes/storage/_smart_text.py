"""The text lines inside smartctl's JSON -> facts, read by pySMART. Reports in text have their own reader: ``_report``.

What pySMART is asked for: who the drive is, the ATA attribute table and the NVMe health log. What it is not asked for,
and why: the overall verdict (its ``assessment`` turns ``FAIL`` for any attribute below its limit, so a warm drive whose
own verdict is PASSED would read as failed; the drive's own line is read here instead), the logs (it drops the ATA error
log, and its expressions for self-test rows take polynomial time on hostile lines), the temperature (it prefers the
case's, attribute 190, to the drive's, 194). It never runs smartctl here: its calls are answered from the lines given.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.probes.storage._facts import Attribute, DriveFacts, celsius, decoded_raw, seconds, whole, words

_LINE_CAP = 300
_LINES_CAP = 4000
_HEADER = ["smartctl", "", "", ""]
_VERDICT = re.compile(r"(?:overall-health self-assessment test result|SMART Health Status): *(\w+)")
_BRIEF_ROW = re.compile(
    r"\s*(?P<id>[0-9]{1,3}) (?P<name>\S+)\s+(?P<flags>[P-][O-][S-][R-][C-][K-])\s+(?P<value>[0-9]{1,3})\s+"
    r"(?P<worst>[0-9]{1,3})\s+(?P<threshold>[0-9]{1,3}|---)\s+(?P<failed>\S+)\s+(?P<raw>.+)"
)
_FAILED = {"NOW": "FAILING_NOW", "Past": "In_the_past"}


def text_facts(lines: Sequence[str]) -> DriveFacts:
    """The facts that pySMART finds in the output of ``smartctl -a`` or ``-x``; none where it fails on them.

    Attribute rows in the brief format of ``-x`` are rewritten to the old format first, the only one that pySMART reads.
    """
    wanted = list(_sections([line[:_LINE_CAP] for line in lines[:_LINES_CAP]]))
    if not wanted:
        return DriveFacts()
    verdict = next((m[1] for line in wanted if (m := _VERDICT.search(line))), "")
    try:
        found = _read(_device([_old_format(line) for line in wanted]))
    except Exception:  # it raises whatever its parsing runs into; the JSON must carry on
        found = DriveFacts()
    return found.overlaid(DriveFacts(passed={"PASSED": True, "OK": True, "FAILED": False}.get(verdict)))


def _sections(lines: Sequence[str]) -> Iterator[str]:
    """The lines that pySMART is to see: the information section, the verdict, the attributes, the NVMe health log."""
    section = "information"
    for line in lines:
        if line.startswith("=== START OF"):
            section = "information" if "INFORMATION" in line else ""
        elif "Specific SMART Attributes" in line or line.startswith("SMART/Health Information (NVMe"):
            section = "table"
        if section or _VERDICT.search(line):
            yield line
        if section == "table" and not line.strip():
            section = ""


def _old_format(line: str) -> str:
    row = _BRIEF_ROW.fullmatch(line.rstrip())
    if row is None:
        return line
    flags = sum(1 << bit for bit, letter in enumerate(row["flags"]) if letter != "-")
    kind = "Pre-fail" if row["flags"].startswith("P") else "Old_age"
    failed = _FAILED.get(row["failed"], row["failed"])
    numbers = f"{row['value']} {row['worst']} {row['threshold']}"
    return f"{row['id']} {row['name']} 0x{flags:04x} {numbers} {kind} Always {failed} {row['raw']}"


def _device(lines: list[str]) -> Any:
    """A pySMART device that was told ``lines`` by its smartctl."""
    device_class, smartctl_class = _pysmart()
    captured = smartctl_class(smartctl_path="")
    told = [*_HEADER, *lines, ""]

    def answer(params: list[str], **_: Any) -> tuple[list[str], int]:
        return (list(told), 0) if "--all" in params else ([], 1)

    captured.generic_call = answer
    interface = "nvme" if any("NVMe" in line for line in lines) else "sat"
    return device_class("/dev/captured", interface=interface, smartctl=captured)


def _pysmart() -> tuple[Any, Any]:
    """Its device and smartctl classes. Importing it takes 0.1 s, so it is done late, and sets ``LANG`` and the
    process's logger class: both are put back.
    """
    language, logger_class = os.environ.get("LANG"), logging.getLoggerClass()
    try:
        from pySMART import Device
        from pySMART.smartctl import Smartctl
    finally:
        logging.setLoggerClass(logger_class)
        if language is None:
            os.environ.pop("LANG", None)
        else:
            os.environ["LANG"] = language
    return Device, Smartctl


def _read(device: Any) -> DriveFacts:
    attributes = {row.num: _attribute(row) for row in device.attributes if row is not None}
    rate = whole(device.rotation_rate, 1)
    rotational = False if device.is_ssd else True if rate else None
    common = DriveFacts(
        model=words(device.model),
        family=words(device.family),
        serial=words(device.serial),
        firmware=words(device.firmware),
        size=whole(device.size, 1),
        rotational=rotational,
        rotation_rate=rate,
        attributes=attributes,
    )
    if attributes:
        return common.overlaid(_from_attributes(attributes))
    return common.overlaid(_health_log(device)) if device.smartctl_interface == "nvme" else common


def _attribute(row: Any) -> Attribute:
    return Attribute(
        number=row.num,
        name=words(row.name),
        value=whole(row.value_int, 0, 255),
        worst=whole(row.worst, 0, 255),
        threshold=whole(row.thresh, 0, 255),
        failing={"FAILING_NOW": "now", "In_the_past": "past"}.get(row.when_failed, ""),
        prefailure=row.type == "Pre-fail",
        raw=decoded_raw(row.num, row.raw.strip()),
    )


def _from_attributes(attributes: Mapping[int, Attribute]) -> DriveFacts:
    """What smartctl's JSON states apart from the table and its text does not."""
    raw = {number: row.raw for number, row in attributes.items()}
    return DriveFacts(
        protocol="ATA",
        temperature=celsius(raw.get(194)) or celsius(raw.get(190)),
        power_on_hours=whole(raw.get(9)),
        power_cycles=whole(raw.get(12)),
    )


def _health_log(device: Any) -> DriveFacts:
    log = device.if_attributes
    return DriveFacts(
        protocol="NVMe",
        critical_warning=whole(log.criticalWarning, 0, 255),
        temperature=celsius(log.temperature),
        available_spare=whole(log.availableSpare, 0, 255),
        available_spare_threshold=whole(log.availableSpareThreshold, 0, 255),
        percentage_used=whole(log.percentageUsed, 0, 255),
        power_cycles=whole(log.powerCycles),
        power_on_hours=whole(log.powerOnHours),
        unsafe_shutdowns=whole(log.unsafeShutdowns),
        media_errors=whole(log.integrityErrors),
        nvme_error_entries=whole(log.errorEntries),
        warning_temp_s=seconds(log.warningTemperatureTime),
        critical_temp_s=seconds(log.criticalTemperatureTime),
    )
