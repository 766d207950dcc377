"""What a machine that lost its power has to show for it: nothing told that is not on record, no run without its end."""

from __future__ import annotations

from io import StringIO

import pytest

from agent.cli.progress import Lines
from agent.model import Outcome, Text
from agent.model.run_view import RunView, StepView
from agent.runner.step import Step, StepResult
from tests.bench.kills import lines_of_progress, lost_lines, unfinished

NOW = "2026-11-26T14:22:33.123Z"
PROBES = {"probe.panel": Outcome.PASS, "probe.camera": Outcome.UNSUPPORTED}


def view(steps: dict[str, Outcome | None], *, ended: bool = True, complete: bool = False) -> RunView:
    reason = Text("the unit went down")
    made = {
        name: StepView(name, NOW, outcome, reason if outcome is Outcome.INTERRUPTED else None)
        for name, outcome in steps.items()
    }
    return RunView(steps=made, ended=NOW if ended else None, complete=complete)


def lines(steps: dict[str, Outcome]) -> list[str]:
    """As the agent prints them."""
    out = StringIO()
    for name, outcome in steps.items():
        Lines("en", out).ended(Step(name, lambda _: None, 1.0), StepResult(name, outcome=outcome, duration_s=0.25))
    return out.getvalue().splitlines()


def test_what_is_on_record_is_not_lost() -> None:
    assert lost_lines(lines(PROBES), view({**PROBES, "probe.usb": None})) == []


def test_a_console_says_other_things_too_and_may_end_in_the_middle() -> None:
    told = lines(PROBES)
    console = f"Debian GNU/Linux 12 aio ttyS0\r\n\r\naio login: {told[0]}\r\n{told[1]}\r\n{told[0][:-1]}"
    assert lines_of_progress(console) == told


@pytest.mark.parametrize("name", PROBES)
def test_a_step_whose_end_was_told_is_on_record_as_ended(name: str) -> None:
    told = lines({name: PROBES[name]})
    assert lost_lines(told, view({**PROBES, name: None})) == told
    assert lost_lines(told, view({**PROBES, name: Outcome.INTERRUPTED})) == told


def test_a_step_that_was_told_of_twice_is_on_record_twice() -> None:
    once = {"probe.panel": Outcome.PASS}
    twice = lines(once) * 2
    assert lost_lines(twice, view(dict(once))) == twice[1:]
    assert lost_lines(twice, view({**once, "2.probe.panel": Outcome.PASS})) == []


def test_a_round_that_was_told_of_is_on_record() -> None:
    told = ["round 1 (warm, 0.3 min, 61 °C, load 99 %): nothing showed", "round 12 (warm): not everything could be"]
    first, twelfth = StepView("1.round", round={"number": 1}), StepView("12.round", round={"number": 12})
    assert lost_lines(told, RunView(steps={"1.round": first, "12.round": twelfth})) == []
    assert lost_lines(told, RunView(steps={"1.round": first, "12.round": StepView("12.round")})) == told[1:]


def test_a_run_that_was_cut_off_and_closed_is_as_it_must_be() -> None:
    assert unfinished(view({**PROBES, "probe.usb": Outcome.INTERRUPTED})) == ""


def test_a_run_that_went_on_may_be_complete() -> None:
    steps = {"1.test.memory": Outcome.INTERRUPTED, "resume.1": Outcome.PASS}
    assert unfinished(view(dict(steps), complete=True)) == ""


def test_a_run_without_its_end_is_told() -> None:
    assert "no end" in unfinished(view({}, ended=False))
    assert "probe.usb never ended" in unfinished(view({**PROBES, "probe.usb": None}))


def test_a_run_that_was_cut_off_is_not_complete() -> None:
    assert "although" in unfinished(view({"probe.usb": Outcome.INTERRUPTED}, complete=True))


def test_that_the_unit_went_down_is_the_reason() -> None:
    wrong = view({"probe.usb": Outcome.INTERRUPTED})
    wrong.steps["probe.usb"].reason = Text("the agent was ended")
    assert "because the agent was ended" in unfinished(wrong)
