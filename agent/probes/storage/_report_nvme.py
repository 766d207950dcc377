"""The NVMe sections of smartctl's text (smartmontools nvmeprint.cpp)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent.probes.storage._report_numbers import celsius_in, number

_HEALTH = {
    "Critical Warning": "critical_warning",
    "Available Spare": "available_spare",
    "Available Spare Threshold": "available_spare_threshold",
    "Percentage Used": "percentage_used",
    "Power Cycles": "power_cycles",
    "Power On Hours": "power_on_hours",
    "Unsafe Shutdowns": "unsafe_shutdowns",
    "Media and Data Integrity Errors": "media_errors",
    "Error Information Log Entries": "num_err_log_entries",
    "Warning Comp. Temperature Time": "warning_temp_time",
    "Critical Comp. Temperature Time": "critical_comp_time",
}
_ERROR = re.compile(r" *[0-9]{1,3} +([0-9]{1,20}) +(?:[0-9]{1,5}|-) +(?:0x[0-9a-f]{4}|-) +0x([0-9a-f]{4}) .*")
_TEST_RESULT = {
    "Completed without error": 0,
    "Aborted: Self-test command": 1,
    "Aborted: Controller Reset": 2,
    "Aborted: Namespace removed": 3,
    "Aborted: Format NVM command": 4,
    "Fatal or unknown test error": 5,
    "Completed: unknown failed segment": 6,
    "Completed: failed segments": 7,
    "Aborted: unknown reason": 8,
    "Aborted: sanitize operation": 9,
}
"""NVM Express Base Specification 2.0, 5.16.1.7, in smartctl's words."""
_TEST = re.compile(
    rf" *[0-9]{{1,3}} +(\S.*?) +({'|'.join(map(re.escape, _TEST_RESULT))}) +([0-9][0-9.,]*)"
    r"(?: +([0-9]{1,20}|-)(?: .*)?)?"
)


def nvme(lines: Sequence[str]) -> dict[str, Any]:
    """What the lines say of an NVMe drive, by the names of smartctl's JSON; empty when nothing."""
    if not any(line.startswith("Model Number:") or "(NVMe Log 0x" in line for line in lines):
        return {}
    health: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    tests: list[dict[str, Any]] | None = None
    section = ""
    temperature: int | None = None
    for line in lines:
        if "(NVMe Log 0x" in line:
            section = line.partition(" (NVMe")[0]
            tests = [] if section == "Self-test Log" and tests is None else tests
        label, colon, value = line.partition(":")
        if section.startswith("SMART/Health Information") and colon:
            if (name := " ".join(label.split())) in _HEALTH:
                health.setdefault(_HEALTH[name], number(value))
            elif label == "Temperature":
                temperature = celsius_in(value)
        elif section == "Error Information" and (row := _ERROR.fullmatch(line)):
            errors.append(_error(row))
        elif section == "Self-test Log" and tests is not None and (test := _self_test(line)):
            tests.append(test)
    return {
        "device": {"protocol": "NVMe"},
        **({"temperature": {"current": temperature}} if health else {}),
        **({"nvme_smart_health_information_log": health} if health else {}),
        **({"power_on_time": {"hours": health.get("power_on_hours")}} if health else {}),
        **({"power_cycle_count": health.get("power_cycles")} if health else {}),
        **({"nvme_error_information_log": {"table": errors}} if errors else {}),
        **({"nvme_self_test_log": {"table": tests}} if tests is not None else {}),
    }


def _error(row: re.Match[str]) -> dict[str, Any]:
    """The status field is as the drive keeps it, with the phase tag in bit 0 (NVM Express Base Spec. 2.0, 3.3.3)."""
    status = int(row[2], 16) >> 1
    return {
        "error_count": int(row[1]),
        "status_field": {"status_code": status & 0xFF, "status_code_type": status >> 8 & 7},
    }


def _self_test(line: str) -> dict[str, Any] | None:
    row = _TEST.fullmatch(line)
    if row is None:
        return None
    description, result, hours, lba = row.groups()
    return {
        "self_test_code": {"value": 2 if description.startswith("Extended") else 1},
        "self_test_result": {"value": _TEST_RESULT[result], "string": result},
        "power_on_hours": number(hours),
        **({"lba": int(lba)} if lba and lba.isdecimal() else {}),
    }
