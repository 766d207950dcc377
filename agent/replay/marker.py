"""Markers: measurements that differ from those of sound units before anything fails (rise per watt, latency, corrected
errors per hour).

A marker that was outside what sound units show, and after the repair is inside it, verifies in one soak what counting
failures takes days for. It is reported beside the count and hides nothing of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from agent.replay.student import student_quantile

INSIDE = 0.99
"""Of sound units, this share lies inside: one in a hundred is asked to run longer for nothing; ours."""
LEAST_UNITS = 3
"""Sound units below which nobody knows how they differ among each other; ours."""


class Measured(NamedTuple):
    """A marker of one unit, with the standard error of the measurement (>= 0, same unit)."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Population:
    """The marker in ``units`` sound units of the model: mean, and standard deviation among them (as measured, thus with
    the error of such a measurement in it).
    """

    mean: float
    deviation: float
    units: int

    def __post_init__(self) -> None:
        if self.units < LEAST_UNITS:
            raise ValueError(f"{self.units} sound units say nothing of how they differ; {LEAST_UNITS} do")
        if not self.deviation > 0.0:
            raise ValueError(f"a deviation of {self.deviation} among units")

    @classmethod
    def of(cls, values: list[float]) -> Population:
        """From one value of each unit. Raises ``ValueError`` where there are too few or they are all the same."""
        if len(values) < LEAST_UNITS:
            raise ValueError(f"{len(values)} sound units say nothing of how they differ; {LEAST_UNITS} do")
        mean = math.fsum(values) / len(values)
        squares = math.fsum((value - mean) ** 2 for value in values)
        return cls(mean, math.sqrt(squares / (len(values) - 1)), len(values))

    def reach(self, share: float = INSIDE) -> float:
        """How far from the mean a next sound unit lies at most, with the chance ``share``: half the prediction interval
        ``t * s * sqrt(1 + 1/n)`` (Hahn and Meeker, Statistical Intervals, 1991).
        """
        t = student_quantile((1.0 + share) / 2.0, self.units - 1)
        return t * self.deviation * math.sqrt(1.0 + 1.0 / self.units)

    def holds(self, value: float) -> bool:
        """Whether a sound unit may show this."""
        return abs(value - self.mean) <= self.reach()


class Restored(StrEnum):
    """What a marker says of a repair."""

    YES = "restored"
    NO = "not restored"
    UNKNOWN = "says nothing"


class Comparison(NamedTuple):
    """``restored`` and why: ``was_outside`` and ``is_inside`` the sound population; ``chance_unchanged`` is that of so
    great a step towards it, or a greater one, between two measurements of a unit that did not change.
    """

    restored: Restored
    was_outside: bool
    is_inside: bool
    chance_unchanged: float


def compare(before: Measured, after: Measured, sound: Population, alpha: float = 0.05) -> Comparison:
    """Whether the marker of a unit is back among those of sound ones.

    It says nothing where the failing unit looked sound by it, nor where it lies outside on the other side now: that is
    another part, or another fault, and no word about this one. It is restored where it lies inside the sound population
    *and* has moved towards it by more than two measurements of one thing differ (one-sided two-sample z test of level
    ``alpha``): lying inside alone would also pass a unit that was just outside and was measured a little lower.
    """
    outside, inside = not sound.holds(before.value), sound.holds(after.value)
    step = (before.value - after.value) * math.copysign(1.0, before.value - sound.mean)
    error = math.hypot(before.error, after.error)
    unchanged = _normal_above(step / error) if error else float(step <= 0.0)
    beyond = not inside and (before.value - sound.mean) * (after.value - sound.mean) < 0.0
    moved_back = Restored.YES if inside and unchanged <= alpha else Restored.NO
    return Comparison(moved_back if outside and not beyond else Restored.UNKNOWN, outside, inside, unchanged)


def _normal_above(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2.0))
