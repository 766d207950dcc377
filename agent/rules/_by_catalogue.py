"""Findings as the catalogue classes them."""

from __future__ import annotations

from collections.abc import Iterable

from agent.catalogue import entry
from agent.model import Finding, Reading, Verdict


def finding(
    code: str,
    subject: str,
    verdict: Verdict,
    confidence: float,
    evidence: Iterable[Reading],
    /,
    **values: str | int | float,
) -> Finding:
    """A finding of ``code`` about ``subject``, of the component and with the severity that the catalogue says."""
    known = entry(code)
    return Finding(code, known.component, subject, known.severity, verdict, confidence, values, tuple(evidence))
