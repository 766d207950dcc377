"""Events that sound units show too, now and then: how often a round of them has one, and the sequential test between
that and what RD saw. Pure.
"""

from __future__ import annotations

import math

from agent.replay.observed import Observed, Per
from agent.replay.rate import rate
from agent.replay.sequential import SequentialTest

BETA = 0.05
"""The chance that a unit as sound as the others is called failing; ours."""


def sound_chance(shown: int, rounds: int, hours: float, round_hours: float) -> float:
    """The chance (0 < c < 1) of the event in a round of ``round_hours`` (> 0), where sound units had it in ``shown`` of
    ``rounds`` (>= 1) that took ``hours`` (> 0) in all: by the mean of Jeffreys' posterior, which is never 0, and as if
    events came evenly in time.
    """
    per_round = (shown + 0.5) / (rounds + 1.0)
    return -math.expm1(math.log1p(-per_round) * round_hours * rounds / hours)


def sequential(observed: Observed, sound: float, alpha: float) -> SequentialTest | None:
    """The test for rounds of which ``observed`` tells how often the failing unit had the event, at the level ``alpha``;
    ``None`` where that cannot be told from ``sound``, the chance of it in a round of sound units.

    The failing chance is not known but estimated, so its lower bound stands for it: half of ``alpha`` is the chance
    that the unit fails less often than that, the other half that one which fails as often is called repaired. The
    first factor below takes from Wald's level what his bounds may exceed it by.
    """
    low = rate(observed, 1.0 - alpha).low
    if observed.per is not Per.CYCLE or not 0.0 < sound < low:
        return None
    return SequentialTest(low, sound, Per.CYCLE, alpha=(1.0 - BETA) * alpha / 2.0, beta=BETA)
