"""A unit that is known to be good, to learn the profile of its model from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent import __version__
from agent.diagnose.diagnosis import Diagnosis
from agent.model import Component, Finding, Outcome, Reading, Text, Verdict
from agent.probes._identity import identity
from agent.profiles import Profile, counted, learn, spread
from agent.runner.engine import Engine
from agent.runner.identity import from_probe
from agent.runner.step import StepResult
from agent.runner.steps import judging_step

_OF_ITS_TIME = ("probe.filesystems", "probe.kernel_log", "probe.last_shutdown", "probe.mce")
"""What these see is of one session or one disk's content: no profile has anything of it, seen or not."""


class NotGood(Exception):
    """Nothing can be learnt from the unit. ``reason`` is for the person."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a unit, and the areas (``probe.memory``) that were not, of those that a profile has anything
    of. ``source`` is the run's id, or the name of the file that it is in, ``""`` for this machine now.
    """

    unit: Mapping[str, str]
    components: Sequence[Component]
    readings: Sequence[Reading]
    findings: Sequence[Finding]
    not_seen: tuple[str, ...]
    source: str
    rounds: tuple[Mapping[str, Any], ...] = ()
    """Rounds of exercises that it went through, as its record has them."""


def of_machine(results: Iterable[StepResult]) -> Seen:
    """What the probes of this machine gave, and what the rules say of that."""
    seen = list(results)
    (judgement,) = Engine().run([judging_step(seen)])
    unit: Mapping[str, str] = next((from_probe(result) for result in seen if result.step == "probe.unit"), {})
    return Seen(
        unit=unit,
        components=[part for result in seen for part in result.components],
        readings=[reading for result in seen for reading in result.readings],
        findings=judgement.findings,
        not_seen=_not_seen((result.step, result.outcome) for result in seen),
        source="",
    )


def of_diagnosis(diagnosis: Diagnosis) -> Seen:
    """What a run or a capture holds, as it is seen today."""
    view = diagnosis.view
    readings = list(view.readings.values())
    return Seen(
        unit={**identity(readings, view.components), **view.unit},
        components=view.components,
        readings=readings,
        findings=[found.finding for found in view.findings],
        not_seen=_not_seen((name, step.outcome) for name, step in view.steps.items() if name.startswith("probe.")),
        source=diagnosis.run_id or os.path.basename(diagnosis.input),
    )


def _not_seen(outcomes: Iterable[tuple[str, Outcome | None]]) -> tuple[str, ...]:
    return tuple(step for step, outcome in outcomes if outcome is not Outcome.PASS and step not in _OF_ITS_TIME)


def profile_of(seen: Seen, time: str, more: Sequence[Seen] = ()) -> Profile:
    """The profile of the unit's model, learnt at ``time`` (UTC, ISO 8601). What the model has is that of ``seen``; how
    its markers differ among sound units, and what shows in their rounds, is of that and of ``more``: other runs of it,
    or of other units of the model.
    Raises :class:`NotGood` for a unit that does not say its model, that is of another one, or that has a fault: what is
    wrong with it would be right from then on.
    """
    learnt = _profile_of(seen, time)
    for other in more:
        if not learnt.fits(other.unit):
            raise NotGood(Text("{unit} is not of the model {model}", {"unit": other.source, "model": learnt.title}))
        _profile_of(other, time)
    known = [(run.unit.get("serial", ""), run.readings) for run in (seen, *more)]
    if more and not all(serial for serial, _ in known):
        raise NotGood(Text("units that do not say their serial number cannot be told apart"))
    rounds = counted(played for run in (seen, *more) for played in run.rounds)
    return replace(learnt, markers=spread(known), rounds=rounds)


def _profile_of(seen: Seen, time: str) -> Profile:
    faults = [finding.code for finding in seen.findings if finding.verdict is Verdict.FAIL]
    if faults:
        raise NotGood(Text("this unit has a fault ({codes}); learn from a good one", {"codes": ", ".join(faults)}))
    try:
        return learn(seen.unit, seen.components, seen.readings, source=seen.source, time=time, agent=__version__)
    except ValueError as e:
        raise NotGood(Text("this unit does not say its model, and a profile is of a model")) from e
