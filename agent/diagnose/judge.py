"""Interprets and judges captured evidence, each step in a process of its own: what strangers gathered can break or hold
up that step, and no more.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from agent import history, probes, profiles, tests_hw, watch
from agent.diagnose.capture import Capture, CapturedStep
from agent.diagnose.files import InputRefused
from agent.model import Component, Evidence, Gap, Outcome, Reading, Text, ocp
from agent.model.run_view import RunView
from agent.model.utc import utc_text
from agent.model.verdict import judge
from agent.runner.engine import Engine
from agent.runner.recorder import Recorder
from agent.runner.step import Step, StepResult
from agent.runner.steps import EARLIER, PROFILE, judging_step
from agent.runner.worker import Send

INTERPRET_S = 30.0
"""Seconds for making sense of the evidence of one step; it takes milliseconds, so this only ends one that hangs; ours.
"""
MEMORY_CAP = 2 << 30
"""Bytes of address space for one step; ours, ten times what the largest captures take."""
RECORDS_MOST = 200_000
"""Records that one input may lead to; ours, a hundred times what a whole unit gives."""

STEPS_MOST = 200
"""Steps of one input; ours, ten times what the longest plan has."""
AT_ONCE = 32
"""Processes at the same time; ours."""


def judged(capture: Capture) -> RunView:
    """The run as it is seen today. Raises :class:`InputRefused` for evidence that says more than a unit can."""
    records = _Records()
    records.append(
        ocp.run_start(
            version=capture.agent,
            command_line="aiodiag diagnose",
            parameters={
                "plan": capture.plan,
                "symptom": capture.symptom or None,
                "rma": None,
                "needed": list(capture.needed),
            },
            unit=capture.unit,
            components=[],
            metadata={},
        )
    )
    engine = Engine([Recorder(records)])
    if len(capture.steps) > STEPS_MOST:
        raise InputRefused(Text("the evidence is larger than allowed"))
    steps = [_step(step) for step in capture.steps]
    results: list[StepResult] = []
    for first in range(0, len(steps), AT_ONCE):
        results += engine.run(steps[first : first + AT_ONCE])
    engine.run([judging_step(results)])
    outcomes = {step: result.outcome for step, result in engine.results.items()}
    findings = [finding for result in engine.results.values() for finding in result.findings]
    records.append(ocp.run_end(judge(capture.needed, outcomes, findings), complete=True))
    view = RunView.from_records(records.records)
    view.started = capture.started or view.started
    return view


def _step(captured: CapturedStep) -> Step:
    def work(send: Send) -> None:
        _bound_memory()
        for gap in captured.gaps:
            send(gap)
        for item in _interpreted(captured):
            if item not in captured.gaps:  # an old journal does not tell which gaps came from where
                send(item)

    settled = (captured.outcome, captured.reason) if captured.outcome else None
    return Step(captured.id, work, INTERPRET_S, settled=settled)


def _bound_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    cap = MEMORY_CAP if hard == resource.RLIM_INFINITY else min(MEMORY_CAP, hard)
    resource.setrlimit(resource.RLIMIT_AS, (cap, hard))


def _interpreted(captured: CapturedStep) -> Iterator[Component | Reading | Gap]:
    kind, _, name = captured.id.partition(".")
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


class _Records:
    """The journal of a judgement: nobody needs it once it is told, so it stays in memory."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def append(self, *artifacts: ocp.Artifact) -> list[int]:
        first = len(self.records)
        if first + len(artifacts) > RECORDS_MOST:
            raise InputRefused(Text("the evidence is larger than allowed"))
        time = utc_text(datetime.now(UTC))
        self.records += [{"sequenceNumber": n, "timestamp": time, **a} for n, a in enumerate(artifacts, first)]
        return list(range(first, len(self.records)))

    def attach(self, step: str, evidence: Evidence) -> int:
        raise NotImplementedError(f"{step} gathers nothing: {evidence.kind}")

    def sync(self) -> None:
        """Nothing is kept."""
