"""A measured or read value, and the set of them that rules look at."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.model.component import ComponentKind

Value = bool | int | float | str

UNITS = frozenset(
    {
        "",
        "1",
        "%",
        "°C",
        "K",
        "K/W",
        "V",
        "A",
        "W",
        "Hz",
        "rpm",
        "B",
        "B/s",
        "bit/s",
        "transfers/s",
        "s",
        "h",
        "m",
        "px",
        "dBm",
        "ppm",
        "count",
    }
)
"""Units a reading may have. ``""`` for text and yes/no, ``"1"`` for a ratio or a level, ``"count"`` for a counter,
``"K"`` for a difference of temperatures (a rise of 20 K is no temperature of 20 °C), ``"K/W"`` for a thermal
resistance, ``"ppm"`` for how far a clock's speed is from the right one.
"""

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


@dataclass(frozen=True, slots=True)
class Reading:
    """One value. ``name`` is ``area.quantity`` in lower case with dots (``storage.nvme.media_errors``).

    ``subject`` names the instance (the :class:`Component` ``name`` where it is one), ``""`` for the unit as a whole.
    ``source`` is the path, program or library call that gave it; ``time`` is UTC, ISO 8601.
    Raises ``ValueError`` for a malformed name, an unknown unit or a number that is not finite.
    """

    name: str
    value: Value
    unit: str
    component: ComponentKind
    subject: str
    source: str
    time: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"bad reading name {self.name!r}")
        if self.unit not in UNITS:
            raise ValueError(f"unknown unit {self.unit!r} of {self.name}")
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"{self.name} is not finite")

    @property
    def number(self) -> float | None:
        """The value where it is a number; ``None`` for text and yes/no."""
        return None if isinstance(self.value, bool | str) else float(self.value)

    def to_json(self) -> dict[str, Any]:
        """A flat object; ``component`` as its word."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "component": self.component.value,
            "subject": self.subject,
            "source": self.source,
            "time": self.time,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reading:
        """Inverse of :meth:`to_json`; raises ``KeyError`` or ``ValueError`` when it is not a reading."""
        if not isinstance(data["value"], Value):
            raise ValueError(f"{data['name']} has no value")  # noqa: TRY004 -- bad input, not a caller's mistake
        return cls(
            name=data["name"],
            value=data["value"],
            unit=data["unit"],
            component=ComponentKind(data["component"]),
            subject=data["subject"],
            source=data["source"],
            time=data["time"],
        )


class Readings:
    """The readings of one run, looked up by name. Order of arrival is kept; the last value of a name wins."""

    def __init__(self, readings: Iterable[Reading] = ()) -> None:
        self._by_name: dict[str, dict[str, Reading]] = {}
        for reading in readings:
            self._by_name.setdefault(reading.name, {})[reading.subject] = reading

    def __iter__(self) -> Iterator[Reading]:
        for by_subject in self._by_name.values():
            yield from by_subject.values()

    def all(self, name: str) -> list[Reading]:
        """Every subject's reading of ``name``."""
        by_subject = self._by_name.get(name)
        return list(by_subject.values()) if by_subject else []

    def matching(self, prefix: str) -> list[Reading]:
        """Every reading whose name starts with ``prefix``."""
        return [r for name, by in self._by_name.items() if name.startswith(prefix) for r in by.values()]

    def get(self, name: str, subject: str = "") -> Reading | None:
        """The reading of ``name`` for ``subject``, or ``None``."""
        return self._by_name.get(name, {}).get(subject)

    def number(self, name: str, subject: str = "") -> float | None:
        """Like :meth:`get`, the value as a number; ``None`` when absent or not a number."""
        reading = self.get(name, subject)
        return None if reading is None else reading.number
