"""The SCSI sections of smartctl's text (smartmontools scsiprint.cpp)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent.probes.storage._report_numbers import celsius_in, number

_STATUS = re.compile(r"SMART Health Status: *(.+?)(?: *\[asc=([0-9a-f]{1,2}), *ascq=([0-9a-f]{1,2})\])?")
_COUNTERS = re.compile(r"(read|write|verify): +(?:\S+ +){6}([0-9]{1,20})")
_POWERED = re.compile(
    r"(?:\s*number of hours powered up = |\s*Accumulated power on time, hours:minutes )([0-9]{1,9})(?=[.,:])"
)
_MARKS = (
    "SMART Health Status", "Current Drive Temperature", "Elements in grown defect list", "Error counter log",
    "Pending defect count", "  Pending defect count", "SMART Self-test log", "Percentage used endurance indicator",
)  # fmt: skip
"""How at least one line of a report on a SCSI drive begins."""
_TEST_RESULT = {
    "Completed, segment failed": 4,
    "Completed": 0,
    "Aborted (by user command)": 1,
    "Aborted (device reset ?)": 2,
    "Interrupted ('-X' switch)": 1,
    "Interrupted (bus reset ?)": 2,
    "Unknown error, incomplete": 3,
    "Failed in first segment": 5,
    "Failed in second segment": 6,
    "Failed in segment": 7,
}
"""SPC-4, self-test results, in smartctl's words; those of an interruption are of old versions."""
_TEST = re.compile(
    rf"# *[0-9]{{1,2}} +(\S.*?) +({'|'.join(map(re.escape, _TEST_RESULT))})(?: -->)?"
    r" +(?:[0-9]+|-) +([0-9]+|NOW) +\S+ +\["
)
"""Number, description, result, segment, hours, block, and the sense in brackets."""


def scsi(lines: Sequence[str]) -> dict[str, Any]:
    """What the lines say of a SCSI or SAS drive, by the names of smartctl's JSON; empty when nothing."""
    if not any(line.startswith(_MARKS) for line in lines):
        return {}
    found: dict[str, Any] = {}
    counters: dict[str, Any] = {}
    temperature: dict[str, Any] = {}
    tests = 0
    for line in lines:
        label, _, value = line.partition(":")
        if status := _STATUS.fullmatch(line):
            found |= _status(status)
        elif row := _COUNTERS.fullmatch(line):
            counters[row[1]] = {"total_uncorrected_errors": int(row[2])}
        elif label == "Elements in grown defect list":
            found["scsi_grown_defect_list"] = number(value)
        elif label.strip() == "Pending defect count":
            found["scsi_pending_defects"] = {"count": number(value)}
        elif label == "Current Drive Temperature":
            temperature["current"] = celsius_in(value)
        elif label == "Drive Trip Temperature":
            temperature["drive_trip"] = celsius_in(value)
        elif powered := _POWERED.match(line):
            found["power_on_time"] = {"hours": int(powered[1])}
        elif line.startswith("#") and "[" in line and (test := _self_test(line)):
            found[f"scsi_self_test_{tests}"] = test
            tests += 1
        elif current := re.fullmatch(r"Current temperature = (-?[0-9]{1,3})", line):
            temperature["current"] = int(current[1])
    found |= {"scsi_error_counter_log": counters} if counters else {}
    found |= {"temperature": temperature} if temperature else {}
    return {"device": {"protocol": "SCSI"}, **found} if found else {}


def _status(match: re.Match[str]) -> dict[str, Any]:
    """``OK``, or the words for the sense that the drive reports."""
    sense = {} if match[2] is None else {"scsi": {"asc": int(match[2], 16), "ascq": int(match[3], 16)}}
    return {"smart_status": {"passed": match[1] == "OK", **sense}}


def _self_test(line: str) -> dict[str, Any] | None:
    row = _TEST.match(line)
    if row is None:
        return None
    description, result, hours = row.groups()
    return {
        "code": {"value": 2 if "long" in description or "extended" in description.lower() else 1},
        "result": {"value": _TEST_RESULT[result], "string": result},
        "power_on_time": {"hours": number(hours)},
    }
