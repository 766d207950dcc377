"""The storage probe: what it sees in sysfs and in smartctl's output, and how it asks."""

from __future__ import annotations

import base64
import csv
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, Evidence, Gap, Outcome, Reading, Tree
from agent.probes import storage
from agent.probes.storage import PROBE, _smart_json
from agent.probes.storage._drives import drives
from agent.probes.storage._facts import Attribute, decoded_raw, words
from agent.probes.storage._report import document_of
from agent.probes.storage._smart_json import json_facts
from agent.probes.storage._smart_text import text_facts
from agent.tools import Result, programs, run

SATA = "../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda"
USB = "../devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0/block/sdb"
SYSFS: dict[str, Any] = {
    "/sys/block/sda": {"link": SATA},
    "/sys/block/sda/size": "1953525168\n",
    "/sys/block/sda/removable": "0\n",
    "/sys/block/sda/queue/rotational": "1\n",
    "/sys/block/sda/device/vendor": "ATA     \n",
    "/sys/block/sda/device/model": "ST1000LM035-1RK1\n",
    "/sys/block/sda/device/rev": "LCM2\n",
    "/sys/block/sda/device/vpd_pg80": {"base64": base64.b64encode(b"\0\x80\0\x14            WL1ABCDE").decode()},
    "/sys/block/sda/device/state": "running\n",
    "/sys/block/sda/device/ioerr_cnt": "0x1f\n",
    "/sys/block/sdb": {"link": USB},
    "/sys/block/sdb/size": "61440000\n",
    "/sys/block/sdb/removable": "1\n",
    "/sys/block/sdc": {"link": USB},
    "/sys/block/sdc/size": "0\n",
    "/sys/block/sdc/removable": "1\n",
    "/sys/block/vda": {"link": "../devices/pci0000:00/0000:00:02.0/virtio1/block/vda"},
    "/sys/block/vda/size": "2048\n",
    "/sys/block/vda/queue/rotational": "1\n",
    "/sys/block/mmcblk0": {"link": "../devices/pci0000:00/0000:00:1a.0/mmc_host/mmc0/mmc0:0001/block/mmcblk0"},
    "/sys/block/mmcblk0/size": "122142720\n",
    "/sys/block/mmcblk0/device/type": "MMC\n",
    "/sys/block/mmcblk0/device/name": "DF4064\n",
    "/sys/block/mmcblk0/device/serial": "0x1234abcd\n",
    "/sys/class/nvme/nvme0": {"link": "../../devices/pci0000:00/0000:00:1d.0/0000:02:00.0/nvme/nvme0"},
    "/sys/class/nvme/nvme0/model": "Micron_2210_MTFDHBA512QFD               \n",
    "/sys/class/nvme/nvme0/serial": "20102625A0C1        \n",
    "/sys/class/nvme/nvme0/firmware_rev": "P8MA000 \n",
    "/sys/class/nvme/nvme0/state": "live\n",
    "/sys/class/nvme/nvme0/transport": "pcie\n",
    "/sys/class/nvme/nvme0/nvme0c0n1/size": "1000215216\n",
    "/sys/class/nvme/nvme1/state": "live\n",
    "/sys/class/nvme/nvme1/transport": "tcp\n",
}


def tree(files: dict[str, Any]) -> Evidence:
    return Evidence("tree", "", Tree(files).encode(), "sysfs", "2026-01-02T03:04:05Z")


def told(document: Any, subject: str = "sda", kind: str = "smartctl-json") -> Evidence:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Evidence(kind, subject, data, "smartctl", "2026-01-02T03:04:05Z", exit_status=0)


def readings(seen: Iterable[object], subject: str) -> dict[str, Any]:
    return {s.name: s.value for s in seen if isinstance(s, Reading) and s.subject == subject}


def gaps(seen: Iterable[object]) -> list[Gap]:
    return [s for s in seen if isinstance(s, Gap)]


class TestDrives:
    def test_every_drive_and_nothing_else(self) -> None:
        found = {d.name: d for d in drives(Tree(SYSFS))}
        assert {name: d.transport for name, d in found.items()} == {
            "sda": "sata",
            "sdb": "usb",
            "vda": "virtio",
            "mmcblk0": "mmc",
            "nvme0": "nvme",
        }
        assert [name for name, d in found.items() if d.smart] == ["sda", "nvme0"]
        assert [name for name, d in found.items() if not d.internal] == ["sdb"]

    def test_identity_from_the_kernel_alone(self) -> None:
        found = {d.name: d for d in drives(Tree(SYSFS))}
        sda, nvme = found["sda"], found["nvme0"]
        assert (sda.model, sda.serial, sda.firmware, sda.size) == (
            "ST1000LM035-1RK1",
            "WL1ABCDE",
            "LCM2",
            1000204886016,
        )
        assert (sda.rotational, sda.io_errors, sda.location) == (True, 31, "0000:00:17.0 ata1")
        assert (nvme.model, nvme.serial, nvme.size) == ("Micron_2210_MTFDHBA512QFD", "20102625A0C1", 512110190592)
        assert nvme.path == "/dev/nvme0"
        assert nvme.location == "0000:02:00.0"

    def test_a_virtual_disk_does_not_say_that_it_rotates(self) -> None:
        assert drives(Tree(SYSFS))[1].name == "sdb"
        assert {d.name: d.rotational for d in drives(Tree(SYSFS))}["vda"] is None


class FilesElsewhere(Host):
    """The files of another machine, the programs of this one."""

    def run(self, program: str, *args: str, timeout_s: float) -> Result:
        return run(program, args, timeout_s=timeout_s)


class TestGather:
    """With a program in smartctl's place that is really started: it notes how it was asked, and answers or hangs."""

    @pytest.fixture
    def host(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
        root = tmp_path / "root"
        for path, content in SYSFS.items():
            file = root / path[1:]
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                file.write_text(content)
        answer = tmp_path / "answer.json"
        answer.write_text(json.dumps({"model_name": "ST1000LM035-1RK172", "smart_status": {"passed": True}}))
        script = tmp_path / "smartctl"
        script.write_text(
            f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncase "$*" in *nvme0*) sleep 60;; esac\ncat {answer}\n'
        )
        script.chmod(0o755)
        monkeypatch.setitem(programs.PROGRAMS, "smartctl", programs.Program((str(script),), "smartmontools", "test"))
        monkeypatch.setattr(storage, "_ANSWER_S", 0.5)
        host = FilesElsewhere(str(root))
        host.is_root = True
        return host

    def test_one_question_to_each_drive_and_the_silent_one_delays_nobody(self, host: Host, tmp_path: Path) -> None:
        gathered = list(PROBE.gather(host))
        asked = sorted((tmp_path / "asked").read_text().splitlines())
        assert asked == ["--json=oc -x -f old /dev/nvme0", "--json=oc -x -f old /dev/sda"]
        kinds = [(e.kind, e.subject) for e in gathered if isinstance(e, Evidence)]
        assert kinds == [("tree", ""), ("smartctl-json", "sda"), ("smartctl-no-answer", "nvme0")]

        seen = list(PROBE.interpret([e for e in gathered if isinstance(e, Evidence)]))
        assert readings(seen, "sda")["storage.smart.passed"] is True
        assert readings(seen, "sda")["storage.responds"] is True
        assert readings(seen, "nvme0")["storage.responds"] is False
        (gap,) = [g for g in gaps(seen) if g.subject == "nvme0"]
        assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)

    def test_without_smartctl_the_inventory_stays(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        missing = programs.Program(("/nonexistent/smartctl",), "smartmontools", "test")
        monkeypatch.setitem(programs.PROGRAMS, "smartctl", missing)
        gathered = list(PROBE.gather(host))
        told_why = {g.subject: g for g in gaps(gathered)}
        assert set(told_why) == {"sda", "nvme0"}
        assert told_why["sda"].remedy == "sudo apt-get install smartmontools"
        assert told_why["sda"].outcome is Outcome.UNSUPPORTED
        assert told_why["sda"].essential
        seen = list(PROBE.interpret([e for e in gathered if isinstance(e, Evidence)]))
        assert "ST1000LM035-1RK1" in [c.model for c in seen if isinstance(c, Component)]
        assert "storage.responds" not in readings(seen, "sda")

    def test_an_ordinary_user_is_told_what_is_missing(self, host: Host, tmp_path: Path) -> None:
        host.is_root = False
        gathered = list(PROBE.gather(host))
        assert {(g.subject, str(g.reason), g.remedy) for g in gaps(gathered)} == {
            ("sda", "needs root", "sudo aiodiag probe storage"),
            ("nvme0", "needs root", "sudo aiodiag probe storage"),
        }
        assert not (tmp_path / "asked").exists()


class TestInterpret:
    def test_no_evidence_is_no_pass(self) -> None:
        (gap,) = PROBE.interpret([])
        assert isinstance(gap, Gap)
        assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)

    def test_no_drive_is_no_pass(self) -> None:
        (gap,) = PROBE.interpret([tree({})])
        assert isinstance(gap, Gap)
        assert (gap.outcome, gap.essential, str(gap.reason)) == (Outcome.UNSUPPORTED, True, "no such hardware")

    def test_a_virtual_disk_is_inventory_and_an_essential_gap(self) -> None:
        vda = {path: value for path, value in SYSFS.items() if "vda" in path}
        component, *rest = PROBE.interpret([tree(vda)])
        assert isinstance(component, Component)
        assert component.description == "0 GB VIRTIO"
        assert readings(rest, "vda")["storage.size"] == 1048576
        assert [(str(g.reason), g.essential) for g in gaps(rest)] == [("the drive reports no health data", True)]

    def test_a_virtual_disk_beside_a_real_drive_is_not_needed(self) -> None:
        (gap,) = [g for g in gaps(PROBE.interpret([tree(SYSFS)])) if g.subject == "vda"]
        assert not gap.essential

    @pytest.mark.parametrize(
        ("message", "reason", "outcome", "responds"),
        [
            ("Smartctl open device: /dev/sda failed: Permission denied", "needs root", "unsupported", None),
            ("Smartctl open device: /dev/sda failed: No such device", "smartctl failed: ", "error", None),
            ("/dev/sda: Unable to detect device type", "the drive reports no health data", "unsupported", None),
            ("/dev/sda: Unknown USB bridge [0x0bda:0x9210]", "the drive reports no health data", "unsupported", None),
            (
                "Read Device Identity failed: Input/output error",
                "the drive does not answer",
                "error",
                False,
            ),
        ],
    )
    def test_why_the_health_is_unknown(self, message: str, reason: str, outcome: str, responds: bool | None) -> None:
        document = {"smartctl": {"exit_status": 2, "messages": [{"string": message, "severity": "error"}]}}
        seen = list(PROBE.interpret([told(document)]))
        (gap,) = gaps(seen)
        assert str(gap.reason).startswith(reason)
        assert (gap.outcome.value, gap.essential) == (outcome, True)
        assert readings(seen, "sda").get("storage.responds") is responds

    def test_a_drive_that_the_kernel_gave_up_does_not_respond(self) -> None:
        dead = SYSFS | {"/sys/class/nvme/nvme0/state": "dead\n"}
        assert readings(PROBE.interpret([tree(dead)]), "nvme0")["storage.responds"] is False

    def test_half_an_answer_is_an_error_and_never_silence(self) -> None:
        (gap,) = gaps(PROBE.interpret([told(b'{"model_name": "ST1000LM')]))
        assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)

    def test_the_health_of_a_stick_is_not_needed(self) -> None:
        usb = {path: value for path, value in SYSFS.items() if "sdb" in path}
        assert [g.essential for g in gaps(PROBE.interpret([tree(usb)]))] == [False]


@pytest.mark.parametrize(
    ("number", "string", "value", "count"),
    [
        (194, "38 (Min/Max 20/45)", 193275494438, 38),
        (190, "39 (0 15 40 38 0)", 0, 39),
        (9, "1234h+05m+06.789s", 0, 1234),
        (9, "12345 (89 101 0)", 0, 12345),
        (5, "8 (0 1)", 65544, 8),
        (188, "1 4 7", 4295229447, 7),
        (188, "8590065666", 8590065666, 2),
        (188, "672", 672, 672),
        (187, "73014444032", 73014444032, 0),
        (195, "0/12345", 0, 0),
        (241, "110 TB", 0, 110),
        (1, "0x0123", 0, None),
        (197, "", 3, 3),
        (197, "", None, None),
        (194, "-5 (Min/Max -9/30)", 0, -5),
    ],
)
def test_raw_values_as_their_makers_meant_them(number: int, string: str, value: int | None, count: int | None) -> None:
    assert decoded_raw(number, string, value) == count


def test_blanked_serial_numbers_are_none() -> None:
    assert words("--") == ""
    assert words(" WD-12 34\x00 ") == "WD-12 34"


OLD_TEXT = """smartctl 7.3 2022-02-28 r5338 [x86_64-linux-6.1.0] (local build)
Copyright (C) 2002-22, Bruce Allen, Christian Franke, www.smartmontools.org

=== START OF INFORMATION SECTION ===
Model Family:     Seagate Mobile HDD
Device Model:     ST1000LM035-1RK172
Serial Number:    WL1 ABCDE
Firmware Version: LCM2
User Capacity:    1,000,204,886,016 bytes [1.00 TB]
Rotation Rate:    5400 rpm

=== START OF READ SMART DATA SECTION ===
SMART overall-health self-assessment test result: PASSED

SMART Attributes Data Structure revision number: 10
Vendor Specific SMART Attributes with Thresholds:
ID# ATTRIBUTE_NAME          FLAG     VALUE WORST THRESH TYPE      UPDATED  WHEN_FAILED RAW_VALUE
  5 Reallocated_Sector_Ct   0x0033   100   100   036    Pre-fail  Always       -       3
  9 Power_On_Hours          0x0032   099   099   000    Old_age   Always       -       876 (12 34 0)
190 Airflow_Temperature_Cel 0x0022   044   044   045    Old_age   Always   FAILING_NOW 56 (Min/Max 20/56)
"""
BRIEF_TEXT = OLD_TEXT.replace(
    "0x0033   100   100   036    Pre-fail  Always       -   ", "PO--CK   100   100   036    -"
).replace("0x0022   044   044   045    Old_age   Always   FAILING_NOW", "-O---K   044   044   045    NOW")


class TestText:
    @pytest.mark.parametrize("text", [OLD_TEXT, BRIEF_TEXT], ids=["old", "brief"])
    def test_both_formats_of_the_attribute_table(self, text: str) -> None:
        facts = text_facts(text.splitlines())
        assert (facts.model, facts.family, facts.firmware) == ("ST1000LM035-1RK172", "Seagate Mobile HDD", "LCM2")
        assert (facts.size, facts.rotation_rate, facts.power_on_hours, facts.temperature) == (
            1000204886016,
            5400,
            876,
            56,
        )
        reallocated, airflow = facts.attributes[5], facts.attributes[190]
        assert (reallocated.raw, reallocated.threshold, reallocated.prefailure, reallocated.failing) == (
            3,
            36,
            True,
            "",
        )
        assert (airflow.prefailure, airflow.failing) == (False, "now")

    def test_a_warm_attribute_is_not_the_drives_verdict(self) -> None:
        assert text_facts(OLD_TEXT.splitlines()).passed is True

    def test_without_its_first_lines(self) -> None:
        headless = OLD_TEXT.splitlines()[3:]
        assert text_facts(headless).model == "ST1000LM035-1RK172"

    def test_what_pysmart_cannot_read_leaves_the_json(self) -> None:
        broken = OLD_TEXT.replace("User Capacity:    1,000,204,886,016 bytes", "User Capacity:    , bytes")
        assert text_facts(broken.splitlines()).model == ""
        document = {"smartctl": {"output": broken.splitlines()}, "model_name": "X1", "smart_status": {"passed": True}}
        seen = readings(PROBE.interpret([told(document)]), "sda")
        assert seen["storage.smart.passed"] is True

    def test_the_json_wins_where_both_know(self) -> None:
        document = {"smartctl": {"output": OLD_TEXT.splitlines()}, "serial_number": "WL1 ABCDE"}
        (component,) = [s for s in PROBE.interpret([told(document)]) if isinstance(s, Component)]
        assert (component.serial, component.model) == ("WL1 ABCDE", "ST1000LM035-1RK172")

    def test_importing_pysmart_leaves_the_process_as_it_was(self) -> None:
        """In a process of its own, where it was not imported before."""
        code = (
            "import logging, os, sys\n"
            "from agent.probes.storage._smart_text import text_facts\n"
            "assert 'pySMART' not in sys.modules\n"
            "before = os.environ['LANG'], logging.getLoggerClass()\n"
            "text_facts(['=== START OF INFORMATION SECTION ===', 'Device Model: X'])\n"
            "assert 'pySMART' in sys.modules\n"
            "assert before == (os.environ['LANG'], logging.getLoggerClass())\n"
        )
        environment = {**os.environ, "LANG": "es_ES.UTF-8", "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        assert done.returncode == 0
        assert logging.getLoggerClass() is logging.Logger


class TestJson:
    def test_self_tests_newest_first_and_what_an_extended_pass_outdates(self) -> None:
        def test(kind: int, status: int, hours: int, lba: int | None = None) -> dict[str, Any]:
            row: dict[str, Any] = {"type": {"value": kind}, "status": {"value": status, "string": f"s{status}"}}
            return row | {"lifetime_hours": hours} | ({} if lba is None else {"lba": lba})

        def facts(*table: dict[str, Any]) -> Any:
            return json_facts({"ata_smart_self_test_log": {"standard": {"table": list(table)}}})

        aborted, short_pass, read_failure = test(1, 25, 12), test(1, 0, 11), test(2, 121, 10, 4711)
        still = facts(aborted, short_pass, read_failure)
        assert (still.selftest_last_passed, still.selftest_last_hours) == (True, 11)
        assert (still.selftest_failures, still.selftest_failure_lba, still.selftest_failure) == (1, 4711, "s121")
        outdated = facts(test(2, 0, 13), read_failure)
        assert (outdated.selftest_failures, outdated.selftest_failure) == (0, None)
        only_aborted = facts(aborted)
        assert (only_aborted.selftest_last_passed, only_aborted.selftest_failures) == (None, 0)

    def test_nvme_self_tests(self) -> None:
        failed = {"self_test_code": {"value": 1}, "self_test_result": {"value": 7, "string": "failed segments"}}
        facts = json_facts({"nvme_self_test_log": {"table": [failed | {"power_on_hours": 5}]}})
        assert (facts.selftest_last_passed, facts.selftest_failures, facts.selftest_failure_hours) == (False, 1, 5)

    def test_the_error_log_tells_medium_from_interface_from_harmless(self) -> None:
        rows = [
            {"lifetime_hours": 7, "error_description": "Error: UNC at LBA = 0x0071bde0 = 7454176"},
            {"lifetime_hours": 9, "error_description": "Error: ICRC, ABRT 24 sectors at LBA = 0x0 = 0"},
            {"lifetime_hours": 9, "error_description": "Error: ABRT"},
            {"lifetime_hours": 9},
        ]
        facts = json_facts({"ata_smart_error_log": {"extended": {"count": 98, "table": rows}}})
        assert (facts.error_log_count, facts.error_log_media, facts.error_log_interface) == (98, 1, 1)
        assert facts.error_log_media_hours == 7

    def test_absurd_temperatures_are_no_readings(self) -> None:
        assert json_facts({"temperature": {"current": 65261}}).temperature is None
        assert json_facts({"temperature": {"current": -128, "op_limit_max": 0}}).temperature_limit is None


class TestCaptures:
    def test_every_capture_is_understood_or_named_as_a_gap(self, shared: Path) -> None:
        captures = _captures(shared)
        assert len(captures) > 400
        for path, kind in captures:
            seen = list(PROBE.interpret([told(path.read_bytes(), kind=kind)]))
            assert _round_trips(seen), path.name
            healthy = readings(seen, "sda").keys() & {
                "storage.smart.passed",
                "storage.nvme.critical_warning",
                "storage.ata.9.raw",
            }
            assert healthy or gaps(seen), path.name

    def test_pysmart_reads_its_own_examples_as_it_says(self, shared: Path) -> None:
        """Cutting the output down to what pySMART is asked for changes none of its answers."""
        compared = 0
        for expected_file in sorted((shared / "corpora/smart/py-SMART/singletests").glob("*/device.json")):
            expected = json.loads(expected_file.read_text())["values"]
            for text_file in expected_file.parent.glob("*_--all_*"):
                facts = text_facts(text_file.read_text("utf-8", "replace").splitlines())
                if facts.critical_warning is not None:
                    log = expected["if_attributes"]
                    assert (facts.model, facts.serial) == (expected["model"], expected["serial"])
                    assert (facts.media_errors, facts.available_spare) == (
                        log["integrityErrors"],
                        log["availableSpare"],
                    )
                    compared += 1
        assert compared >= 5


def _captures(shared: Path) -> list[tuple[Path, str]]:
    corpora = shared / "corpora"
    with (corpora / "INDEX.csv").open(newline="") as index:
        rows = [row for row in csv.DictReader(index) if row["path"].startswith("smart/")]
    return [
        (corpora / row["path"], "smartctl-json" if row["subkind"] == "smartctl-json" else "smartctl-text")
        for row in rows
        if row["subkind"] == "smartctl-json" or row["subkind"].startswith("smartctl-text")
    ]


def _round_trips(seen: Iterable[Any]) -> bool:
    return all(type(s).from_json(json.loads(json.dumps(s.to_json()))) == s for s in seen)


def columns_of_one_blank(text: str) -> str:
    """As a page shows it that does not keep blanks."""
    return "\n".join(re.sub(" +", " ", line).strip(" ") for line in text.split("\n"))


class TestReport:
    """smartctl's text, as its source prints it (smartmontools ataprint.cpp, nvmeprint.cpp, scsiprint.cpp)."""

    def test_the_attribute_table_in_every_format(self) -> None:
        old = json_facts(document_of(OLD_TEXT.splitlines())).attributes
        assert old[190] == Attribute(190, "Airflow_Temperature_Cel", 44, 44, 45, "now", False, 56)
        assert (old[5].prefailure, old[9].raw) == (True, 876)
        in_hex = OLD_TEXT.replace("\n190 ", "\n0xbe ").replace("   044   044   045 ", "  0x2c  0x2c  0x2d ")
        oldest = re.sub(" (?:Always|Offline) +", " ", OLD_TEXT)
        for text in (BRIEF_TEXT, in_hex, OLD_TEXT.replace("\n", "\r\n"), oldest, columns_of_one_blank(OLD_TEXT)):
            assert json_facts(document_of(text.splitlines())).attributes == old

    @pytest.mark.parametrize("shape", [str, columns_of_one_blank])
    def test_logs_of_ata(self, shape: Callable[[str], str]) -> None:
        facts = json_facts(
            document_of(
                shape("""\
SMART Extended Comprehensive Error Log Version: 1 (64 sectors)
Device Error Count: 21240 (device log contains only the most recent 256 errors)
Error 21240 [247] occurred at disk power-on lifetime: 6674 hours (278 days + 2 hours)
  ER -- ST COUNT  LBA_48  LH LM LL DV DC
  40 -- 51 00 00 00 00 0c 79 6b b8 ec 00  Error: UNC at LBA = 0x0c796bb8 = 209284024
Error 21239 [246] occurred at disk power-on lifetime: 6600 hours (275 days + 0 hours)
  84 51 18 1b 4e 00 e0  Error: ICRC, ABRT 24 sectors at LBA = 0x00004e1b = 19995

SMART Extended Self-test Log Version: 1 (1 sectors)
Num  Test_Description    Status                  Remaining  LifeTime(hours)  LBA_of_first_error
# 1  Short offline       Self-test routine in progress 10%      6650         -
# 2  Selective offline   Completed: read failure       90%      6648         84917432
# 3  Extended offline    Completed: servo/seek failure 40%      6000         -
#21  Extended offline    Completed without error       00%       476         -

Lifetime    Min/Max Temperature:    -17/74 Celsius
Under/Over Temperature Limit Count:   0/2
Min/Max recommended Temperature:      0/60 Celsius

0x04  0x008  4           19523  ---  Number of Reported Uncorrectable Errors
0x05  0x050  4               3  ---  Time in Over-Temperature
0x06  0x018  4               -  ---  Number of Interface CRC Errors
  7  0x008  1               12~ Percentage Used Endurance Indicator

Pending Defects log (GP Log 0x0c)
Index                LBA    Hours
    0           10000000     6000
    1           10000001        -

0x0001  4            2  Command failed due to ICRC error
0x000a  2       65535+  Device-to-host register FISes sent due to a COMRESET
""").splitlines()
            )
        )
        assert (facts.error_log_count, facts.error_log_media, facts.error_log_interface) == (21240, 1, 1)
        assert facts.error_log_media_hours == 6674
        assert (facts.selftest_count, facts.selftest_failures, facts.selftest_last_passed) == (4, 2, False)
        assert (facts.selftest_failure, facts.selftest_failure_lba) == ("Completed: read failure", 84917432)
        assert (facts.temperature_max, facts.temperature_over, facts.temperature_limit) == (74, 2, 60)
        assert (facts.reported_uncorrectable, facts.temperature_over_s, facts.interface_crc) == (19523, 180, None)
        assert (facts.percentage_used, facts.pending_defects) == (12, 2)
        assert (facts.phy_crc, facts.phy_resets) == (2, 65535)

    @pytest.mark.parametrize("shape", [str, columns_of_one_blank])
    def test_logs_of_nvme_in_any_locale(self, shape: Callable[[str], str]) -> None:
        facts = json_facts(
            document_of(
                shape("""\
Model Number:                       X 1
Total NVM Capacity:                 512.110.190.592 [512 GB]
Warning  Comp. Temp. Threshold:     82 Celsius
SMART/Health Information (NVMe Log 0x02)
Critical Warning:                   0x05
Temperature:                        -4 Celsius
Available Spare:                    3%
Percentage Used:                    114%
Host Read Commands:                 1.006.400.099
Power On Hours:                     5\ufffd231
Unsafe Shutdowns:                   1\u202f008
Media and Data Integrity Errors:    2,700,560
Error Information Log Entries:      3 096
Warning  Comp. Temperature Time:    2

Error Information (NVMe Log 0x01, 16 of 64 entries)
Num   ErrCount  SQId   CmdId  Status  PELoc          LBA  NSID    VS  Message
  0       3096     1  0x1010  0x4004      -            0     1     -  Invalid Field in Command
  1       3095     4  0x0010  0xc502  0x000         4711     1     -  Unrecovered Read Error
  2 9999999999     4  0x0010  0xc502  0x000         4711     1     -

Self-test Log (NVMe Log 0x06)
Num  Test_Description  Status                       Power_on_Hours  Failing_LBA  NSID Seg SCT Code
 0   Short             Aborted: Controller Reset               990            -     -   -   -    -
 1   Extended          Completed: failed segments              987         4711     1   2   -    -
""").splitlines()
            )
        )
        assert (facts.size, facts.temperature_limit, facts.critical_warning) == (512110190592, 82, 5)
        assert (facts.temperature, facts.available_spare, facts.percentage_used) == (-4, 3, 114)
        assert (facts.power_on_hours, facts.unsafe_shutdowns, facts.media_errors) == (5231, 1008, 2700560)
        assert (facts.nvme_error_entries, facts.nvme_error_media, facts.warning_temp_s) == (3096, 1, 120)
        assert (facts.selftest_failures, facts.selftest_failure_hours, facts.selftest_failure_lba) == (1, 987, 4711)
        assert facts.rotational is False

    @pytest.mark.parametrize("shape", [str, columns_of_one_blank])
    def test_logs_of_scsi(self, shape: Callable[[str], str]) -> None:
        facts = json_facts(
            document_of(
                shape("""\
Vendor:               HGST
Product:              HUS726040AL5210
User Capacity:        7 681 501 126 656 bytes [7,68 TB]
Rotation Rate:        7200 rpm
SMART Health Status: FAILURE PREDICTION THRESHOLD EXCEEDED [asc=5d, ascq=10]
Current Drive Temperature:     40 C
Drive Trip Temperature:        85 C
Accumulated power on time, hours:minutes 146:02 [8762 minutes]
Elements in grown defect list: 7
read:          0        8         0         8      60614      16772,475           3
write:         0      211         0       211     233430     574543.134           1
  Pending defect count:2 Pending Defects
SMART Self-test log
# 1  Background short  Failed in segment -->       7     302           4711 [0x3 0x11 0x0]
# 2  Background long   Completed                   -     300                 - [-   -    -]
""").splitlines()
            )
        )
        assert (facts.model, facts.size, facts.rotational) == ("HGST HUS726040AL5210", 7681501126656, True)
        assert (facts.passed, facts.scsi_sense, facts.temperature, facts.temperature_limit) == (False, "5d/10", 40, 85)
        assert (facts.power_on_hours, facts.grown_defects, facts.scsi_uncorrected) == (146, 7, 4)
        assert (facts.scsi_pending, facts.selftest_failures, facts.selftest_failure_hours) == (2, 1, 302)

    def test_self_tests_in_the_words_of_the_first_versions(self) -> None:
        rows = """\
# 1  Abort off-line test Completed                     00%       812         -
# 2  Short off-line      Test in progress              40%       810         -
# 3  Extended off-line   Completed: read failure       60%       700         0x0001f807
# 4  Extended off-line   Completed                     00%       500         -
# 5  Short off-line      Completed: unknown failure    90%       400         -
"""
        facts = json_facts(document_of(rows.splitlines()))
        assert (facts.selftest_last_passed, facts.selftest_failures, facts.selftest_failure_lba) == (False, 1, 129031)

        scsi = """\
SMART Self-test log
# 1  Background short  Interrupted ('-X' switch)   -     320                 - [-   -    -]
# 2  Background long   Completed                   -     300                 - [-   -    -]
"""
        facts = json_facts(document_of(scsi.splitlines()))
        assert (facts.selftest_count, facts.selftest_last_passed, facts.selftest_last_hours) == (2, True, 300)

    def test_a_reader_of_others_agrees(self, shared: Path) -> None:
        """pySMART, over all captures: the attribute table and NVMe's health log to the last value."""
        compared = 0
        same = ("size", "rotational", "passed", "power_on_hours", "power_cycles", "critical_warning", "available_spare")
        for path, kind in _captures(shared):
            if kind == "smartctl-text":
                lines = path.read_text("utf-8", "replace").splitlines()
                theirs, ours = text_facts(lines), json_facts(document_of(lines))
                if theirs.identified:
                    assert ours.attributes == theirs.attributes, path.name
                    known = [name for name in same if getattr(theirs, name) is not None]
                    assert [(n, getattr(ours, n)) for n in known] == [(n, getattr(theirs, n)) for n in known], path.name
                    compared += bool(theirs.attributes) or theirs.critical_warning is not None
        assert compared > 400

    @settings(max_examples=100)
    @given(st.lists(st.sampled_from(OLD_TEXT.splitlines()) | st.text(max_size=80), max_size=40))
    def test_no_line_breaks_it(self, lines: list[str]) -> None:
        json.dumps(document_of(lines))


KEYS = st.sampled_from(sorted(set(re.findall(r'"([a-z_]+)"', Path(_smart_json.__file__).read_text()))))
"""Every key that the reader of the JSON looks for."""
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(OLD_TEXT.splitlines()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)
FILES = st.dictionaries(st.sampled_from(sorted(SYSFS)), st.text(max_size=30) | VALUES, max_size=12)
KINDS = st.sampled_from(["tree", "smartctl-json", "smartctl-text", "smartctl-no-answer", "something"])


class TestNothingIsTrusted:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(KINDS, st.sampled_from(["", "sda", "nvme0"]), st.binary(max_size=200)), max_size=4))
    def test_bytes(self, pieces: list[tuple[str, str, bytes]]) -> None:
        assert _round_trips(PROBE.interpret([told(data, subject, kind) for kind, subject, data in pieces]))

    @settings(max_examples=60, deadline=None)
    @given(FILES, st.dictionaries(KEYS, VALUES, max_size=8))
    def test_documents(self, files: dict[str, Any], document: dict[str, Any]) -> None:
        assert _round_trips(PROBE.interpret([tree(files), told(document)]))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.sampled_from(OLD_TEXT.splitlines()) | st.text(max_size=80), max_size=40))
    def test_lines(self, lines: list[str]) -> None:
        assert _round_trips(PROBE.interpret([told("\n".join(lines).encode(), kind="smartctl-text")]))

    def test_lines_made_to_be_slow(self) -> None:
        slow = [
            "=== START OF INFORMATION SECTION ===",
            "User Capacity:" + " 1" * 100_000,
            "Self-test log",
            " 1" * 100_000,
        ]
        assert text_facts(slow * 2000).model == ""
