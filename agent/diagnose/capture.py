"""The raw evidence of one run, as it can be judged again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from agent.model import Evidence, Gap, Outcome, Text
from agent.runner.steps import RULES

KEPT_OUTCOMES = (Outcome.ERROR, Outcome.SKIPPED, Outcome.INTERRUPTED)
"""What can have become of a step that its evidence does not tell; a pass or a fault must follow from the evidence."""


@dataclass(frozen=True, slots=True)
class CapturedStep:
    """One step: its id (``probe.storage``), its evidence in the order in which it came, and what gathering itself gave.

    ``gaps`` are those of gathering; those of interpreting are found again. ``outcome`` is one of
    :data:`KEPT_OUTCOMES` where the evidence cannot tell what became of the step (it hung, was stopped, or the unit went
    down), with ``reason``; ``None`` where it follows from the evidence.
    """

    id: str
    evidence: tuple[Evidence, ...] = ()
    gaps: tuple[Gap, ...] = ()
    outcome: Outcome | None = None
    reason: Text | None = None

    @property
    def area(self) -> str:
        """What the step is about: ``storage``, and ``memory`` for the test of the memory too."""
        return self.id.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Capture:
    """One run. ``needed`` are the steps without which there is no verdict, ``unit`` is the identity as the run's record
    has it, empty where no run asked for it; ``run_id``, ``agent`` (its version), ``started`` (UTC, ISO 8601) and
    ``plan`` are ``""`` where the evidence is of no run, ``symptom`` where nobody complained.
    """

    unit: Mapping[str, str]
    needed: tuple[str, ...]
    steps: tuple[CapturedStep, ...]
    description: str = ""
    run_id: str = ""
    agent: str = ""
    started: str = ""
    plan: str = ""
    symptom: str = ""

    @property
    def areas(self) -> list[str]:
        """The areas that there is evidence of, sorted."""
        return sorted({step.area for step in self.steps})

    def only(self, areas: Iterable[str]) -> Capture:
        """The part that is about ``areas``, which asks for no more than it holds. Raises ``KeyError`` for an area that
        is not in it.
        """
        wanted = set(areas)
        if missing := wanted - set(self.areas):
            raise KeyError(min(missing))
        steps = tuple(step for step in self.steps if step.area in wanted)
        held = {RULES, *(step.id for step in steps)}
        return replace(self, steps=steps, needed=tuple(step for step in self.needed if step in held))
