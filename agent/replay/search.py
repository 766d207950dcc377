"""Reproduction is a search: where the next half hour is best spent.

A :class:`Cause` is something that may be behind the symptom, with what exposes it: hours above a temperature with the
memory at work, load steps, restarts, cold starts. An :class:`Exercise` is something that the unit can be made to do; it
gives so much of these exposures per hour. After each block the exposures that were *measured* are counted, whatever the
exercise should have given.

How likely each cause is, and how often it would show itself, is a belief: a weight, and a gamma distribution of its
rate, both of which fall with every hour in which its exposure brought nothing. The next block is the one that most
likely shows the fault for each of its hours. Where every effort is spent on one cause alone that is the optimal search
(Chew 1967; Stone, Theory of Optimal Search, 1975), as the chance of having found something grows ever more slowly. Of
exercises that expose several causes it is a good one, for the same reason.

A belief can be wrong. So one exercise, everything at once, is the *burn-in*, and no exposure that a burn-in gives ever
falls behind :data:`SHARE` of what it would have given by then: the search is never much slower than a burn-in, however
wrong the symptom.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SHARE = 0.68
"""Of what a burn-in would have given by now: at worst the search takes 1 / 0.68 = 1.47 times as long; ours."""
NEARLY = 0.98
"""Of the burn-in's exposures per hour: an exercise that gives so much takes its place; ours."""
SHORT = 0.5
"""What an exercise is worth beside one that reaches the conditions which are looked for; ours: they may be none of the
cause's.
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """``weight`` (> 0) is how likely it is beside the others. Its rate per unit of the exposure ``exposed_by`` is gamma
    distributed: ``shape`` failures (> 0) are expected in an exposure of ``scale`` (> 0).
    """

    name: str
    exposed_by: str
    weight: float
    shape: float
    scale: float


@dataclass(frozen=True, slots=True)
class Exercise:
    """What the unit can be made to do, in blocks of ``hours`` (> 0); ``gives`` is the exposure per hour."""

    name: str
    hours: float
    gives: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Block:
    """What was run: the exercise's name, how many hours it took, what it exposed in all, whether the fault showed."""

    exercise: str
    hours: float
    exposed: Mapping[str, float]
    failed: bool


class Search:
    """The state of one search: made of what was run so far, and made again from that after a restart."""

    def __init__(self, causes: Iterable[Cause], exercises: Iterable[Exercise], burn_in: str) -> None:
        """Raises ``ValueError`` where there is nothing to search for or with, and ``KeyError`` without that burn-in."""
        self._causes = list(causes)
        self._exercises = {exercise.name: exercise for exercise in exercises}
        self._burn_in = self._exercises[burn_in]
        exposable = {exposure for exercise in self._exercises.values() for exposure in exercise.gives}
        if not any(cause.exposed_by in exposable for cause in self._causes):
            raise ValueError("no exercise exposes any of the causes")
        self._weights = _normal([math.log(cause.weight) for cause in self._causes])
        self._shapes = [cause.shape for cause in self._causes]
        self._scales = [cause.scale for cause in self._causes]
        self._exposed: dict[str, float] = {}
        self._short: set[str] = set()
        self.hours = 0.0
        self.failures = 0

    def ran(self, block: Block) -> None:
        """Learn from a block."""
        before = [math.log(weight) if weight else -math.inf for weight in self._weights]
        logs = list(before)
        for k, cause in enumerate(self._causes):
            amount = block.exposed.get(cause.exposed_by, 0.0)
            logs[k] -= self._shapes[k] * math.log1p(amount / self._scales[k])
            self._scales[k] += amount
            if block.failed:
                rate = self._shapes[k] / self._scales[k] * amount
                logs[k] += math.log(rate) if rate else -math.inf
                self._shapes[k] += 1.0 if amount else 0.0
        if max(logs) == -math.inf:  # it showed where none of the causes can: keep what was believed
            logs = before
        self._weights = _normal(logs)
        for name, amount in block.exposed.items():
            self._exposed[name] = self._exposed.get(name, 0.0) + amount
        self.hours += block.hours
        self.failures += block.failed

    def reached(self, exercise: str, *, short: bool) -> None:
        """Learn whether the last block of an exercise fell ``short`` of the conditions that are looked for."""
        if short:
            self._short.add(exercise)
        else:
            self._short.discard(exercise)

    def leave_out(self, exercise: str) -> None:
        """Never choose it again, where there is another; the burn-in stays what it is measured by."""
        if exercise != self._burn_in.name and len(self._exercises) > 1:
            self._exercises.pop(exercise, None)

    def belief(self) -> dict[str, float]:
        """How likely each cause is (they sum up to 1)."""
        return {cause.name: weight for cause, weight in zip(self._causes, self._weights, strict=True)}

    def chance(self, exercise: Exercise) -> float:
        """The chance (0 to 1) that one block of an exercise shows the fault."""
        nothing = 0.0
        for cause, weight, shape, scale in zip(self._causes, self._weights, self._shapes, self._scales, strict=True):
            amount = exercise.gives.get(cause.exposed_by, 0.0) * exercise.hours
            nothing += weight * math.exp(-shape * math.log1p(amount / scale))
        return max(0.0, 1.0 - nothing)

    def next(self) -> Exercise:
        """What to run now: the exercise that is most worth its time. Where it would bring the search behind a burn-in,
        time is saved up for it first, by the best of those that do as much as that. Once the fault has shown, the
        burn-in has no claim any more.
        """
        best = max(self._exercises.values(), key=self._worth)
        if self.failures or self._keeps_up(best):
            return best
        return max((e for e in self._exercises.values() if self._saves(e)), key=self._worth)

    def _worth(self, exercise: Exercise) -> float:
        return self.chance(exercise) / exercise.hours * (SHORT if exercise.name in self._short else 1.0)

    def _keeps_up(self, exercise: Exercise) -> bool:
        """Whether after a block of it every exposure still has its share of what a burn-in would have given."""
        then = self.hours + exercise.hours
        return all(
            self._exposed.get(name, 0.0) + exercise.gives.get(name, 0.0) * exercise.hours >= SHARE * per_hour * then
            for name, per_hour in self._burn_in.gives.items()
        )

    def _saves(self, exercise: Exercise) -> bool:
        """Whether it gives nearly all that the burn-in does; the burn-in itself does."""
        per_hour = self._burn_in.gives.items()
        return all(exercise.gives.get(name, 0.0) >= NEARLY * given for name, given in per_hour)


def _normal(logs: Sequence[float]) -> list[float]:
    """Weights that sum up to 1, from their logarithms."""
    highest = max(logs)
    weights = [math.exp(log - highest) for log in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]
