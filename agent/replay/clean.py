"""How long a repaired unit must run without the fault before the repair is believed.

A fault was seen r times in an exposure T0 before the repair, and then not once in T1. Had the repair changed nothing,
this would come about with the chance ``(T0 / (T0 + T1)) ** r``, whatever the true rate: of r failures in both
together, each is as likely to fall into any hour (conditional test of two Poisson counts, Przyborowski and Wilenski
1940, with none in the second). That is exact where T0 ended at the r-th failure. Where it ended at a time that was set
before, the chance that an unrepaired unit is reproduced *and* then passes is below it at every rate; among those that
were reproduced it is so where half a failure or more was to be expected in T0.

By cycle the same thought gives ``C(N0, r) / C(N0 + N1, r)``, exact or, as cycles are whole, below.

What earlier cases teach about the rate of this fault is a :class:`Prior`; without one the formulas are those above.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from agent.replay.observed import Observed, Per

MOST_CYCLES = 10**9
"""More than a unit does in its life: a number of cycles above it is an answer to nobody; ours."""


_ROUNDING = 1e-9
"""Relative error of the chance by cycle, generously: a chance that is ``alpha`` but for the last digits is reached."""


class Prior(NamedTuple):
    """What is known of the rate: as if ``failures`` had been seen in ``exposure`` (hours or cycles, >= 0) besides.

    By hour the gamma distribution with that shape and rate; by cycle the beta distribution with those failures and the
    other cycles, and one.
    """

    failures: float
    exposure: float


NOTHING_KNOWN = Prior(0.0, 0.0)


def chance_if_unrepaired(observed: Observed, clean: float, prior: Prior = NOTHING_KNOWN) -> float:
    """The chance (0 to 1) that a unit as broken as before shows nothing in ``clean`` (>= 0, hours or cycles).

    1 minus this is the confidence of the verification. Raises ``ValueError`` where nothing was reproduced: then there
    is nothing to verify by.
    """
    if not observed.failures:
        raise ValueError("a fault that was never reproduced cannot be verified as gone")
    r = observed.failures + prior.failures
    exposure = observed.exposure + prior.exposure
    if observed.per is Per.HOUR:
        return math.exp(-r * math.log1p(clean / exposure))
    good = exposure - r + 1.0  # Beta(r, good + clean) / Beta(r, good)
    before = math.lgamma(exposure + 1.0) - math.lgamma(good)
    after = math.lgamma(good + clean) - math.lgamma(exposure + 1.0 + clean)
    return math.exp(min(0.0, before + after))


def clean_needed(observed: Observed, alpha: float = 0.05, prior: Prior = NOTHING_KNOWN) -> float:
    """The least exposure without the fault (hours, or whole cycles) after which an unrepaired unit would have shown it
    but with the chance ``alpha`` (0 < alpha < 1).

    ``T0 * (alpha ** (-1 / r) - 1)`` by hour: 19 T0 at one failure and 5 %, 1.7 T0 at three.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"an alpha of {alpha}")
    if observed.per is Per.HOUR:
        r = observed.failures + prior.failures
        chance_if_unrepaired(observed, 0.0)  # refuses what was not reproduced
        return (observed.exposure + prior.exposure) * math.expm1(-math.log(alpha) / r)
    reached = alpha * (1.0 + _ROUNDING)
    low, high = 0, 1
    while chance_if_unrepaired(observed, high, prior) > reached:
        low, high = high, high * 2
        if high > MOST_CYCLES:
            raise ValueError(f"more than {MOST_CYCLES} cycles")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if chance_if_unrepaired(observed, middle, prior) > reached else (low, middle)
    return float(high)
