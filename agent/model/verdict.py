"""The verdict over a whole run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.model.finding import Finding
from agent.model.outcome import Outcome, RunVerdict, Verdict


def judge(needed: Iterable[str], outcomes: Mapping[str, Outcome | None], findings: Iterable[Finding]) -> RunVerdict:
    """The worst of what was needed.

    ``fail`` when a finding or a step says so; else ``incomplete`` when a needed step gave no judgement (it is missing,
    still open, unsupported, in error, skipped or interrupted), or when nothing was needed at all; else ``pass``.
    A fault found stands whatever else could not be looked at.
    """
    if any(f.verdict is Verdict.FAIL for f in findings) or Outcome.FAIL in outcomes.values():
        return RunVerdict.FAIL
    steps = list(needed)
    if not steps or any(outcomes.get(step) is not Outcome.PASS for step in steps):
        return RunVerdict.INCOMPLETE
    return RunVerdict.PASS


def exit_status(verdict: RunVerdict) -> int:
    """0 nothing wrong found, 1 a fault was found, 3 could not be judged."""
    return {RunVerdict.PASS: 0, RunVerdict.FAIL: 1, RunVerdict.INCOMPLETE: 3}[verdict]
