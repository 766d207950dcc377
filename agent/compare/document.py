"""A comparison as the one JSON object that ``compare --json`` prints, and that scripts may rely on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent.catalogue.entry import described
from agent.compare.comparison import Comparison
from agent.model import Finding
from agent.model.run_view import RunView


def document(comparison: Comparison, old: dict[str, Any], new: dict[str, Any], language: str) -> dict[str, Any]:
    """``{"schema": 1, "old", "new", "identity", "parts", "firmware", "counters", "growth", "findings", "not_judged"}``.

    ``old`` and ``new`` say which runs they are (:func:`side`); texts are in ``language``.
    """
    parts = comparison.parts
    return {
        "schema": 1,
        "old": old,
        "new": new,
        "identity": comparison.identity.value,
        "parts": {
            "exchanged": [{"old": was.to_json(), "new": now.to_json()} for was, now in parts.exchanged],
            "moved": [{"old": was.to_json(), "new": now.to_json()} for was, now in parts.moved],
            "added": [part.to_json() for part in parts.added],
            "removed": [part.to_json() for part in parts.removed],
        },
        "firmware": [
            {"component": c.kind.value, "name": c.name, "old": c.old, "new": c.new} for c in comparison.firmware
        ],
        "counters": [
            {"name": g.new.name, "subject": g.new.subject, "unit": g.new.unit}
            | {"old": g.old.value, "new": g.new.value, "fault": g.fault}
            for g in comparison.grown
        ],
        "growth": _findings(comparison.growth, language),
        "findings": {
            "gone": _findings(comparison.gone, language),
            "new": _findings(comparison.appeared, language),
        },
        "not_judged": list(comparison.not_judged),
    }


def side(view: RunView, *, given: str, kind: str, run_id: str) -> dict[str, Any]:
    """One side: ``input`` as it was given, its ``kind``, and the run in it."""
    return {
        "input": given,
        "kind": kind,
        "run_id": run_id,
        "started": view.started,
        "unit": view.unit,
        "verdict": view.verdict.value,
    }


def _findings(findings: Iterable[Finding], language: str) -> list[dict[str, Any]]:
    return [described(finding, language) for finding in findings]
