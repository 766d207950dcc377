"""A bundle as its page shows it: what the run found, in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from agent.catalogue import entries
from agent.model import Component, Finding, Gap, Reading, Text
from agent.model.run_view import FoundFinding, RunView, StepView
from agent.texts import render
from agent.texts.words import COMPONENTS, OUTCOMES, SEVERITIES, step_word
from server_stub.pages.labels import VERDICT
from server_stub.summary import read_run
from server_stub.warranty import Cover, cover
from uploader.bundle.verify import VerifiedBundle

MAX_READINGS = 3000
"""Rows of the table of readings; a quick run has a tenth of it. Ours."""


@dataclass(frozen=True, slots=True)
class FindingRow:
    """``known`` is false for a code that this receiver's catalogue does not have (a newer agent)."""

    finding: Finding
    severity: str
    verdict: str
    component: str
    title: str
    message: str
    advice: str
    cover: Cover | None
    records: tuple[int, ...]
    known: bool


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step and its outcome in words."""

    name: str
    step: StepView
    outcome: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class GapRow:
    """Something that was not looked at, in words."""

    step: str
    gap: Gap
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A signed entry of the bundle; ``size`` in bytes."""

    name: str
    size: int | None
    title: str


@dataclass(frozen=True, slots=True)
class BundleView:
    """Everything that the page of one bundle shows of its content."""

    verdict: str
    label: str
    unit: Mapping[str, str]
    started: str
    ended: str | None
    version: str
    findings: Sequence[FindingRow]
    inventory: Sequence[tuple[str, Component]]
    gaps: Sequence[GapRow]
    steps: Sequence[StepRow]
    readings: Sequence[tuple[int, Reading]]
    readings_total: int
    evidence: Sequence[Evidence]


def view_bundle(bundle: VerifiedBundle, lang: str, shipped: date | None, today: date) -> BundleView:
    """Read a verified bundle for its page; raises ``summary.UnreadableJournal`` and ``BundleRejected``."""
    run = read_run(bundle)
    readings = list(run.readings.items())
    return BundleView(
        verdict=run.verdict.value,
        label=render(VERDICT[run.verdict.value], lang),
        unit=run.unit,
        started=run.started,
        ended=run.ended,
        version=run.version,
        findings=[_finding(found, lang, shipped, today) for found in run.findings],
        inventory=[(render(COMPONENTS[part.kind], lang), part) for part in run.components],
        gaps=_gaps(run, lang),
        steps=[_step(step, lang) for step in run.steps.values()],
        readings=readings[:MAX_READINGS],
        readings_total=len(readings),
        evidence=_evidence(bundle),
    )


def _finding(found: FoundFinding, lang: str, shipped: date | None, today: date) -> FindingRow:
    finding = found.finding
    entry = entries().get(finding.code)
    values = _scalars({"subject": finding.subject, **finding.values})
    return FindingRow(
        finding=finding,
        severity=render(SEVERITIES[finding.severity], lang),
        verdict=render(VERDICT[finding.verdict.value], lang),
        component=render(COMPONENTS[finding.component], lang),
        title=entry.text("title", lang, values) if entry else finding.code,
        message=entry.text("message", lang, values) if entry else "",
        advice=entry.text("advice", lang, values) if entry else "",
        cover=cover(entry.warranty, shipped, today) if entry else None,
        records=found.records,
        known=entry is not None,
    )


def _gaps(run: RunView, lang: str) -> list[GapRow]:
    rows = [
        GapRow(_say(step_word(name), lang), gap, render(OUTCOMES[gap.outcome], lang), _say(gap.reason, lang))
        for name, step in run.steps.items()
        for gap in step.gaps
    ]
    return sorted(rows, key=lambda row: not row.gap.essential)


def _step(step: StepView, lang: str) -> StepRow:
    label = OUTCOMES[step.outcome] if step.outcome else Text("not finished")
    reason = _say(step.reason, lang) if step.reason else "; ".join(step.errors)
    return StepRow(_say(step_word(step.name), lang), step, step.outcome or "", render(label, lang), reason)


def _evidence(bundle: VerifiedBundle) -> list[Evidence]:
    described = {entry.name: entry for entry in bundle.manifest.entries}
    return [
        Evidence(name, described[name].size, described[name].title) if name in described else Evidence(name, None, "")
        for name in bundle.names
    ]


def _say(text: Text, lang: str) -> str:
    return render(Text(text.template, _scalars(text.values)), lang)


def _scalars(values: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Values as a template can take them; a journal may hold anything in their place."""
    return {str(k): v if isinstance(v, str | int | float) else "…" for k, v in values.items()}
