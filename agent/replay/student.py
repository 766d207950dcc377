"""Quantiles of Student's distribution."""

from __future__ import annotations

import math

from agent.replay.tails import crossing


def student_below(t: float, freedom: int) -> float:
    """The chance of a value of at most ``t``, with ``freedom`` (>= 1) degrees of freedom.

    The finite sums for whole degrees (Abramowitz and Stegun 26.7.3 and 26.7.4): no series, no continued fraction.
    """
    theta = math.atan2(t, math.sqrt(freedom))
    cosine, sine = math.cos(theta), math.sin(theta)
    term, total = (1.0, 1.0) if freedom % 2 == 0 else (cosine, cosine)
    if freedom == 1:
        return 0.5 + theta / math.pi
    for k in range(2 if freedom % 2 == 0 else 3, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    between = sine * total if freedom % 2 == 0 else 2.0 / math.pi * (theta + sine * total)
    return 0.5 + 0.5 * between


def student_quantile(chance: float, freedom: int) -> float:
    """The value below which a share ``chance`` (0.5 <= chance < 1) lies."""
    high = 1.0
    while student_below(high, freedom) < chance:
        high *= 2.0
    return crossing(lambda t: student_below(t, freedom) < chance, 0.0, high)
