"""Tails of the Poisson and the binomial distribution, and where they reach a probability.

Sums of terms from the largest downwards, so that neither small nor large counts lose digits: twelve of them agree with
scipy over the ranges that are used here (``tests/unit/replay/test_tails.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable

_NEGLIGIBLE = 1e-18
_STEPS = 200
"""Halvings of an interval of doubles until its ends are neighbours, with room to spare."""


def poisson_at_most(count: int, mean: float) -> float:
    """Chance of at most ``count`` (>= -1) events where ``mean`` (>= 0) are expected."""
    if count < 0:
        return 0.0
    if mean <= 0.0:
        return 1.0
    if count < mean:
        return _falling(_poisson(count, mean), lambda k: (count - k) / mean, count)
    return 1.0 - _falling(_poisson(count + 1, mean), lambda k: mean / (count + 2 + k), None)


def binomial_at_most(count: int, trials: int, chance: float) -> float:
    """Chance of at most ``count`` (>= -1) successes in ``trials`` (>= 0) of ``chance`` (0 to 1) each."""
    if count < 0:
        return 0.0
    if count >= trials or chance <= 0.0:
        return 1.0
    if chance >= 1.0:
        return 0.0
    odds = chance / (1.0 - chance)
    if count < trials * chance:
        below = _binomial(count, trials, chance)
        return _falling(below, lambda k: (count - k) / (trials - count + 1 + k) / odds, count)
    above = _binomial(count + 1, trials, chance)
    return 1.0 - _falling(above, lambda k: (trials - count - 1 - k) / (count + 2 + k) * odds, trials - count - 1)


def mean_where_at_most(count: int, probability: float) -> float:
    """The mean at which at most ``count`` (>= 0) events have this ``probability`` (0 < p < 1)."""
    high = 1.0
    while poisson_at_most(count, high) > probability:
        high *= 2.0
    return crossing(lambda mean: poisson_at_most(count, mean) > probability, 0.0, high)


def chance_where_at_most(count: int, trials: int, probability: float) -> float:
    """The chance of one trial at which at most ``count`` (0 <= count < trials) successes have this ``probability``."""
    return crossing(lambda chance: binomial_at_most(count, trials, chance) > probability, 0.0, 1.0)


def _poisson(k: int, mean: float) -> float:
    return math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))


def _binomial(k: int, n: int, chance: float) -> float:
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(choose + k * math.log(chance) + (n - k) * math.log1p(-chance))


def _falling(first: float, ratio: Callable[[int], float], steps: int | None) -> float:
    """The sum of a series from its largest term: each next one is the last times ``ratio(k)``; it ends by itself or
    where nothing more is added.
    """
    total, term, k = first, first, 0
    while term > total * _NEGLIGIBLE and (steps is None or k < steps):
        term *= ratio(k)
        total += term
        k += 1
    return total


def crossing(above: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition that holds at ``low`` ceases to hold towards ``high``."""
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if not low < middle < high:
            break
        low, high = (middle, high) if above(middle) else (low, middle)
    return high
