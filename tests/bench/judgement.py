"""What a scenario's self-check is worth. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from tests.bench.scenario import Expected, Scenario


class Result(StrEnum):
    """How a scenario ended. Only ``PASSED`` is good; ``ERROR`` is the experiment's failure, or a crash of the agent."""

    PASSED = "passed"
    MISSED = "missed"
    FALSE_ALARM = "false alarm"
    WRONG_STATUS = "wrong status"
    ERROR = "error"


class Judgement(NamedTuple):
    """The result and, where it is no pass, why."""

    result: Result
    why: str = ""


Finding = Mapping[str, Any]


def judge(scenario: Scenario, findings: Sequence[Finding], status: int) -> Judgement:
    """Compare what was said with what was to be said. A miss outweighs a false alarm, and both a wrong status."""
    missed = [e for e in scenario.expected if not any(_is(e, f) for f in findings)]
    if missed:
        said = ", ".join(_words(f) for f in findings) or "nothing"
        return Judgement(Result.MISSED, f"not said: {', '.join(map(str, missed))}; said: {said}")
    alarms = [f for f in findings if _is_false_alarm(scenario, f)]
    if alarms:
        return Judgement(Result.FALSE_ALARM, ", ".join(_words(f) for f in alarms))
    wanted = _statuses(scenario, findings)
    if status not in wanted:
        return Judgement(Result.WRONG_STATUS, f"exit status {status} instead of {' or '.join(map(str, wanted))}")
    return Judgement(Result.PASSED)


def _is(expected: Expected, finding: Finding) -> bool:
    same = (finding["code"], finding["component"], finding["severity"]) == expected[:3]
    return same and expected.subject in (None, finding["subject"])


def _is_false_alarm(scenario: Scenario, finding: Finding) -> bool:
    if any(fnmatchcase(finding["code"], pattern) for pattern in scenario.never):
        return True
    if finding["severity"] == "info" or finding["code"] in scenario.tolerated:
        return False
    return not any(_is(e, finding) for e in scenario.expected)


def _statuses(scenario: Scenario, findings: Sequence[Finding]) -> tuple[int, ...]:
    """Exit statuses that fit: 1 exactly when a finding is sure of a fault; else 0 or, when something needed was not
    seen, 3.
    """
    if scenario.status is not None:
        return (scenario.status,)
    return (1,) if any(f["verdict"] == "fail" for f in findings) else (0, 3)


def _words(finding: Finding) -> str:
    return f"{finding['code']} ({finding['severity']}, {finding['subject'] or 'unit'}): {finding['message']}"
