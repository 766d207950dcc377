"""Several reports of one program in one file, each of a drive of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.inputs._alone import alone

DRIVES_MOST = 64
"""Reports in one file that are told apart; ours, more than a machine of any customer has drives."""


def in_a_row(path: Path, reports: Iterable[tuple[str, bytes]], kind: str) -> Capture:
    """A piece of evidence of the ``kind`` for each report, which comes with what its drive is called; at least one. Of
    several that are called the same, the second is ``NAME (2)``. Raises as :func:`alone`.
    """
    called: dict[str, int] = {}
    captures = []
    for name, data in reports:
        called[name] = called.get(name, 0) + 1
        subject = name if called[name] == 1 else f"{name} ({called[name]})"
        captures.append(alone(path, data, kind, ["storage"], subject=subject))
    (step,) = captures[0].steps
    evidence = tuple(e for capture in captures for e in capture.steps[0].evidence)
    return replace(captures[0], steps=(replace(step, evidence=evidence),))
