"""The step of the rules: one that breaks is an error, and silences no other. The step of a probe: what it gathered is
told from what it concluded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agent.catalogue import entry
from agent.host import Host
from agent.journal import Journal, read
from agent.model import ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Verdict
from agent.model.run_view import RunView
from agent.probes._probe import Probe, Seen
from agent.rules import Rule, rules
from agent.runner import steps
from agent.runner.engine import Engine
from agent.runner.recorder import Recorder
from agent.runner.steps import probe_step, rules_step
from agent.tests_hw import Bout
from agent.watch import Exercise

MISMATCH = "MEM-3908"
TIME = "2026-01-01T00:00:00.000Z"
READING = Reading("memory_test.mismatches", 3, "count", ComponentKind.MEMORY_MODULE, "", "test", TIME)


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


def test_an_unknown_area_or_test_is_a_key_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        probe_step("nothing-like-it", Host())
    with pytest.raises(KeyError):
        steps.test_step("nothing-like-it", Bout(5, 1, tmp_path), Host(), Exercise(0.0))


class Gathers(Probe):
    """A probe whose gathering gives a gap, and whose interpreting gives another."""

    area, timeout_s = "thermals", 0.5

    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        yield Evidence("tree", "", b"{}", "/sys/*", TIME)
        yield Gap("zone0", Outcome.ERROR, Text("no such hardware"))
        if self.hangs:
            time.sleep(60)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        yield Gap("zone1", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)


@pytest.mark.parametrize("hangs", [False, True])
def test_the_journal_tells_what_gathering_gave(hangs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "load", lambda area: Gathers(hangs=hangs))
    with Journal.create(tmp_path / "run") as journal:
        Engine([Recorder(journal)]).run([probe_step("thermals", Host())])
    step = RunView.from_records(read(tmp_path / "run" / "journal.jsonl")).steps["probe.thermals"]
    assert [gap.subject for gap in step.gaps] == ["zone0", "zone1"]
    assert step.gathered == (None if hangs else 1)
    assert step.outcome is (Outcome.ERROR if hangs else Outcome.UNSUPPORTED)


def test_a_settled_outcome_stays_whatever_the_step_gives() -> None:
    settled = (Outcome.SKIPPED, Text("stopped by the person"))
    step = probe_step("cpu", Host())._replace(settled=settled)
    (result,) = Engine().run([step])
    assert (result.outcome, result.reason) == settled
    assert result.readings
