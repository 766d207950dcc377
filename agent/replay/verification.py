"""Whether a repair is believed: rounds of the recipe without the fault, until as many were had as were needed.

A round counts where it was whole and reached the recipe's conditions; the first one that shows the fault ends it, also
where it did not. What else shows that was not there before ends it too: a repair that brings another fault is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agent.replay.clean import chance_if_unrepaired
from agent.replay.recipe import Recipe
from agent.replay.round import Round, Signature

PATIENCE = 3
"""Times the rounds that are needed, after which conditions that are not reached will not be; ours."""


class Standing(StrEnum):
    """How a verification stands."""

    GOES_ON = "goes on"
    VERIFIED = "verified"
    STILL_FAULTY = "still faulty"
    OTHER_FAULT = "another fault"
    NOT_REACHED = "conditions not reached"
    OUT_OF_TIME = "out of time"


@dataclass(slots=True)
class Verification:
    """The state of one verification, at the confidence ``1 - alpha`` (0 < alpha < 1), within ``limit_h`` hours.
    ``regressed`` is what the whole unit showed after the rounds that it had not shown before them.
    """

    recipe: Recipe
    alpha: float
    limit_h: float
    rounds: list[Round] = field(default_factory=list)
    regressed: tuple[Signature, ...] = ()

    def took(self, played: Round) -> None:
        """Learn from a round."""
        self.rounds.append(played)

    @property
    def needed(self) -> int:
        """Rounds without the fault that are needed in all."""
        return self.recipe.clean_needed(self.alpha)

    @property
    def clean(self) -> int:
        """Rounds that count so far."""
        return sum(self.counts(played) for played in self.rounds)

    @property
    def hours_left(self) -> float:
        """Hours that are still needed, where every further round counts."""
        return max(0, self.needed - self.clean) * self.recipe.work.hours

    @property
    def chance_if_unrepaired(self) -> float:
        """The chance (0 to 1) that a unit as faulty as before had shown nothing in the rounds that count."""
        return chance_if_unrepaired(self.recipe.observed, float(self.clean))

    def counts(self, played: Round) -> bool:
        """Whether a round speaks for the unit."""
        return played.whole and not played.shown and played.conditions.reach(self.recipe.least)

    @property
    def faults(self) -> Sequence[Signature]:
        """All that showed."""
        of_rounds = (signature for played in self.rounds for signature in played.shown)
        return list(dict.fromkeys([*of_rounds, *self.regressed]))

    @property
    def standing(self) -> Standing:
        """How it stands."""
        if any(signature.code == self.recipe.fault.code for signature in self.faults):
            return Standing.STILL_FAULTY
        if self.faults:
            return Standing.OTHER_FAULT
        if self.clean >= self.needed:
            return Standing.VERIFIED
        if len(self.rounds) >= PATIENCE * self.needed:
            return Standing.NOT_REACHED
        if sum(played.hours for played in self.rounds) >= self.limit_h:
            return Standing.OUT_OF_TIME
        return Standing.GOES_ON
