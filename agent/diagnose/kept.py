"""What steps give, kept as the view of a run: what one would read back from a journal, without writing one."""

from __future__ import annotations

from collections.abc import Sequence

from agent.diagnose.files import InputRefused
from agent.model import Component, Finding, Gap, Reading, Text
from agent.model.run_view import FoundFinding, RunView, StepView
from agent.runner.step import Step, StepResult
from agent.runner.worker import Item

ITEMS_MOST = 200_000
"""Items that one input may lead to; ours, a hundred times what a whole unit gives."""


class Kept:
    """An observer of the engine. Items are numbered from 0, as they come; a finding names its evidence by these."""

    def __init__(self) -> None:
        self.view = RunView()
        self._next = 0
        self._readings: dict[tuple[str, str], int] = {}

    def started(self, steps: Sequence[Step]) -> None:
        """Each step has a place, in this order."""
        for step in steps:
            self.view.steps[step.id] = StepView(name=step.id)

    def received(self, step: Step, item: Item) -> None:
        """Keep one item. Raises :class:`InputRefused` when there are more than :data:`ITEMS_MOST`."""
        if self._next >= ITEMS_MOST:
            raise InputRefused(Text("the evidence is larger than allowed"))
        seen, number = self.view.steps[step.id], self._next
        self._next += 1
        if isinstance(item, Reading):
            seen.readings[number] = item
            self._readings[item.name, item.subject] = number
        elif isinstance(item, Component):
            seen.components.append(item)
        elif isinstance(item, Gap):
            seen.gaps.append(item)
        elif isinstance(item, Finding):
            rests_on = ((reading.name, reading.subject) for reading in item.evidence)
            numbers = tuple(self._readings[key] for key in rests_on if key in self._readings)
            seen.findings.append(FoundFinding(item, numbers))

    def ended(self, step: Step, result: StepResult) -> None:
        """The step's outcome is final."""
        seen = self.view.steps[step.id]
        seen.outcome, seen.reason, seen.duration_s = result.outcome, result.reason, result.duration_s
        seen.errors += [f"{t.symptom}: {t.reason} {t.details}".strip() for t in result.trouble]

    def tick(self) -> None:
        """Nothing: items are kept as they come."""
