"""Interprets and judges captured evidence. What strangers gathered can break or hold up its own step, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from agent import history, probes, profiles, tests_hw, watch
from agent.diagnose.capture import Capture, CapturedStep
from agent.diagnose.files import InputRefused
from agent.diagnose.kept import Kept
from agent.model import Component, Gap, Outcome, Reading, Text
from agent.model.run_view import RunView
from agent.model.step_name import plain
from agent.model.utc import utc_text
from agent.runner.engine import Engine, Observer
from agent.runner.identity import from_probe
from agent.runner.step import Step, StepResult
from agent.runner.steps import EARLIER, PROFILE, judging_step
from agent.runner.worker import Send

INTERPRET_S = 20.0
"""Seconds for making sense of the evidence of one step; it takes milliseconds, and more where the machine has other
work, so this only ends one that hangs; ours.
"""
STEPS_MOST = 20_000
"""Steps of one input; ours: a thousand rounds of a reproduction."""
AT_ONCE = 32
"""Processes at the same time; ours."""


class Runs(Protocol):
    """Runs steps: :class:`agent.runner.engine.Engine` or :class:`agent.diagnose.in_place.InPlace`."""

    @property
    def results(self) -> Mapping[str, StepResult]:
        """Those of all steps that were run, by step."""

    def run(self, steps: Sequence[Step]) -> list[StepResult]:
        """Run ``steps`` and return their results in the same order."""


class Running(Protocol):
    """Makes a :class:`Runs` with observers."""

    def __call__(self, observers: Iterable[Observer], /) -> Runs:
        """What runs steps and tells ``observers``."""


def judged(capture: Capture, running: Running = Engine) -> RunView:
    """The run as it is seen today, its steps run by what ``running`` makes. Raises :class:`InputRefused` for evidence
    that says more than a unit can.

    Whose evidence it is says the record of its run; of evidence that stands alone, the evidence itself.
    """
    kept = Kept()
    engine = running([kept])
    if len(capture.steps) > STEPS_MOST:
        raise InputRefused(Text("the evidence is larger than allowed"))
    steps = [_step(step) for step in capture.steps]
    results: list[StepResult] = []
    for first in range(0, len(steps), AT_ONCE):
        results += engine.run(steps[first : first + AT_ONCE])
    engine.run([judging_step(results)])
    now = utc_text(datetime.now(UTC))
    view = kept.view
    view.unit = dict(capture.unit or _unit(results))
    view.parameters = {
        "plan": capture.plan,
        "symptom": capture.symptom or None,
        "rma": None,
        "needed": list(capture.needed),
    }
    view.version = capture.agent
    view.started, view.ended, view.complete = capture.started or now, now, True
    return view


def _unit(results: Iterable[StepResult]) -> dict[str, str]:
    """Who the unit is, as far as any of the evidence tells."""
    found: dict[str, str] = {}
    for result in results:
        found |= from_probe(result)
    return found


def _step(captured: CapturedStep) -> Step:
    def work(send: Send) -> None:
        for gap in captured.gaps:
            send(gap)
        for item in _interpreted(captured):
            if item not in captured.gaps:  # an old journal does not tell which gaps came from where
                send(item)

    settled = (captured.outcome, captured.reason) if captured.outcome else None
    return Step(captured.id, work, INTERPRET_S, settled=settled)


def _interpreted(captured: CapturedStep) -> Iterator[Component | Reading | Gap]:
    kind, _, name = plain(captured.id).partition(".")
    if kind == "probe" and name in probes.areas():
        yield from probes.load(name).interpret(captured.evidence)
    elif kind == "watch" and name.rpartition(".")[2] in watch.watchers():
        yield from watch.load(name.rpartition(".")[2]).interpret(captured.evidence)
    elif kind == "test" and name in tests_hw.tests():
        yield from tests_hw.load(name).interpret(captured.evidence)
    elif captured.id == PROFILE:
        yield from profiles.interpret(captured.evidence)
    elif captured.id == EARLIER:
        yield from history.interpret(captured.evidence)
    else:
        yield Gap("", Outcome.UNSUPPORTED, Text("this agent does not know this check"), essential=True)
