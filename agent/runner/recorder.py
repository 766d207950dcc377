"""Writes what the engine does into the journal: the only place where steps become records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from agent.catalogue.entry import message
from agent.journal import JournalError
from agent.model import Component, Evidence, Finding, Gap, Heartbeat, Reading, ocp
from agent.runner.step import Step, StepResult
from agent.runner.worker import Gathered, Item


class Record(Protocol):
    """What a recorder writes to: :class:`agent.journal.Journal`, or the like of it in memory."""

    def append(self, *artifacts: ocp.Artifact) -> list[int]:
        """Write records; returns their sequence numbers."""

    def attach(self, step: str, evidence: Evidence) -> int:
        """Keep raw evidence; returns the sequence number of its record."""

    def sync(self) -> None:
        """Make what was written durable."""


class Recorder:
    """An observer of the engine. Steps that start together share one fsync, each end has one, and each heartbeat of a
    hardware test, which is worth something only on the disk.
    """

    def __init__(self, journal: Record) -> None:
        self._journal = journal
        self._records: dict[tuple[str, str], int] = {}
        self._begun: set[str] = set()

    def started(self, steps: Sequence[Step]) -> None:
        """Write and sync the starts, with what the steps were told to do."""
        beginning = {step.id for step in steps}
        self._begun |= beginning  # first: a person may stop it right after the write
        try:
            self._journal.append(
                *(ocp.step_start(step.id, step.id) for step in steps),
                *(ocp.extension(step.id, "parameters", step.parameters) for step in steps if step.parameters),
            )
        except JournalError:
            self._begun -= beginning
            raise
        self._journal.sync()

    def received(self, step: Step, item: Item) -> None:
        """Write one item."""
        if isinstance(item, Evidence):
            self._journal.attach(step.id, item)
        elif isinstance(item, Reading):
            (sequence,) = self._journal.append(ocp.measurement(step.id, item))
            self._records[item.name, item.subject] = sequence
        elif isinstance(item, Component):
            self._journal.append(ocp.component(step.id, item))
        elif isinstance(item, Gap):
            self._journal.append(ocp.gap(step.id, item))
        elif isinstance(item, Gathered):
            self._journal.append(ocp.gathered(step.id))
        elif isinstance(item, Heartbeat):
            self._journal.append(ocp.heartbeat(step.id, item))
            self._journal.sync()
        elif isinstance(item, Finding):
            records = [self._records[r.name, r.subject] for r in item.evidence if (r.name, r.subject) in self._records]
            self._journal.append(*ocp.finding(step.id, item, message(item, "en"), records))

    def ended(self, step: Step, result: StepResult) -> None:
        """Write trouble, outcome and end, and sync."""
        assert result.outcome is not None
        if step.id not in self._begun:
            return
        self._journal.append(
            *(ocp.step_error(step.id, t.symptom, f"{t.reason} {t.details}".strip()) for t in result.trouble),
            *ocp.step_end(step.id, result.outcome, result.reason, time.monotonic(), result.duration_s),
        )
        self._journal.sync()

    def tick(self) -> None:
        """Nothing: records are written as they come."""
