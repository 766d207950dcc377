"""What drives say of their own test, and what is concluded from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Verdict
from agent.rules.smart_selftest_test import failed
from agent.tests_hw import Bout
from agent.tests_hw.smart_selftest import TEST

TIME = "2026-01-02T03:04:05.678Z"
# smartctl 7.3 of a disk that has no SMART at all.
NO_SMART = """{"json_format_version":[1,0],"smartctl":{"version":[7,3],"svn_revision":"5338","platform_info":"",\
"build_info":"(local build)","argv":["smartctl","--json=c","-t","short","/dev/vda"],"messages":[{"string":\
"/dev/vda: Unable to detect device type","severity":"error"}],"exit_status":1}}
"""
LATE = Text("no answer within {seconds} s", {"seconds": 20.0})


def start(subject: str, text: str = "{}", exit_status: int | None = 0, problem: Text | None = None) -> Evidence:
    program = "nvme device-self-test" if subject.startswith("nvme") else "smartctl --json=c -t short"
    return Evidence("selftest-start", subject, text.encode(), program, TIME, exit_status, problem=problem)


def ata(value: object, exit_status: int = 0) -> list[Evidence]:
    """As smartctl has it; 0 is what the captured drives say of themselves ("completed without error")."""
    document = {"ata_smart_data": {"self_test": {"status": {"value": value}, "polling_minutes": {"short": 2}}}}
    answer = Evidence("selftest-ata-json", "sda", json.dumps(document).encode(), "smartctl -c", TIME, exit_status)
    return [start("sda"), answer]


def nvme(operation: int, *results: int, exit_status: int = 0) -> list[Evidence]:
    """The log of NVM Express Base Specification 2.0, 5.16.1.7: twenty results of 28 bytes, the newest first; the high
    half of a result's first byte is the kind of the test, 15 in its low half says that there is none.
    """
    kinds = [0x10 | r for r in results] + [0x0F] * (20 - len(results))
    data = bytes([operation, 40, 0, 0]) + b"".join(bytes([kind]) + bytes(27) for kind in kinds)
    return [start("nvme0"), Evidence("selftest-nvme", "nvme0", data, "nvme self-test-log", TIME, exit_status)]


def values(seen: list[Evidence]) -> dict[str, object]:
    found = (r for r in TEST.interpret(seen) if isinstance(r, Reading))
    return {f"{r.subject} {r.name.removeprefix('smart_selftest_test.')}": r.value for r in found}


def judged(seen: list[Evidence]) -> list[Finding]:
    return list(failed(Readings(r for r in TEST.interpret(seen) if isinstance(r, Reading))))


def only_gap(seen: list[Evidence]) -> Gap:
    (gap,) = TEST.interpret(seen)
    assert isinstance(gap, Gap)
    assert gap.essential
    return gap


def test_drives_that_pass_are_no_finding() -> None:
    seen = [*ata(0), *nvme(0, 0, 7)]
    assert values(seen) == {"sda passed": True, "sda status": 0, "nvme0 passed": True, "nvme0 status": 0}
    assert judged(seen) == []


@pytest.mark.parametrize("status", [4, 5, 6, 7, 8])
def test_an_ata_drive_that_fails_its_own_test_is_faulty(status: int) -> None:
    (finding,) = judged(ata(status << 4 | 3))
    assert (finding.code, finding.subject, finding.verdict) == ("DISK-1546", "sda", Verdict.FAIL)
    for language in LANGUAGES:
        assert "sda" in message(finding, language)


@pytest.mark.parametrize("status", [6, 7])
def test_an_nvme_drive_that_fails_its_own_test_is_faulty(status: int) -> None:
    assert [f.subject for f in judged(nvme(0, status, 0))] == ["nvme0"]


@pytest.mark.parametrize("seen", [ata(0x10), ata(0x29), ata(0x30), nvme(0, 1), nvme(0, 2), nvme(0, 5), nvme(0, 8)])
def test_a_test_that_was_stopped_says_nothing_of_the_drive(seen: list[Evidence]) -> None:
    assert only_gap(seen).outcome is Outcome.ERROR


@pytest.mark.parametrize("seen", [ata(0xF9), nvme(1, 0)])
def test_a_test_that_is_not_over_is_no_result_even_where_an_older_one_passed(seen: list[Evidence]) -> None:
    assert "not over in time" in str(only_gap(seen).reason)


@pytest.mark.parametrize(
    "seen", [ata(None), ata("0"), ata(True), ata(-1), ata(256), nvme(0), nvme(0, 0, exit_status=1)]
)
def test_an_answer_that_says_nothing_is_an_error_and_never_a_pass(seen: list[Evidence]) -> None:
    assert only_gap(seen).outcome is Outcome.ERROR


def test_a_drive_that_has_no_such_test_is_unsupported() -> None:
    gap = only_gap([start("sda", NO_SMART, 1)])
    assert (gap.subject, gap.outcome) == ("sda", Outcome.UNSUPPORTED)
    assert "Unable to detect device type" in str(gap.reason)
    refused = "NVMe status: Invalid Command Opcode: A reserved coded value or an unsupported value (0x2001)"
    assert only_gap([start("nvme0", refused, 1)]).outcome is Outcome.UNSUPPORTED


def test_a_drive_that_does_not_answer_the_order_is_an_error() -> None:
    assert only_gap([start("sda", "", -9, LATE)]).outcome is Outcome.ERROR


def test_a_program_that_is_not_there_is_unsupported_with_its_package() -> None:
    missing = Text("{program} is not installed", {"program": "smartctl"})
    gap = only_gap([start("sda", "", None, missing)])
    assert (gap.outcome, gap.remedy) == (Outcome.UNSUPPORTED, "sudo apt-get install smartmontools")


@given(st.binary(max_size=700))
def test_odd_logs_hurt_nobody(data: bytes) -> None:
    for kind in ("selftest-nvme", "selftest-ata-json"):
        (seen, *_) = TEST.interpret([start("nvme0"), Evidence(kind, "nvme0", data, "nvme", TIME, 0)])
        assert seen.to_json()


def test_whom_it_asks_and_how(tmp_path: Path) -> None:
    for disk in ("sda", "nvme0n1", "mmcblk0"):
        (tmp_path / "sys/block" / disk).mkdir(parents=True)
        (tmp_path / "sys/block" / disk / "size").write_text("131072\n")
    host = Host(str(tmp_path))
    host.is_root = True
    asked = {e.subject: e.source for e in TEST.exercise(host, Bout(130, 0, tmp_path)) if isinstance(e, Evidence)}
    assert asked["sda"] == "smartctl --json=c -t short /dev/sda"
    assert asked["nvme0"] == "nvme device-self-test /dev/nvme0 --self-test-code=1"
    assert set(asked) == {"", "sda", "nvme0"}


def test_an_ordinary_user_is_told_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "sys/block/sda").mkdir(parents=True)
    (tmp_path / "sys/block/sda/size").write_text("131072\n")
    host = Host(str(tmp_path))
    host.is_root = False
    _, gap = TEST.exercise(host, Bout(130, 1, tmp_path))
    assert isinstance(gap, Gap)
    assert gap.remedy == "sudo aiodiag test smart_selftest"
