"""For events that sound units show too (corrected errors, Wi-Fi that drops): Wald's sequential probability ratio test
between the rate of the failing unit and that of sound ones.

Counting them until a time that was set before takes longer for the same two errors. Source: A. Wald, Sequential Tests
of Statistical Hypotheses, Ann. Math. Statist. 16, 1945; for Poisson processes Dvoretzky, Kiefer and Wolfowitz 1953.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from agent.replay.observed import Per


class Verdict(StrEnum):
    """What the events so far say."""

    GOES_ON = "goes on"
    REPAIRED = "repaired"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """``failing`` and ``sound`` are rates (per hour, or the chance per cycle) with 0 < sound < failing (< 1 by cycle);
    ``alpha`` is the chance that a unit at the failing rate is called repaired, ``beta`` that one at the sound rate is
    called failing (both 0 to 0.5; Wald's bounds, which both hold up to their sum).
    """

    failing: float
    sound: float
    per: Per
    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 < self.sound < self.failing:
            raise ValueError(f"a failing rate of {self.failing} and a sound one of {self.sound}")
        if self.per is Per.CYCLE and self.failing >= 1.0:
            raise ValueError(f"a chance of {self.failing} per cycle")
        if not (0.0 < self.alpha < 0.5 and 0.0 < self.beta < 0.5):
            raise ValueError(f"chances of error of {self.alpha} and {self.beta}")

    @property
    def per_event(self) -> float:
        """What one event adds to the evidence for "failing" (natural logarithm of the ratio of likelihoods)."""
        if self.per is Per.HOUR:
            return math.log(self.failing / self.sound)
        return math.log(self.failing / self.sound) + self.per_exposure

    @property
    def per_exposure(self) -> float:
        """What an hour, or a cycle without an event, takes from it."""
        if self.per is Per.HOUR:
            return self.failing - self.sound
        return math.log1p(-self.sound) - math.log1p(-self.failing)

    @property
    def failing_at(self) -> float:
        """The evidence at which the unit is called failing."""
        return math.log((1.0 - self.alpha) / self.beta)

    @property
    def repaired_at(self) -> float:
        """The evidence at which it is called repaired (negative)."""
        return math.log(self.alpha / (1.0 - self.beta))

    def evidence(self, events: int, exposure: float) -> float:
        """The natural logarithm of the ratio of likelihoods, failing to sound, after so many events."""
        return events * self.per_event - exposure * self.per_exposure

    def verdict(self, events: int, exposure: float) -> Verdict:
        """What can be said after ``events`` in ``exposure`` (hours or cycles); to be asked after each event, and while
        none comes.
        """
        evidence = self.evidence(events, exposure)
        if evidence >= self.failing_at:
            return Verdict.FAILING
        return Verdict.REPAIRED if evidence <= self.repaired_at else Verdict.GOES_ON

    def clean_needed(self, events: int, exposure: float) -> float:
        """The further exposure without any event after which the unit is called repaired (0 where it is already)."""
        return max(0.0, (self.evidence(events, exposure) - self.repaired_at) / self.per_exposure)

    def mean_exposure(self, *, failing: bool) -> float:
        """How long the test takes on average at the failing or at the sound rate (Wald's approximation, without the
        overshoot).
        """
        if failing:
            expected, rate = (1 - self.alpha) * self.failing_at + self.alpha * self.repaired_at, self.failing
        else:
            expected, rate = self.beta * self.failing_at + (1 - self.beta) * self.repaired_at, self.sound
        return expected / (rate * self.per_event - self.per_exposure)
