"""What the unit was like a moment ago."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life while hardware is exercised. The last one on record tells of a unit that went down when that was,
    and how warm it was then.

    ``seconds`` are since the test began and ``boottime_s`` since the unit started (CLOCK_BOOTTIME, so both go on in
    suspend); ``load`` is the load average of the last minute (proc_loadavg(5)); ``temperature`` is the highest that a
    thermal zone showed, °C, ``None`` where none showed any.
    """

    seconds: float
    boottime_s: float
    load: float
    temperature: float | None

    def to_json(self) -> dict[str, Any]:
        """A flat object."""
        return {
            "seconds": self.seconds,
            "boottime_s": self.boottime_s,
            "load": self.load,
            "temperature": self.temperature,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Heartbeat:
        """Inverse of :meth:`to_json`; raises ``KeyError`` or ``ValueError`` when it is none."""
        numbers = [data["seconds"], data["boottime_s"], data["load"], data["temperature"] or 0.0]
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ValueError("a heartbeat without numbers")
        return cls(data["seconds"], data["boottime_s"], data["load"], data["temperature"])
