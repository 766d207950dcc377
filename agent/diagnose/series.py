"""How the sensors of a run went: the watchers' series as curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from agent.diagnose.of_run import evidence_of_run
from agent.model import Evidence
from agent.watch._series import KIND

TIME = "time"
POINTS_MOST = 100_000
"""Of one series; ours, far more looks than the watcher keeps."""


@dataclass(slots=True)
class Curve:
    """One sensor: its name as the kernel has it, its unit, and at which second since 1970 it showed what, in the order
    of the rounds.
    """

    sensor: str
    name: str
    unit: str
    points: list[tuple[float, float]] = field(default_factory=list)


def curves_of_run(path: Path) -> list[Curve]:
    """The curves of a run directory. Raises :class:`agent.diagnose.files.InputRefused`."""
    return curves(evidence_of_run(path, KIND))


def curves(series: Iterable[Evidence]) -> list[Curve]:
    """What several series have of each sensor, joined. Pure; what is no series, or no column of one, is passed over."""
    found: dict[tuple[str, str, str], Curve] = {}
    for piece in sorted(series, key=lambda one: one.time):
        loaded = piece.json() if piece.kind == KIND else None
        listed = loaded.get("columns") if isinstance(loaded, dict) else None
        columns = [column for column in listed if isinstance(column, dict)] if isinstance(listed, list) else []
        begun, times = _begun(piece), next((_numbers(c) for c in columns if c.get("sensor") == TIME), [])
        if begun is None:
            continue
        for column in columns:
            key = tuple(str(column.get(name, ""))[:80] for name in ("sensor", "name", "unit"))
            if key[0] == TIME:
                continue
            seen = found.setdefault((key[0], key[1], key[2]), Curve(key[0], key[1], key[2]))
            pairs = zip(times, _numbers(column), strict=False)
            seen.points += [(begun + at, value) for at, value in pairs if at is not None and value is not None]
    return [curve for curve in found.values() if curve.points]


def _begun(piece: Evidence) -> float | None:
    try:
        return datetime.fromisoformat(piece.time).timestamp()
    except (ValueError, OverflowError):
        return None


def _numbers(column: Mapping[str, Any]) -> list[float | None]:
    """The numbers of a column, ``None`` where the sensor did not answer; nothing where it is no column."""
    deltas, scale = column.get("deltas"), column.get("scale")
    if not isinstance(deltas, list) or len(deltas) > POINTS_MOST or isinstance(scale, bool):
        return []
    if any(type(delta) is not int and delta is not None for delta in deltas):
        return []
    if not isinstance(scale, int | float) or not abs(scale) < 1e6:
        return []
    sums = accumulate(delta or 0 for delta in deltas)
    return [
        None if delta is None or abs(total) >= 1 << 53 else total * scale
        for delta, total in zip(deltas, sums, strict=True)
    ]
