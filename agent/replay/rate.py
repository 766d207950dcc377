"""How often a fault comes: the rate, and what it can be at a stated confidence."""

from __future__ import annotations

from typing import NamedTuple

from agent.replay.observed import Observed, Per
from agent.replay.tails import chance_where_at_most, mean_where_at_most


class Rate(NamedTuple):
    """Failures per hour, or the chance of one per cycle: the likeliest value, and an interval around it.

    Where nothing was seen ``value`` and ``low`` are 0, and ``high`` is one-sided: "not reproduced, rate below".
    """

    value: float
    low: float
    high: float
    confidence: float
    per: Per


def rate(observed: Observed, confidence: float = 0.95) -> Rate:
    """The exact interval of the rate, whose ``confidence`` (0 < c < 1) holds for any true rate.

    Sources: by hour, stopped at the r-th failure: 2 * rate * T is chi-squared with 2r degrees of freedom (Epstein and
    Sobel 1953); else Garwood 1936. By cycle: Clopper and Pearson 1934, and its counterpart for a count that ends at the
    r-th failure (Lui 1995). Nothing seen: 1 - c = P(none), "3/T" at 95 % (rule of three).
    """
    r, per = observed.failures, observed.per
    tail = (1.0 - confidence) / 2.0
    if r == 0:
        return Rate(0.0, 0.0, _upper(observed, 1.0 - confidence), confidence, per)
    return Rate(observed.rate, _lower(observed, tail), _upper(observed, tail), confidence, per)


def _lower(observed: Observed, tail: float) -> float:
    """The rate at which so many failures or more, in so much or less, have the chance ``tail``."""
    r, n = observed.failures, observed.exposure
    if observed.per is Per.HOUR:
        return mean_where_at_most(r - 1, 1.0 - tail) / n
    return chance_where_at_most(r - 1, int(n), 1.0 - tail)


def _upper(observed: Observed, tail: float) -> float:
    """The rate at which so few failures or less, in so much or more, have the chance ``tail``.

    Stopped at the r-th failure, this many were seen *before* it.
    """
    r, n = observed.failures - observed.at_failure, observed.exposure
    if observed.per is Per.HOUR:
        return mean_where_at_most(r, tail) / n
    trials = int(n) - observed.at_failure
    return 1.0 if r >= trials else chance_where_at_most(r, trials, tail)
