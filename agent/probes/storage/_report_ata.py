"""The ATA sections of smartctl's text (smartmontools ataprint.cpp)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from agent.probes.storage._report_numbers import celsius_in

_NUMBER = r"(0x[0-9a-f]{2}|[0-9]{1,3}|---)"
_VALUES = rf"{_NUMBER} +{_NUMBER} +{_NUMBER}"
_ID = r" *(0x[0-9a-f]{2}|[0-9]{1,3}) (\S{1,40}?) *"
_BRIEF = re.compile(rf"{_ID}([P-][O-][S-][R-][C-][K-])[+ ] *{_VALUES} +(-|NOW|Past) +(.*)")
_OLD = re.compile(
    rf"{_ID}0x([0-9a-f]{{4}}) +{_VALUES} +(?:Pre-fail|Old_age) *(?:(?:Always|Offline) +)?"
    r"(-|FAILING_NOW|In_the_past) +(.*)"
)
"""The oldest versions have no column UPDATED."""
_FAILED = {"NOW": "now", "FAILING_NOW": "now", "Past": "past", "In_the_past": "past"}

_ERRORS = re.compile(r"(?:ATA|Device) Error Count: ([0-9]{1,9})")
_ERROR_AT = re.compile(r"Error [0-9]+ (?:\[[0-9]+\] )?occurred at disk power-on lifetime: ([0-9]{1,9}) hours")
_DESCRIBED = re.compile(r"(?:(?:\b[0-9a-f]{2}|--) ){7,} *(Error: .+)")

_TEST_STATUS = {
    "Completed without error": 0,
    "Aborted by host": 1,
    "Interrupted (host reset)": 2,
    "Fatal or unknown error": 3,
    "Completed: unknown failure": 4,
    "Completed: electrical failure": 5,
    "Completed: servo/seek failure": 6,
    "Completed: read failure": 7,
    "Completed: handling damage??": 8,
    "Self-test routine in progress": 15,
    "Completed": 0,
    "Test in progress": 15,
}
"""ATA8-ACS, self-test execution status, in smartctl's words; the last two in those of its first versions."""
_TEST = re.compile(
    rf"# *[0-9]{{1,2}} +(\S.*?) +({'|'.join(map(re.escape, _TEST_STATUS))}) +[0-9]{{1,3}}% +([0-9]{{1,9}}) +"
    r"([0-9]{1,20}|0x[0-9a-f]{1,16}|-)"
)

_TEST_TYPE = (("Extended", 2), ("Abort off", 127))
"""ATA8-ACS, self-test log, content of the LBA field when it began: what is told apart here."""

_STATISTIC = re.compile(r" *(0x[0-9a-f]{2}|[0-9]{1,2}) +(0x[0-9a-f]{3}) +[0-9] +(-?[0-9]{1,20})(?=[~ ])")
_PHY = re.compile(r"(0x[0-9a-f]{4}) +[0-9] +([0-9]{1,20})\+? ")
_PENDING = "Pending Defects log (GP Log 0x0c)"

_SCT: tuple[tuple[re.Pattern[str], tuple[str, ...], str], ...] = (
    (re.compile(r"Lifetime +Min/Max Temperature: +\S+?/ *(\S+)"), ("ata_sct_status",), "lifetime_max"),
    (re.compile(r"Under/Over Temperature Limit Count: +[0-9]+/ *([0-9]+)"), ("ata_sct_status",), "over_limit_count"),
    (re.compile(r"Specified Max Operating Temperature: +(\S+)"), ("ata_sct_status",), "op_limit_max"),
    (re.compile(r"Min/Max recommended Temperature: +\S+?/ *(\S+)"), ("ata_sct_temperature_history",), "op_limit_max"),
    (re.compile(r"Min/Max Temperature Limit: +\S+?/ *(\S+)"), ("ata_sct_temperature_history",), "limit_max"),
)
_SCT_NOW = re.compile(r"Current Temperature: +(-?[0-9]{1,3}) Celsius")


def ata(lines: Sequence[str]) -> dict[str, Any]:
    """What the lines say of an ATA drive, by the names of smartctl's JSON; empty when nothing."""
    sections: tuple[Callable[[Sequence[str]], dict[str, Any]], ...] = (
        _temperatures,
        _attributes,
        _error_log,
        _self_tests,
        _statistics,
        _phy,
        _pending_defects,
    )
    found: dict[str, Any] = {}
    for section in sections:
        found |= section(lines)
    return {"device": {"protocol": "ATA"}, **found} if found else {}


def _attributes(lines: Sequence[str]) -> dict[str, Any]:
    table = [row for line in lines if line.lstrip()[:1].isdigit() and (row := _attribute(line))]
    if not table:
        return {}
    return {"ata_smart_attributes": {"table": table}, **_from_attributes({row["id"]: row for row in table})}


def _attribute(line: str) -> dict[str, Any] | None:
    brief = _BRIEF.fullmatch(line)
    row = brief or _OLD.fullmatch(line)
    if row is None:
        return None
    identity, name, flags, value, worst, threshold, failed, raw = row.groups()
    return {
        "id": int(identity, 16 if identity.lower().startswith("0x") else 10),
        "name": name,
        "value": _normalised(value),
        "worst": _normalised(worst),
        "thresh": _normalised(threshold),
        "when_failed": _FAILED.get(failed, ""),
        "flags": {"prefailure": flags.startswith("P") if brief else bool(int(flags, 16) & 1)},
        "raw": {"string": raw.strip()},
    }


def _normalised(text: str) -> int | None:
    return None if text == "---" else int(text, 16) if text.startswith("0x") else int(text)


def _from_attributes(rows: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """What smartctl's JSON states apart from the table and its text does not: from the same attributes."""

    def first(number: int, name: str) -> int | None:
        row = rows.get(number)
        match = re.match(r"-?[0-9]{1,9}(?=$|[ (/h+])", row["raw"]["string"]) if row and name in row["name"] else None
        return int(match[0]) if match else None

    temperature = next((t for t in (first(194, "Temp"), first(190, "Temp")) if t is not None), None)
    return {
        # else what SCT says, which some drives never fill in
        **({} if temperature is None else {"temperature": {"current": temperature}}),
        "power_on_time": {"hours": first(9, "Power_On")},
        "power_cycle_count": first(12, "Power_Cycle"),
    }


def _error_log(lines: Sequence[str]) -> dict[str, Any]:
    count, table = None, []
    hours: int | None = None
    within = False
    for line in lines:
        if "rror" not in line:
            continue
        if counted := _ERRORS.match(line):
            count, within = int(counted[1]), True
        elif line.startswith(("SMART Error Log Version", "SMART Extended Comprehensive Error Log Version")):
            within = True
        elif line == "No Errors Logged" and within:
            count = count or 0
        elif at := _ERROR_AT.match(line):
            hours = int(at[1])
        elif hours is not None and (described := _DESCRIBED.search(line)):
            table.append({"lifetime_hours": hours, "error_description": described[1]})
            hours = None
    if count is None and not table:
        return {}
    return {"ata_smart_error_log": {"summary": {"count": len(table) if count is None else count, "table": table}}}


def _self_tests(lines: Sequence[str]) -> dict[str, Any]:
    logs: dict[str, dict[str, Any]] = {}
    which = "standard"
    for line in lines:
        if line.startswith("SMART Extended Self-test Log Version"):
            which = "extended"
        elif line.startswith("SMART Self-test log structure"):
            which = "standard"
        elif line == "No self-tests have been logged.  [To run self-tests, use: smartctl -t]":
            logs.setdefault(which, {"table": []})
        elif line.startswith("#") and (row := _self_test(line)):
            logs.setdefault(which, {"table": []})["table"].append(row)
    return {"ata_smart_self_test_log": logs} if logs else {}


def _self_test(line: str) -> dict[str, Any] | None:
    row = _TEST.fullmatch(line)
    if row is None:
        return None
    description, status, hours, block = row.groups()
    lba = None if block == "-" else int(block, 0)
    return {
        "type": {"value": next((n for words, n in _TEST_TYPE if description.startswith(words)), 1)},
        "status": {"value": _TEST_STATUS[status] << 4, "string": status},
        "lifetime_hours": int(hours),
        **({} if lba is None else {"lba": lba}),
    }


def _statistics(lines: Sequence[str]) -> dict[str, Any]:
    pages: dict[int, list[dict[str, Any]]] = {}
    for line in lines:
        if "0x" in line and (row := _STATISTIC.match(line)):
            page = int(row[1], 16) if row[1].startswith("0x") else int(row[1])
            entry = {"offset": int(row[2], 16), "value": int(row[3]), "flags": {"valid": True}}
            pages.setdefault(page, []).append(entry)
    listed = [{"number": page, "table": table} for page, table in pages.items()]
    return {"ata_device_statistics": {"pages": listed}} if pages else {}


def _phy(lines: Sequence[str]) -> dict[str, Any]:
    rows = (_PHY.match(line) for line in lines if line.startswith("0x"))
    table = [{"id": int(row[1], 16), "value": int(row[2])} for row in rows if row]
    return {"sata_phy_event_counters": {"table": table}} if table else {}


def _pending_defects(lines: Sequence[str]) -> dict[str, Any]:
    """``Index LBA Hours`` and a line for each, or ``No Defects Logged``."""
    if _PENDING not in lines:
        return {}
    after = lines[lines.index(_PENDING) + 1 :]
    end = next((n for n, line in enumerate(after) if not line), len(after))
    count = sum(bool(re.fullmatch(r" *[0-9]+ +[0-9]+ +\S+", line)) for line in after[:end])
    return {"ata_pending_defects_log": {"count": count}}


def _temperatures(lines: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in lines:
        if "emperature" not in line:
            continue
        for pattern, path, key in _SCT:
            match = pattern.match(line)
            if match and (value := celsius_in(match[1])) is not None:
                found.setdefault(path[0], {"temperature": {}})["temperature"][key] = value
        if now := _SCT_NOW.match(line):
            found["temperature"] = {"current": int(now[1])}
    return found
