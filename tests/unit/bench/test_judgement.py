"""What a scenario's self-check is worth: misses and false alarms count alike, and nothing passes by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.judgement import Result, judge
from tests.bench.scenario import Expected, Scenario

DISK = Expected("DISK-1321", "storage-device", "critical", "nvme0")


def scenario(**changes: Any) -> Scenario:
    plain = Scenario(
        name="x",
        fault="x",
        run=lambda _aio, _check: None,
        marks=(),
        customer="",
        symptom=None,
        plan="quick",
        tests=(),
        seconds=20.0,
        language="en",
        expected=(),
        tolerated=(),
        never=(),
        status=None,
        personality="aio-24",
        changes={},
        cold=False,
        limit_s=1.0,
    )
    return plain._replace(**changes)


def said(
    code: str = "DISK-1321",
    component: str = "storage-device",
    severity: str = "critical",
    subject: str = "nvme0",
    verdict: str = "fail",
) -> dict[str, Any]:
    given = {"code": code, "component": component, "severity": severity, "subject": subject, "verdict": verdict}
    return {**given, "message": "..."}


def test_what_was_expected_and_nothing_else_passes() -> None:
    assert judge(scenario(expected=(DISK,)), [said()], 1).result is Result.PASSED
    assert judge(scenario(), [], 0).result is Result.PASSED
    assert judge(scenario(), [], 3).result is Result.PASSED


@pytest.mark.parametrize(
    "finding", [said("DISK-1010"), said(component="fan"), said(severity="warning"), said(subject="nvme1")]
)
def test_another_code_component_severity_or_subject_is_a_miss(finding: dict[str, Any]) -> None:
    judgement = judge(scenario(expected=(DISK,)), [finding], 1)
    assert judgement.result is Result.MISSED
    assert "DISK-1321" in judgement.why


def test_any_subject_will_do_where_none_is_named() -> None:
    assert judge(scenario(expected=(DISK._replace(subject=None),)), [said(subject="nvme1")], 1).result is Result.PASSED


@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_what_nobody_expected_is_a_false_alarm(severity: str) -> None:
    more = said("MEM-3008", "memory-module", severity, "")
    assert judge(scenario(expected=(DISK,)), [said(), more], 1).result is Result.FALSE_ALARM
    assert judge(scenario(), [more], 1).result is Result.FALSE_ALARM


def test_a_note_or_a_named_consequence_is_none_unless_it_must_never_be_said() -> None:
    note, consequence = said("FW-8005", severity="info"), said("LOG-8413", severity="warning")
    wanted = scenario(expected=(DISK,), tolerated=("LOG-8413",))
    assert judge(wanted, [said(), note, consequence], 1).result is Result.PASSED
    assert judge(wanted._replace(never=("FW-*",)), [said(), note], 1).result is Result.FALSE_ALARM


def test_a_miss_outweighs_a_false_alarm() -> None:
    assert judge(scenario(expected=(DISK,)), [said("MEM-3008")], 1).result is Result.MISSED


def test_the_exit_status_must_fit_what_was_found() -> None:
    sure, hint = said(), said("LOG-8413", severity="warning", verdict="unknown")
    assert judge(scenario(expected=(DISK,)), [sure], 0).result is Result.WRONG_STATUS
    assert judge(scenario(tolerated=("LOG-8413",)), [hint], 1).result is Result.WRONG_STATUS
    assert judge(scenario(status=0), [], 3).result is Result.WRONG_STATUS
    assert judge(scenario(status=3), [], 3).result is Result.PASSED
