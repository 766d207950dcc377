"""Evidence that stands alone: one file, of one machine or one part of it, with no run around it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.diagnose.capture import Capture, CapturedStep
from agent.diagnose.files import InputRefused
from agent.model import Evidence, Text
from agent.model.utc import utc_text
from agent.runner.steps import RULES


def alone(path: Path, data: bytes, kind: str, areas: Sequence[str], *, subject: str = "") -> Capture:
    """The evidence in a file, as the probes of ``areas`` would have gathered it: ``kind`` is its kind for their
    ``interpret``, ``subject`` the part that it is of. Its time is that of the file's last change. What it is not about
    is not asked for. Raises :class:`InputRefused` for a file with nothing in it.
    """
    if not data:
        raise InputRefused(Text("the file is empty"))
    changed = utc_text(datetime.fromtimestamp(path.stat().st_mtime, UTC))
    evidence = Evidence(kind=kind, subject=subject, data=data, source=path.name, time=changed)
    steps = tuple(CapturedStep(f"probe.{area}", (evidence,)) for area in areas)
    return Capture(unit={}, needed=(*(step.id for step in steps), RULES), steps=steps)
