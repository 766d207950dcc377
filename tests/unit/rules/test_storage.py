"""The storage rules, from what smartctl printed to the finding."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.catalogue import entry
from agent.catalogue.entry import message
from agent.model import Evidence, Finding, Reading, Readings, Severity, Tree, Verdict
from agent.probes.storage import PROBE
from agent.rules import storage as rules
from agent.rules import storage_life as life

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
    rules.scsi_heat,
    rules.media_errors,
    life.was_too_hot,
    life.worn,
    life.power_cuts,
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


def self_tests(*rows: tuple[int, int, int], **more: Any) -> Evidence:
    """Self-tests by type (1 short, 2 extended), result (7 read failure) and hours; newest first."""
    table = [
        {"type": {"value": t}, "status": {"value": r << 4, "string": "s"}, "lifetime_hours": h} for t, r, h in rows
    ]
    return attributes(ata_smart_self_test_log={"standard": {"table": table}}, **more)


def nvme_errors(number: int, kind: int, code: int) -> Evidence:
    entry = {"error_count": number, "status_field": {"status_code_type": kind, "status_code": code}}
    log = {"critical_warning": 0, "num_err_log_entries": 5, "media_errors": 0}
    return smartctl(nvme_smart_health_information_log=log, nvme_error_information_log={"table": [entry]})


def scsi(asc: int, ascq: int) -> Evidence:
    return smartctl(smart_status={"passed": False, "scsi": {"asc": asc, "ascq": ascq}})


def statistic(page: int, offset: int, value: int, **more: Any) -> Evidence:
    row = {"offset": offset, "value": value, "flags": {"valid": True}}
    return attributes(ata_device_statistics={"pages": [{"number": page, "table": [row]}]}, **more)


def crc(log: str) -> dict[str, Any]:
    return {"summary": {"count": 1, "table": [{"error_description": log}]}}


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
    (self_tests((1, 7, 100)), "DISK-1162"),
    (self_tests((1, 7, 100), (2, 0, 90), power_on_time={"hours": 8000}), "DISK-1162"),
    (self_tests((1, 7, 100), power_on_time={"hours": 0x10000 + 200}), "DISK-1162"),
    (smartctl(scsi_self_test_0={"code": {"value": 1}, "result": {"value": 5, "string": "Failed"}}), "DISK-1162"),
    (scsi(0x5D, 0x10), "DISK-1010"),
    (Evidence("smartctl-no-answer", "sda", b"", "smartctl", TIME), "DISK-1007"),
]
HINTS = [
    (attributes(row(5, "Reallocated_Sector_Ct", "0", **PAST)), "DISK-1032", "warning"),
    (attributes(row(4, "Start_Stop_Count", "300000", **WORN_NOW)), "DISK-1041", "warning"),
    (attributes(row(190, "Airflow_Temperature_Cel", "30", **PAST)), "DISK-1216", "info"),
    (attributes(row(197, "Current_Pending_Sector", "1")), "DISK-1108", "warning"),
    (attributes(row(198, "Offline_Scan_UNC_SectCt", "8")), "DISK-1108", "warning"),
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
    (nvme_errors(5, 2, 0x81), "DISK-1368", "warning"),
    (self_tests((1, 0, 101), (1, 7, 100)), "DISK-1181", "warning"),
    (self_tests((1, 7, 100), power_on_time={"hours": 9000}), "DISK-1181", "warning"),
    (scsi(0x0B, 0x01), "DISK-1313", "critical"),
    (attributes(ata_pending_defects_log={"count": 2}), "DISK-1108", "warning"),
    (smartctl(smart_status={"passed": True}, scsi_pending_defects={"count": 2}), "DISK-1108", "warning"),
    (attributes(ata_smart_error_log=crc("Error: ICRC, ABRT at LBA = 0x0")), "DISK-1170", "info"),
    (attributes(ata_smart_error_log=crc("Error: AMNF at LBA = 0x1")), "DISK-1135", "warning"),
    (statistic(6, 0x18, 4), "DISK-1170", "info"),
    (statistic(5, 0x50, 1), "DISK-1216", "info"),
    (attributes(ata_sct_status={"temperature": {"over_limit_count": 1}}), "DISK-1216", "info"),
    (attributes(ata_sct_status={"temperature": {"op_limit_max": 60, "lifetime_max": 61}}), "DISK-1216", "info"),
    (health(critical_warning=0, warning_temp_time=60), "DISK-1216", "info"),
    (health(critical_warning=0, critical_comp_time=1), "DISK-1216", "info"),
    (attributes(row(231, "SSD_Life_Left", "0", value=5), power_on_time={"hours": 20_000}), "DISK-1384", "warning"),
    (attributes(row(233, "Media_Wearout_Indicator", "0", value=0, thresh=1)), "DISK-1359", "warning"),
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
    "a failed test that an extended one outdated": self_tests((2, 0, 101), (2, 7, 100)),
    "the abort of a test, which is none": self_tests((127, 4, 100)),
    "a recommendation for the room": attributes(
        temperature={"current": 40}, ata_sct_temperature_history={"temperature": {"op_limit_max": 25}}
    ),
    "an endurance on a disk that turns": statistic(7, 8, 100, rotation_rate=5400),
    "a life that lasts": attributes(row(231, "SSD_Life_Left", "0", value=40), power_on_time={"hours": 20_000}),
    "a young drive that was set up": attributes(row(231, "SSD_Life_Left", "0", value=90), power_on_time={"hours": 100}),
    "a life attribute that nobody filled in": attributes(
        row(233, "Media_Wearout_Indicator", "8096", value=0, thresh=0)
    ),
    "a number that is no life": attributes(row(233, "Lifetime_Wts_To_Flsh_GB", "8096", value=1)),
    "minutes above the warning temperature": health(critical_warning=0, warning_temp_time=59),
    "an NVMe command that was refused": nvme_errors(5, 0, 2),
    "an NVMe log entry that is rubbish": nvme_errors(6, 2, 0x81),
    "a failure that was rehearsed": scsi(0x5D, 0xFF),
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


def test_a_count_that_no_drive_can_reach_is_hardly_believed() -> None:
    (finding,) = judged(health(critical_warning=0, media_errors=4457415897738954923835392))
    assert (finding.code, finding.confidence) == ("DISK-1368", 0.1)


def test_rates_of_hard_disks_are_not_said_of_flash() -> None:
    (finding,) = judged(attributes(row(187, "Reported_Uncorrect", "40"), rotation_rate=0))
    assert (finding.code, finding.confidence) == ("DISK-1135", 0.3)


def test_the_end_of_life_is_projected_from_the_life_so_far() -> None:
    """90 % in 9000 hours: 1000 hours are left for the other 10 %."""
    log = {"critical_warning": 0, "percentage_used": 90}
    (finding,) = judged(smartctl(nvme_smart_health_information_log=log, power_on_time={"hours": 9000}))
    assert (finding.code, dict(finding.values)) == ("DISK-1384", {"percent": 90, "hours": 1000})


def test_power_cuts_are_a_note_and_no_fault_of_the_drive() -> None:
    def cut(count: int, cycles: int) -> list[Finding]:
        log = {"critical_warning": 0, "unsafe_shutdowns": count}
        return judged(smartctl(nvme_smart_health_information_log=log, power_cycle_count=cycles))

    (finding,) = cut(60, 100)
    assert (finding.code, finding.severity.value, finding.component.value) == ("DISK-1392", "info", "chassis")
    assert cut(50, 100) == cut(49, 50) == cut(200, 100) == []


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
    worried = {r["path"]: [x.code for x in f if x.severity is not Severity.INFO] for r, f in clean}
    assert {path: codes for path, codes in worried.items() if codes} == {
        # 99 % of its life is used; the labels do not look at wear
        "smart/bsdhw-SSD-Samsung_SSD_750_EVO_120GB-F4A631083E43.txt": ["DISK-1384"],
        # 126 reported uncorrectable errors in its device statistics, which the labels do not look at either
        "smart/slcheng-SSD-ADATA_SX900-31CF60289140.txt": ["DISK-1135"],
    }


def test_only_captured_drives_that_say_so_are_failed(results: Results) -> None:
    """They call themselves failing, or their own log says that reading or a test of theirs failed."""
    failed = [(r, f) for r, f in results if any(x.verdict is Verdict.FAIL for x in f)]
    others = [(r, f) for r, f in failed if r["health_class"] != "failing"]
    assert len(failed) > 170
    assert len(others) > 10
    for labelled, found in others:
        reason = labelled["label_reason"]
        codes = {f.code for f in found if f.verdict is Verdict.FAIL}
        assert codes <= {"DISK-1119", "DISK-1162"}, labelled["path"]
        assert "DISK-1162" not in codes or "self-test log: " in reason, labelled["path"]
        assert "DISK-1119" not in codes or "Pending" in reason, labelled["path"]


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
