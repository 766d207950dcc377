"""The step of the rules: one that breaks is an error, and silences no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from agent.catalogue import entry
from agent.model import ComponentKind, Finding, Outcome, Reading, Readings, Verdict
from agent.rules import Rule, rules
from agent.runner import steps
from agent.runner.engine import Engine
from agent.runner.steps import probe_step, rules_step

MISMATCH = "MEM-3908"
READING = Reading(
    "memory_test.mismatches", 3, "count", ComponentKind.MEMORY_MODULE, "", "test", "2026-01-01T00:00:00.000Z"
)


def raises(readings: Readings) -> Iterator[Finding]:
    raise ZeroDivisionError("this rule is broken")


def invents_a_code(readings: Readings) -> Iterator[Finding]:
    known = entry(MISMATCH)
    yield Finding("NONE-0000", known.component, "", known.severity, Verdict.FAIL, 0.9)


@pytest.mark.parametrize("judge", [raises, invents_a_code])
def test_a_broken_rule(judge: Callable[[Readings], Iterator[Finding]], monkeypatch: pytest.MonkeyPatch) -> None:
    everything = [Rule("broken", (MISMATCH,), judge), *rules()]
    monkeypatch.setattr("agent.rules.rules", lambda: everything)
    (result,) = Engine().run([rules_step([READING])])
    assert result.outcome is Outcome.ERROR
    assert "in rule broken" in result.trouble[0].details
    assert [f.code for f in result.findings] == [MISMATCH]


def test_nothing_wrong_is_a_pass() -> None:
    (result,) = Engine().run([rules_step([])])
    assert (result.outcome, result.findings) == (Outcome.PASS, [])


def test_an_unknown_area_or_test_is_a_key_error() -> None:
    from agent.host import Host

    with pytest.raises(KeyError):
        probe_step("nothing-like-it", Host())
    with pytest.raises(KeyError):
        steps.test_step("nothing-like-it", 5, Host())
