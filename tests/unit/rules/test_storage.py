"""The storage rules, from what smartctl printed to the finding."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.catalogue import entry
from agent.catalogue.entry import message
from agent.model import Evidence, Finding, Reading, Readings, Severity, Tree, Verdict
from agent.probes.storage import PROBE
from agent.rules import storage as rules

TIME = "2026-01-02T03:04:05Z"
JUDGES = (
    rules.no_answer,
    rules.says_it_fails,
    rules.attribute_limits,
    rules.unreadable,
    rules.replaced_sectors,
    rules.past_read_errors,
    rules.command_timeouts,
    rules.self_test_failed,
    rules.interface_errors,
    rules.too_hot,
    rules.nvme_warnings,
    rules.worn,
    rules.media_errors,
)


def judged(*evidence: Evidence) -> list[Finding]:
    readings = Readings(s for s in PROBE.interpret(evidence) if isinstance(s, Reading))
    return [finding for judge in JUDGES for finding in judge(readings)]


def smartctl(**document: Any) -> Evidence:
    return Evidence("smartctl-json", "sda", json.dumps({"model_name": "X", **document}).encode(), "smartctl", TIME)


def attributes(*rows: dict[str, Any], **more: Any) -> Evidence:
    return smartctl(smart_status={"passed": True}, ata_smart_attributes={"table": list(rows)}, **more)


def row(number: int, name: str, raw: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": name, "value": 100, "worst": 100, "thresh": 10, "raw": {"string": raw}, **more}


def health(**log: int) -> Evidence:
    passed = log.get("critical_warning", 0) == 0
    return smartctl(smart_status={"passed": passed}, nvme_smart_health_information_log=log)


NOW = {"when_failed": "now", "flags": {"prefailure": True}}
PAST = {"when_failed": "past", "flags": {"prefailure": True}}
WORN_NOW = {"when_failed": "now", "flags": {"prefailure": False}}
READ_ERROR = {"summary": {"count": 2, "table": [{"error_description": "Error: UNC at LBA = 0x1 = 1"}]}}
STOPPED = {
    "standard": {"table": [{"type": {"value": 1}, "status": {"value": 121, "string": "read failure"}, "lba": 9}]}
}

FAILS = [
    (smartctl(smart_status={"passed": False}), "DISK-1010"),
    (attributes(row(5, "Reallocated_Sector_Ct", "0", **NOW)), "DISK-1029"),
    (attributes(row(197, "Current_Pending_Sector", "8"), ata_smart_error_log=READ_ERROR), "DISK-1119"),
    (attributes(row(198, "Offline_Uncorrectable", "8"), ata_smart_self_test_log=STOPPED), "DISK-1119"),
    (attributes(ata_smart_self_test_log=STOPPED), "DISK-1162"),
    (health(critical_warning=0b00001), "DISK-1300"),
    (health(critical_warning=0b00100), "DISK-1321"),
    (health(critical_warning=0b01000), "DISK-1337"),
    (health(critical_warning=0b10000), "DISK-1345"),
    (health(critical_warning=0, available_spare=3, available_spare_threshold=10), "DISK-1300"),
    (Evidence("smartctl-no-answer", "sda", b"", "smartctl", TIME), "DISK-1007"),
]
HINTS = [
    (attributes(row(5, "Reallocated_Sector_Ct", "0", **PAST)), "DISK-1032", "warning"),
    (attributes(row(4, "Start_Stop_Count", "300000", **WORN_NOW)), "DISK-1041", "warning"),
    (attributes(row(190, "Airflow_Temperature_Cel", "30", **PAST)), "DISK-1216", "info"),
    (attributes(row(197, "Current_Pending_Sector", "1")), "DISK-1108", "warning"),
    (attributes(row(5, "Reallocated_Sector_Ct", "3")), "DISK-1124", "warning"),
    (attributes(row(5, "Retired_Block_Count", "5"), rotation_rate=0), "DISK-1124", "warning"),
    (attributes(row(187, "Reported_Uncorrect", "1")), "DISK-1135", "warning"),
    (attributes(ata_smart_error_log=READ_ERROR), "DISK-1135", "warning"),
    (attributes(row(188, "Command_Timeout", "0 4 101")), "DISK-1143", "warning"),
    (attributes(row(199, "UDMA_CRC_Error_Count", "1")), "DISK-1170", "info"),
    (attributes(temperature={"current": 61}), "DISK-1203", "warning"),
    (attributes(temperature={"current": 56, "op_limit_max": 55}), "DISK-1203", "warning"),
    (health(critical_warning=0b00010), "DISK-1313", "critical"),
    (health(critical_warning=0, percentage_used=100), "DISK-1359", "warning"),
    (health(critical_warning=0, media_errors=1), "DISK-1368", "warning"),
]
NOTHING = {
    "a drive without any sign": attributes(
        row(5, "Reallocated_Sector_Ct", "0"), row(197, "Current_Pending_Sector", "0")
    ),
    "three packed time-out words": attributes(row(188, "Command_Timeout", "8590065666")),
    "a bogus attribute, by its name": attributes(row(197, "Bogus_Current_Pend_Sect", "1")),
    "a number that this maker uses otherwise": attributes(row(197, "Not_In_Use", "7")),
    "an attribute that nobody knows": attributes(row(5, "Unknown_Attribute", "7")),
    "a few worn flash blocks": attributes(row(5, "Retired_Block_Count", "4"), rotation_rate=0),
    "errors of commands that the drive does not know": attributes(
        ata_smart_error_log={"summary": {"count": 98, "table": [{"error_description": "Error: ABRT"}]}}
    ),
    "an aborted self-test": attributes(
        ata_smart_self_test_log={"standard": {"table": [{"type": {"value": 1}, "status": {"value": 25}}]}}
    ),
    "a warm drive within its own limit": attributes(temperature={"current": 65, "op_limit_max": 70}),
    "NVMe commands refused": health(critical_warning=0, num_err_log_entries=4711, media_errors=0),
    "a virtual disk": Evidence("tree", "", Tree({"/sys/block/vda/size": "8"}).encode(), "sysfs", TIME),
    "a smartctl that broke": Evidence("smartctl-json", "sda", b"{", "smartctl", TIME),
}


@pytest.mark.parametrize(("evidence", "code"), FAILS)
def test_a_drive_that_says_so_is_judged_faulty(evidence: Evidence, code: str) -> None:
    found = {f.code: f for f in judged(evidence)}
    assert found[code].verdict is Verdict.FAIL
    assert found[code].severity is Severity.CRITICAL
    assert found[code].subject == "sda"
    assert found[code].evidence


@pytest.mark.parametrize(("evidence", "code", "severity"), HINTS)
def test_a_sign_alone_is_a_hint(evidence: Evidence, code: str, severity: str) -> None:
    (finding,) = judged(evidence)
    assert (finding.code, finding.verdict, finding.severity.value) == (code, Verdict.UNKNOWN, severity)


@pytest.mark.parametrize("evidence", NOTHING.values(), ids=NOTHING.keys())
def test_no_false_alarm(evidence: Evidence) -> None:
    assert judged(evidence) == []


def test_a_hot_drive_is_not_called_a_dying_one() -> None:
    (finding,) = judged(health(critical_warning=0b10, temperature=84))
    assert finding.code == "DISK-1313"


def test_a_cold_attribute_at_its_limit_is_not_heat() -> None:
    (finding,) = judged(attributes(row(190, "Airflow_Temperature_Cel", "18", **NOW), temperature={"current": 18}))
    assert finding.code == "DISK-1041"
    (finding,) = judged(attributes(row(190, "Airflow_Temperature_Cel", "56", **NOW), temperature={"current": 56}))
    assert finding.code == "DISK-1203"


def test_the_drives_own_verdict_names_the_attribute_only_as_evidence() -> None:
    table = {"table": [row(5, "Reallocated_Sector_Ct", "2047", **NOW)]}
    found = {f.code: f for f in judged(smartctl(smart_status={"passed": False}, ata_smart_attributes=table))}
    assert "DISK-1029" not in found
    assert [r.name for r in found["DISK-1010"].evidence] == ["storage.smart.passed", "storage.ata.5.failing"]


def test_confidence_follows_the_published_rates() -> None:
    """1 - exp(-rate): 0.027, 0.236 and 1.503 failures a year of drives with 3, 40 and 2000 replaced sectors."""
    by_count = [judged(attributes(row(5, "Reallocated_Sector_Ct", str(n))))[0].confidence for n in (3, 40, 2000)]
    assert by_count == [0.03, 0.21, 0.78]


def test_a_drive_on_usb_that_does_not_answer_is_no_fault_of_the_unit() -> None:
    link = "../devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0/block/sda"
    sysfs = Tree({"/sys/block/sda": {"link": link}, "/sys/block/sda/size": "2048"})
    silent = Evidence("smartctl-no-answer", "sda", b"", "smartctl", TIME)
    (finding,) = judged(Evidence("tree", "", sysfs.encode(), "sysfs", TIME), silent)
    assert (finding.code, finding.verdict) == ("DISK-1055", Verdict.UNKNOWN)


@pytest.mark.parametrize("language", ["en", "es", "zh_Hant"])
def test_every_message_is_filled_in(language: str) -> None:
    for finding in [f for evidence, *_ in [*FAILS, *HINTS] for f in judged(evidence)]:
        text = message(finding, language)
        assert "{" not in text
        assert "sda" in text
        assert "{" not in entry(finding.code).text("advice", language)


Results = list[tuple[dict[str, str], list[Finding]]]


@pytest.fixture(scope="module")
def results(shared: Path) -> Results:
    """Every smartctl capture, with the label that its source gives and what the rules found."""
    return list(_results(shared))


def test_captured_drives_that_say_failed_get_a_critical_finding(results: Results) -> None:
    worst = [(r["path"], _worst(f)) for r, f in results if r["health_class"] == "failing"]
    missed = [path for path, severity in worst if severity != "critical"]
    assert len(worst) == 175
    # its own verdict is PASSED, and what is "failing" is a temperature attribute at 18 °C: a warning, no more
    assert missed == ["smart/linuxhw-SSD-MTFDDAK128MAR-1J1AA_90Y8649_90Y8652IBM-C2D1A84F4B04.txt"]


def test_captured_drives_without_any_sign_are_left_alone(results: Results) -> None:
    clean = [(r, f) for r, f in results if r["health_class"] == "clean" or r["label"] == "healthy"]
    assert len(clean) > 150
    assert Counter(_worst(f) for _, f in clean).keys() <= {"none", "info"}


def test_only_captured_drives_that_say_so_are_failed(results: Results) -> None:
    failed = [r for r, found in results if any(f.verdict is Verdict.FAIL for f in found)]
    assert {r["health_class"] for r in failed} == {"failing"}


def test_captured_json_with_errors_of_the_medium_gets_a_finding(results: Results) -> None:
    signs = ("media_errors=7", "187 Reported_Uncorrect", "scsi_grown_defect_list", "log summary count=2")
    erring = [(r, f) for r, f in results if any(sign in r["label_reason"] for sign in signs)]
    json_only = [(r["path"], f) for r, f in erring if r["subkind"] == "smartctl-json"]
    assert len(json_only) == 4
    assert [path for path, found in json_only if not found] == []


def _results(shared: Path) -> Iterator[tuple[dict[str, str], list[Finding]]]:
    with (shared / "corpora/INDEX.csv").open(newline="") as index:
        rows = [row for row in csv.DictReader(index) if row["path"].startswith("smart/")]
    for labelled in rows:
        if labelled["subkind"].startswith("smartctl-"):
            kind = "smartctl-json" if labelled["subkind"] == "smartctl-json" else "smartctl-text"
            data = (shared / "corpora" / labelled["path"]).read_bytes()
            yield labelled, judged(Evidence(kind, "sda", data, "smartctl", TIME))


def _worst(found: list[Finding]) -> str:
    severities = {f.severity for f in found}
    return next((s.value for s in (Severity.CRITICAL, Severity.WARNING, Severity.INFO) if s in severities), "none")
