"""The unit as it was before anything was exercised: what shows only later was not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agent.host import Host
from agent.model import Finding, Outcome, Reading
from agent.model.run_view import RunView
from agent.probes import areas
from agent.replay.returned import Looked
from agent.replay.round import Signature
from agent.runner.engine import Engine, probes_at_once
from agent.runner.step import StepResult
from agent.runner.steps import RULES, judging_step, probe_step

TEMPERATURE = "thermals.temperature"
PLAUSIBLE_C = 150.0
"""°C above which it is the sensor that is broken; as the abort temperature has it."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was read and found, and how warm it was (°C; ``None`` where the unit does not tell). ``areas`` is what each
    area showed that could be looked at.
    """

    readings: tuple[Reading, ...]
    findings: dict[Signature, Finding]
    rest_c: float | None
    areas: Mapping[str, Looked] = field(default_factory=dict)

    @classmethod
    def looked_at(cls, engine: Engine, host: Host) -> Baseline:
        """Probe all areas and judge; all of it is in the run."""
        results = engine.run([probe_step(area, host) for area in areas()], probes_at_once())
        (judged,) = engine.run([judging_step(results)])
        readings = tuple(reading for result in results for reading in result.readings)
        found = {Signature.of(f): f for f in judged.findings}
        return cls(readings, found, hottest(readings, TEMPERATURE), per_area(results))

    @classmethod
    def of(cls, view: RunView) -> Baseline:
        """As the record of the run has it, which went on after a restart."""
        rules = view.steps.get(RULES)
        found = {Signature.of(f.finding): f.finding for f in rules.findings} if rules else {}
        probed = [step for name, step in view.steps.items() if name.startswith("probe.")]
        readings = tuple(reading for step in probed for reading in step.readings.values())
        seen = {
            step.name.removeprefix("probe."): Looked(tuple(step.components), tuple(step.readings.values()))
            for step in probed
            if step.outcome is Outcome.PASS
        }
        return cls(readings, found, hottest(readings, TEMPERATURE), seen)


def per_area(results: Iterable[StepResult]) -> dict[str, Looked]:
    """What each area showed that could be looked at."""
    return {
        result.step.rpartition(".")[2]: Looked(tuple(result.components), tuple(result.readings))
        for result in results
        if result.outcome is Outcome.PASS
    }


def hottest(readings: Iterable[Reading], name: str) -> float | None:
    """The highest plausible temperature (°C) among readings of that name; ``None`` where there is none."""
    warm = (r.value for r in readings if r.name == name and r.unit == "°C")
    return max((float(v) for v in warm if isinstance(v, int | float) and v < PLAUSIBLE_C), default=None)
