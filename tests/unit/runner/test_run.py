"""A run that ends early has an end in its journal all the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.host import Host
from agent.journal import RunStore, read
from agent.model import Outcome, RunVerdict
from agent.model.run_view import RunView
from agent.model.verdict import judge
from agent.plans import plan
from agent.runner.run import Request, run
from agent.runner.step import Step, StepResult
from agent.runner.worker import Item


class Breaks:
    """A face that breaks as soon as a step has ended."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def started(self, steps: Sequence[Step]) -> None: ...
    def received(self, step: Step, item: Item) -> None: ...
    def tick(self) -> None: ...
    def ended(self, step: Step, result: StepResult, /) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (KeyboardInterrupt, Outcome.SKIPPED),
        (BrokenPipeError, Outcome.SKIPPED),
        (ZeroDivisionError, Outcome.ERROR),
        (MemoryError, Outcome.ERROR),
    ],
)
def test_whatever_ends_it(error: type[BaseException], outcome: Outcome, tmp_path: Path) -> None:
    request = Request(plan("quick"), None, None, "en", "aiodiag selfcheck", {"serial": "AIO24-0001"})
    store = RunStore(tmp_path)
    run_id, journal = store.new()
    with journal, pytest.raises(error):
        run(request, journal, Host(str(tmp_path)), [Breaks(error)])
    assert store.open_runs() == []
    view = RunView.from_records(read(store.path(run_id) / "journal.jsonl"))
    assert view.ended
    assert not view.complete
    assert view.verdict.value == "incomplete"
    assert None not in view.outcomes.values()
    broke = [s for s in view.steps.values() if s.errors and "run-failed" in s.errors[0]]
    skipped = [s for s in view.steps.values() if str(s.reason) == "stopped by the person"]
    assert bool(broke) == (outcome is Outcome.ERROR)
    assert bool(skipped) == (outcome is Outcome.SKIPPED)
    assert all(step.outcome is outcome for step in broke + skipped)


def test_without_the_tests_that_an_extended_plan_needs_there_is_no_verdict() -> None:
    request = Request(plan("extended"), None, None, "en", "aiodiag selfcheck", {"serial": "AIO24-0001"})
    assert {"probe.panel", "test.memory", "test.thermal"} <= set(request.needed)
    outcomes = dict.fromkeys(request.needed, Outcome.PASS)
    assert judge(request.needed, outcomes, []) is RunVerdict.PASS
    assert judge(request.needed, {**outcomes, "test.memory": Outcome.UNSUPPORTED}, []) is RunVerdict.INCOMPLETE
