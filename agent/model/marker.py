"""Markers: measurements that tell a failing unit from sound ones before anything fails, as readings are made into them.

Each is compared with itself only: the same reading of the same instance (``of``), and of the same ``kind`` of it, as
zones are numbered as their drivers come and a flash drive is no disk. A rise is a difference and does not depend on the
room; what does (a plateau, a peak) is no marker.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from agent.model.reading import Readings


class MarkerKey(NamedTuple):
    """By what a marker is known again."""

    reading: str
    of: str
    kind: str


class _Source(NamedTuple):
    """A reading that is a marker, the reading that holds its standard error (``""`` where there is none), and the one
    that says of what kind its instance is.
    """

    reading: str
    error: str
    kind: str


SOURCES = (
    _Source("thermal_test.rise_per_watt", "thermal_test.rise_per_watt_error", "thermal_test.type"),
    _Source("thermal_test.rise", "thermal_test.rise_error", "thermal_test.type"),
    _Source("storage_read_test.latency_p99", "", "storage_read_test.rotational"),
)


@dataclass(frozen=True, slots=True)
class Marker:
    """What was measured of one unit in one round of ``exercise``. ``error`` is the standard error of the measurement,
    in the same unit; ``None`` where it does not tell.
    """

    key: MarkerKey
    value: float
    error: float | None
    unit: str
    exercise: str

    def to_json(self) -> dict[str, Any]:
        """A flat object of strict JSON."""
        numbers = {"value": self.value, "error": self.error}
        return {**self.key._asdict(), **numbers, "unit": self.unit, "exercise": self.exercise}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Marker:
        """Inverse of :meth:`to_json`; raises ``KeyError``, ``TypeError`` or ``ValueError`` when it is none."""
        key = MarkerKey(str(data["reading"]), str(data["of"]), str(data["kind"]))
        error = None if data["error"] is None else _finite(data["error"])
        if error is not None and error < 0.0:
            raise ValueError(f"a standard error of {error}")
        return cls(key, _finite(data["value"]), error, str(data["unit"]), str(data["exercise"]))


def markers(readings: Readings, exercise: str) -> Iterator[Marker]:
    """The markers among the readings of one round."""
    for source in SOURCES:
        for found in readings.all(source.reading):
            value, error = found.number, readings.number(source.error, found.subject)
            if value is None or (source.error and (error is None or error < 0.0)):
                continue
            kind = readings.get(source.kind, found.subject)
            key = MarkerKey(found.name, found.subject, "" if kind is None else str(kind.value))
            yield Marker(key, value, error, found.unit, exercise)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
