"""A step of a run, what is known of it while it runs, and the outcome that follows from what it gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agent.model import Component, Evidence, Finding, Gap, Outcome, Reading, Text
from agent.runner.worker import Item, Send, Work

Salvage = Callable[[Sequence[Evidence], Send], None]
Guard = Callable[[], Text | None]
Heat = Callable[[], float | None]


class Step(NamedTuple):
    """What the runner does as one process.

    ``id`` is unique in the run (``probe.storage``). ``salvage`` makes what can be made of the evidence of a
    step that was ended before it could do so itself.
    """

    id: str
    work: Work
    timeout_s: float
    salvage: Salvage | None = None
    silence: Outcome = Outcome.UNSUPPORTED
    """What it means when the step ends well and gives nothing: a probe saw nothing, rules found nothing wrong."""
    guard: Guard | None = None
    """Asked again and again while the step runs (:mod:`agent.runner.guarding`); when it gives a reason or no answer,
    the step is stopped at once.
    """
    heat: Heat | None = None
    """The highest temperature, °C, of a step that has a guard: for its heartbeat, which is asked for as often."""
    settled: tuple[Outcome, Text | None] | None = None
    """Outcome and reason, where they are known whatever the step gives: a run is judged again in which the step hung.
    """
    over: Callable[[], None] | None = None
    """Called in the runner's process when the step has ended, however that was. Must not raise."""
    parameters: Mapping[str, Any] | None = None
    """What it was told to do, for the record: strict JSON."""


@dataclass(slots=True)
class StepResult:
    """All that a step gave. ``outcome`` and ``duration_s`` (seconds) are final once the step has ended."""

    step: str
    silence: Outcome = Outcome.UNSUPPORTED
    readings: list[Reading] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    trouble: list[Trouble] = field(default_factory=list)
    outcome: Outcome | None = None
    reason: Text | None = None
    duration_s: float = 0.0

    def take(self, item: Item) -> None:
        """File one item; evidence is not kept here but in the journal."""
        if isinstance(item, Reading):
            self.readings.append(item)
        elif isinstance(item, Component):
            self.components.append(item)
        elif isinstance(item, Gap):
            self.gaps.append(item)
        elif isinstance(item, Finding):
            self.findings.append(item)

    def conclude(self) -> None:
        """Set outcome and reason from what came, where nobody has set them yet.

        Trouble in the step itself is an ``error`` whatever else it gave. After that the worst essential gap decides:
        what the area needs was not seen. Nothing at all seen is ``silence``.
        """
        if self.outcome is not None:
            return
        if self.trouble:
            self.outcome, self.reason = Outcome.ERROR, self.trouble[0].reason
            return
        for outcome in (Outcome.ERROR, Outcome.UNSUPPORTED, Outcome.SKIPPED):
            for gap in self.gaps:
                if gap.essential and gap.outcome is outcome:
                    self.outcome, self.reason = outcome, gap.reason
                    return
        if self.readings or self.components:
            self.outcome = Outcome.PASS
        else:
            self.outcome = self.silence
            self.reason = Text("no such hardware") if self.silence is Outcome.UNSUPPORTED else None


class Trouble(NamedTuple):
    """Something of ours broke: a short kebab-case word, what a person is told, and the details for the journal."""

    symptom: str
    reason: Text
    details: str = ""
