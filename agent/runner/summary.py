"""A run as the one JSON object that ``selfcheck --json`` prints, and that scripts may rely on."""

from __future__ import annotations

from typing import Any

from agent.catalogue import entries
from agent.catalogue.entry import described
from agent.model import Reading
from agent.model.run_view import FoundFinding, RunView


def summary(view: RunView, *, run_id: str, language: str, duration_s: float, bundle: str | None) -> dict[str, Any]:
    """``{"schema": 1, "run_id", "unit", "verdict", "findings", "outcomes", "not_seen", "duration_s", "bundle"}``.

    ``bundle`` is the path of the sealed bundle, ``None`` when there is none; texts are in ``language``.
    """
    readings = view.readings
    return {
        "schema": 1,
        "run_id": run_id,
        "unit": view.unit,
        "verdict": view.verdict.value,
        "findings": [_finding(found, readings, language) for found in view.findings],
        "outcomes": {step: outcome.value if outcome else None for step, outcome in view.outcomes.items()},
        "not_seen": [{"step": name, **gap.to_json()} for name, step in view.steps.items() for gap in step.gaps],
        "duration_s": round(duration_s, 3),
        "bundle": bundle,
    }


def _finding(found: FoundFinding, readings: dict[int, Reading], language: str) -> dict[str, Any]:
    known = entries().get(found.finding.code)
    return {
        **described(found.finding, language),
        "warranty": known.warranty if known else None,
        "evidence": [
            {"record": record, "name": readings[record].name, "value": readings[record].value}
            | {"unit": readings[record].unit, "source": readings[record].source}
            for record in found.records
            if record in readings
        ],
    }
