"""SMART: what is expected of a drive's report, by what smartctl printed in it.

The text (or JSON) is read here for itself, by plain patterns, and not by our own readers. The right severity is the one
with which a person does the right thing:

``says it fails``
    The drive's own verdict is FAILED, a SCSI drive predicts its failure, an NVMe drive has a critical warning, or an
    attribute that predicts failure is at its limit now. Save the files, ask for an exchange: *critical*. An attribute
    of temperature at its limit is no such word; a warning will do.
``cannot read back``
    Sectors are pending or uncorrectable (197, 198, pending defects), and the log has a read error (UNC), or a self-test
    stopped at a sector: data is lost. FIELD.md calls that a failure: *critical*.
``fails its test``
    The newest self-test that came to an end failed: *warning* or *critical*, as it may be years ago.
``errors``
    Uncorrectable, pending or media errors without such a proof: reason to look, with odds of 24 to 96 % a year:
    *warning* at least. Many such drives go on for years, so *critical* is no miss, but not wanted either.
``no such sign``
    All others that say anything of their health. A finding of severity *critical*, or with verdict fail, is a false
    alarm: replaced sectors, wear, heat and trouble on the cable fail nobody.
``says nothing``
    No verdict, no attribute, no health log in it: nobody can know.

What is no report (the expectations of pySMART's tests, lists of drives, links of git that were stored as text) counts
for nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.corpus.evaluation import Document, Goal, Mark, Result, fault, said
from tests.corpus.index import Row

KIND = "smart"
GOAL = Goal(detected=0.98, false_alarms=0.0)

_DRIVE = ("storage-device",)
_CRITICAL = ("critical",)
_AT_LEAST_WARNING = ("warning", "critical")


def mark(row: Row, document: Document) -> Mark | None:
    """By the strongest sign in the report."""
    if row.subkind in ("pysmart-expected-json", "smartctl-text-pysmart-aux"):
        return None
    text = row.file.read_bytes().decode("utf-8", "replace")
    signs = _json_signs(json.loads(text)) if row.subkind == "smartctl-json" else _text_signs(text)
    if signs is None:
        return None
    group = next(
        group for group in ("says it fails", "cannot read back", "fails its test", "errors", "") if group in signs
    )
    if group in ("says it fails", "cannot read back"):
        return fault(document, group, _DRIVE, _CRITICAL)
    if group:
        return fault(document, group, _DRIVE, _AT_LEAST_WARNING)
    if "health" not in signs:
        return Mark("says nothing", Result.OPEN, said(document))
    alarms = [f for f in document.get("findings", ()) if f["severity"] == "critical" or f["verdict"] == "fail"]
    return Mark("no such sign", Result.FALSE_ALARM if alarms else Result.CLEAR, said(document))


_ROW = re.compile(
    r"^ *(?P<id>\d+) (?P<name>\S+) +(?:(?P<brief>[P-][O-][S-][R-][C-][K-]\S?)|0x(?P<old>[0-9a-f]{4})) .*?"
    r"(?P<failed> - | NOW | FAILING_NOW | Past | In_the_past ) *(?P<raw>\d+)(?P<more>.*)$",
    re.MULTILINE,
)
_FAILED_TEST = re.compile(
    r"^# *\d+ +(?!Abort)(.*?)(?:Completed: |Fatal or|Completed, segment failed|Failed in)", re.MULTILINE
)
_FINISHED_TEST = re.compile(r"^# *\d+ +(?!Abort).*?(?:Completed|Fatal or|Failed in).*$", re.MULTILINE)


def _text_signs(text: str) -> set[str] | None:
    if not re.search(r"^smartctl |^=== START OF|^Device:", text, re.MULTILINE):
        return None
    signs = {""}
    rows = list(_ROW.finditer(text))
    if rows or re.search("self-assessment test result|SMART Health Status|^Critical Warning:", text, re.MULTILINE):
        signs.add("health")
    warning = re.search(r"^Critical Warning: +0x([0-9a-f]{2})", text, re.MULTILINE)
    if (
        re.search(r"self-assessment test result: FAILED|SMART Health Status: (?!OK)", text)
        or (warning and int(warning[1], 16))
        or any(_predicts_now(row) for row in rows)
    ):
        signs.add("says it fails")
    unread = any(row["id"] in ("197", "198") and _counts(row, "Pending|Uncor") for row in rows)
    unread = unread or bool(re.search(r"Pending defect count:[1-9]", text))
    read_error = bool(re.search(r"Error: UNC", text))
    finished = _FINISHED_TEST.search(text)
    failed = finished is not None and _FAILED_TEST.match(finished[0]) is not None
    stopped = re.search(r"^# *\d+ .*Completed: read failure .* \d+$", text, re.MULTILINE)
    if unread and (read_error or (failed and stopped)):
        signs.add("cannot read back")
    if failed:
        signs.add("fails its test")
    media = re.search(r"^Media and Data Integrity Errors: +([1-9].*)$", text, re.MULTILINE)
    uncorrected = re.search(r"^(?:read|write|verify): .* [1-9][0-9]*$", text, re.MULTILINE)
    reported = re.search(r" ([1-9][0-9]*)[ ~]+\S* *Number of Reported Uncorrectable Errors", text)
    if (
        unread
        or read_error
        or media
        or uncorrected
        or reported
        or any(row["id"] == "187" and _counts(row, "Uncor|_UE_") for row in rows)
    ):
        signs.add("errors")
    return signs


def _predicts_now(row: re.Match[str]) -> bool:
    predicts = row["brief"].startswith("P") if row["brief"] else int(row["old"], 16) & 1
    return bool(predicts) and "NOW" in row["failed"] and "Temperature" not in row["name"]


def _counts(row: re.Match[str], name: str) -> bool:
    """Whether a row with such a name counts anything. A number of more than 32 bits is a few packed ones, of which the
    lowest 16 bits are the count (README of the captured data: Seagate packs raw values).
    """
    raw = int(row["raw"])
    return bool(re.search(name, row["name"])) and bool(raw & 0xFFFF if raw > 0xFFFFFFFF else raw)


def _json_signs(data: dict[str, Any]) -> set[str] | None:
    if "device" not in data:
        return None
    signs = {""}
    table = data.get("ata_smart_attributes", {}).get("table", [])
    health = data.get("nvme_smart_health_information_log", {})
    if "smart_status" in data or table or health:
        signs.add("health")
    now = [
        a for a in table if a["when_failed"] == "now" and a["flags"]["prefailure"] and "Temperature" not in a["name"]
    ]
    if data.get("smart_status", {}).get("passed") is False or health.get("critical_warning") or now:
        signs.add("says it fails")
    raw = {a["id"]: a["raw"]["value"] for a in table if a["raw"]["value"] <= 0xFFFFFFFF}
    unread = any(raw.get(number) for number in (197, 198))
    errors = str(data.get("ata_smart_error_log", {}))
    read_error = "UNC" in errors
    tests = data.get("ata_smart_self_test_log", {})
    finished = [t["status"]["value"] >> 4 for log in tests.values() for t in log.get("table", [])]
    failed = next((status for status in finished if status not in (1, 2, 15)), 0) != 0
    if unread and (read_error or failed):
        signs.add("cannot read back")
    if failed:
        signs.add("fails its test")
    uncorrected = [log.get("total_uncorrected_errors") for log in data.get("scsi_error_counter_log", {}).values()]
    if unread or read_error or raw.get(187) or health.get("media_errors") or any(uncorrected):
        signs.add("errors")
    return signs
