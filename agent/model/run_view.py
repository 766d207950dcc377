"""A run as read back from its journal: the one way in which screens, reports, bundles and the receiver see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.model.component import Component
from agent.model.finding import Finding
from agent.model.gap import Gap
from agent.model.heartbeat import Heartbeat
from agent.model.outcome import Outcome, RunVerdict
from agent.model.reading import Reading
from agent.model.text import Text
from agent.model.verdict import judge

Record = Mapping[str, Any]

JOURNAL = "journal.jsonl"
"""The name of a run's journal, in its directory and in its bundle."""


@dataclass(slots=True)
class FoundFinding:
    """A finding with the sequence numbers of its evidence."""

    finding: Finding
    records: tuple[int, ...]


@dataclass(slots=True)
class StepView:
    """One step. ``outcome`` is ``None`` while it runs, and ``interrupted`` is set by whoever closes an open run.

    ``parameters`` is what it was told to do: seconds and seed of a hardware test. ``round`` is what came of a round of
    a reproduction or verification (:class:`agent.replay.round.Round`).
    ``gathered`` is how many of its gaps gathering gave, the first ones; the others were concluded from the evidence.
    ``None`` where gathering did not come to its end, or the agent was one that did not tell.
    ``heartbeat`` is the last one of a hardware test.
    """

    name: str
    started: str = ""
    outcome: Outcome | None = None
    reason: Text | None = None
    duration_s: float = 0.0
    readings: dict[int, Reading] = field(default_factory=dict)
    components: list[Component] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    findings: list[FoundFinding] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    gathered: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    round: dict[str, Any] | None = None
    heartbeat: Heartbeat | None = None


@dataclass(slots=True)
class RunView:
    """A whole run. ``last`` is the time of its last record."""

    unit: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    started: str = ""
    ended: str | None = None
    complete: bool = False
    last: str = ""
    steps: dict[str, StepView] = field(default_factory=dict)

    @property
    def findings(self) -> list[FoundFinding]:
        """All findings, worst first, in the order in which they were found otherwise; one that was found again and
        again stands here once, as it was first.
        """
        order = {"critical": 0, "warning": 1, "info": 2}
        found: dict[tuple[str, str, str], FoundFinding] = {}
        for step in self.steps.values():
            for f in step.findings:
                found.setdefault((f.finding.code, f.finding.component.value, f.finding.subject), f)
        return sorted(found.values(), key=lambda f: order[f.finding.severity.value])

    @property
    def components(self) -> list[Component]:
        """The inventory."""
        return [c for step in self.steps.values() for c in step.components]

    @property
    def readings(self) -> dict[int, Reading]:
        """Every reading by the sequence number of its record."""
        return {seq: reading for step in self.steps.values() for seq, reading in step.readings.items()}

    @property
    def outcomes(self) -> dict[str, Outcome | None]:
        """Step -> outcome."""
        return {name: step.outcome for name, step in self.steps.items()}

    @property
    def boots(self) -> list[str]:
        """The boot ids in which the run was walked: that of its start, then of each time it went on."""
        of_steps = (step.parameters.get("boot_id") for step in self.steps.values())
        return [str(boot) for boot in (self.metadata.get("boot_id"), *of_steps) if boot]

    @property
    def needed(self) -> list[str]:
        """The steps without which there is no verdict; none, where the run does not say."""
        listed = self.parameters.get("needed")
        return [str(step) for step in listed] if isinstance(listed, list) else []

    @property
    def verdict(self) -> RunVerdict:
        """The worst of what was needed; computed, never read, so that it cannot differ from the findings."""
        return judge(self.needed, self.outcomes, [f.finding for f in self.findings])

    @classmethod
    def from_records(cls, records: Iterable[Record]) -> RunView:
        """Fold the records of a journal. Unknown records are passed over: a newer agent may write more kinds."""
        view = cls()
        for record in records:
            try:
                view._take(record)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                continue
        return view

    def _take(self, record: Record) -> None:
        sequence, time = record["sequenceNumber"], record["timestamp"]
        self.last = time
        if "testRunArtifact" in record:
            self._take_run(record["testRunArtifact"], time)
        elif "testStepArtifact" in record:
            artifact = record["testStepArtifact"]
            step = self.steps.setdefault(str(artifact["testStepId"]), StepView(name=str(artifact["testStepId"])))
            if "testStepStart" in artifact:
                step.started = time
            _take_step(step, artifact, sequence)

    def _take_run(self, artifact: Mapping[str, Any], time: str) -> None:
        if "testRunStart" in artifact:
            start = artifact["testRunStart"]
            self.unit = {str(k): str(v) for k, v in start["dutInfo"].get("metadata", {}).items()}
            self.parameters = dict(start["parameters"])
            self.metadata = dict(start.get("metadata", {}))
            self.version = str(start["version"])
            self.started = time
        elif "testRunEnd" in artifact:
            self.ended = time
            self.complete = artifact["testRunEnd"]["status"] == "COMPLETE"


def _take_step(step: StepView, artifact: Mapping[str, Any], sequence: int) -> None:
    if "testStepStart" in artifact:
        step.name = str(artifact["testStepStart"]["name"])
    elif "measurement" in artifact:
        step.readings[sequence] = _reading(artifact["measurement"])
    elif "file" in artifact:
        step.files.append(dict(artifact["file"]))
    elif "error" in artifact:
        step.errors.append(f"{artifact['error']['symptom']}: {artifact['error'].get('message', '')}")
    elif "extension" in artifact:
        _take_extension(step, artifact["extension"]["name"], artifact["extension"]["content"])


def _take_extension(step: StepView, name: str, content: Mapping[str, Any]) -> None:
    if name == "component":
        step.components.append(Component.from_json(content))
    elif name == "gap":
        step.gaps.append(Gap.from_json(content))
    elif name == "parameters":
        step.parameters = dict(content)
    elif name == "round":
        step.round = dict(content)
    elif name == "heartbeat":
        step.heartbeat = Heartbeat.from_json(content)
    elif name == "gathered":
        step.gathered = len(step.gaps)
    elif name == "finding":
        step.findings.append(FoundFinding(Finding.from_json(content), _sequence_numbers(content["records"])))
    elif name == "outcome":
        step.outcome = Outcome(content["outcome"])
        step.reason = Text.from_json(content["reason"]) if content["reason"] else None
        step.duration_s = float(content["duration_s"])


def _sequence_numbers(listed: Any) -> tuple[int, ...]:
    return tuple(number for number in listed if isinstance(number, int))


def _reading(content: Mapping[str, Any]) -> Reading:
    metadata = content["metadata"]
    return Reading.from_json(
        {
            "name": content["name"],
            "value": content["value"],
            "unit": content.get("unit", ""),
            "component": metadata["component"],
            "subject": content["subcomponent"]["name"],
            "source": metadata["source"],
            "time": metadata["time"],
        }
    )
