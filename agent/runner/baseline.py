"""The unit as it was before anything was exercised: what shows only later was not there."""

from __future__ import annotations

from dataclasses import dataclass

from agent.host import Host
from agent.model import Finding
from agent.model.run_view import RunView
from agent.probes import areas
from agent.replay.round import Signature
from agent.runner.engine import Engine, probes_at_once
from agent.runner.rounds import hottest
from agent.runner.step import StepResult
from agent.runner.steps import RULES, judging_step, probe_step

TEMPERATURE = "thermals.temperature"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was found, and how warm it was (°C; ``None`` where the unit does not tell)."""

    findings: dict[Signature, Finding]
    rest_c: float | None

    @classmethod
    def looked_at(cls, engine: Engine, host: Host) -> Baseline:
        """Probe all areas and judge; all of it is in the run."""
        results = engine.run([probe_step(area, host) for area in areas()], probes_at_once())
        (judged,) = engine.run([judging_step(results)])
        return cls({Signature.of(f): f for f in judged.findings}, hottest(results, TEMPERATURE))

    @classmethod
    def of(cls, view: RunView) -> Baseline:
        """As the record of the run has it, which went on after a restart."""
        rules = view.steps.get(RULES)
        found = {Signature.of(f.finding): f.finding for f in rules.findings} if rules else {}
        probed = [
            StepResult(name, readings=list(step.readings.values()))
            for name, step in view.steps.items()
            if name.startswith("probe.")
        ]
        return cls(found, hottest(probed, TEMPERATURE))
