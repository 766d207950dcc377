"""When RD has seen a fault often enough: each further time costs RD hours and saves QC some.

The next failure comes after 1/rate on average; what QC then needs, :mod:`agent.replay.clean` says. Going on is
worth its while as long as it shortens both together. At alpha = 5 % that is three times for a fault that comes by the
hour: RD and QC then spend 8.1/rate in all; 20 at one, 8.9 at two, 8.5 at four.
"""

from __future__ import annotations

from typing import NamedTuple

from agent.replay.clean import NOTHING_KNOWN, Prior, clean_needed
from agent.replay.observed import Observed, Per


class Advice(NamedTuple):
    """``clean_needed`` is what QC needs if RD stops now, ``one_more`` what RD would spend on the next failure, and
    ``clean_after`` what QC would need after it (all in hours or cycles, expected).
    """

    stop: bool
    clean_needed: float
    one_more: float
    clean_after: float

    @property
    def saved(self) -> float:
        """What seeing it once more saves RD and QC together; negative where it costs."""
        return self.clean_needed - (self.one_more + self.clean_after)


def advise(observed: Observed, alpha: float = 0.05, prior: Prior = NOTHING_KNOWN) -> Advice:
    """Whether to stop at the failure that was seen last. Raises ``ValueError`` where none was seen."""
    now = clean_needed(observed, alpha, prior)
    failures = observed.failures + prior.failures
    one_more = (observed.exposure + prior.exposure) / failures
    if observed.per is Per.CYCLE:
        one_more = max(1.0, float(round(one_more)))
    next_time = Observed(observed.failures + 1, observed.exposure + one_more, observed.per, at_failure=True)
    after = clean_needed(next_time, alpha, prior)
    return Advice(now <= one_more + after, now, one_more, after)
