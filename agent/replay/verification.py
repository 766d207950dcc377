"""Whether a repair is believed: rounds of the recipe without the fault, until as many were had as were needed, or one
such round where the markers of the fault's cause are back among those of sound units.

A round counts where it was whole and reached the recipe's conditions; the first one that shows the fault ends it, also
where it did not. What else shows that was not there before ends it too: a repair that brings another fault is none.

A marker tells where sound units are known and the failing one was not among them; only then is it measured again, once.
Then there are two ways to be believed, so each gets half of the chance of error: an unrepaired unit passes with at most
``alpha`` by either. Which markers tell is known before the first round, and all of them must be restored. One that is
not ends the verification, however many rounds were without the fault.

Of an event that sound units show too, a single one proves nothing. Where the profile tells how often it comes in
theirs, the sequential test of :mod:`agent.replay.background` takes the place of the strict count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agent.replay.background import sequential
from agent.replay.clean import chance_if_unrepaired
from agent.replay.marker import Restored
from agent.replay.marking import Marking, Sound, marked, tells
from agent.replay.recipe import Recipe, Work
from agent.replay.round import Round, Signature
from agent.replay.sequential import SequentialTest, Verdict

PATIENCE = 3
"""Times the rounds that are needed, after which conditions that are not reached will not be; ours."""


class Standing(StrEnum):
    """How a verification stands."""

    GOES_ON = "goes on"
    VERIFIED = "verified"
    STILL_FAULTY = "still faulty"
    OTHER_FAULT = "another fault"
    NOT_RESTORED = "not restored"
    NOT_REACHED = "conditions not reached"
    OUT_OF_TIME = "out of time"


@dataclass(slots=True)
class Verification:
    """The state of one verification, at the confidence ``1 - alpha`` (0 < alpha < 1), within ``limit_h`` hours.
    ``sound`` are the markers of sound units; ``regressed`` is what the whole unit showed after the rounds that it had
    not shown before them; ``background`` the chance of the fault in a round of sound units, ``None`` where they do not
    show it or nobody knows how often.
    """

    recipe: Recipe
    alpha: float
    limit_h: float
    rounds: list[Round] = field(default_factory=list)
    regressed: tuple[Signature, ...] = ()
    sound: Sound = field(default_factory=dict)
    background: float | None = None

    def took(self, played: Round) -> None:
        """Learn from a round."""
        self.rounds.append(played)

    def next(self) -> Work:
        """What to run now: what measures the markers first, and once."""
        return self._pending_soak or self.recipe.work

    @property
    def can_be_marked(self) -> bool:
        """Whether a marker can say anything of this repair."""
        return any(tells(marker, self.sound.get(marker.key)) for marker in self.recipe.markers)

    @property
    def share(self) -> float:
        """The chance of error of each of the ways to be believed."""
        return self.alpha / 2.0 if self.can_be_marked else self.alpha

    @property
    def markings(self) -> list[Marking]:
        """What each marker says so far."""
        return marked(self.recipe.markers, self.rounds, self.sound, self.share)

    @property
    def restored(self) -> Restored:
        """What the markers say in all: one that is not restored decides, and none of those that tell may be missing."""
        said = [marking.restored for marking in self.markings if tells(marking.before, marking.sound)]
        if Restored.NO in said:
            return Restored.NO
        return Restored.YES if said and Restored.UNKNOWN not in said else Restored.UNKNOWN

    @property
    def needed(self) -> int:
        """Rounds without the fault that are needed in all where no marker is restored; of events that sound units
        show too, as it stands now.
        """
        test = self.sequential
        if test is None:
            return self.recipe.clean_needed(self.share)
        return self.clean + math.ceil(test.clean_needed(self.events, self.events + self.clean))

    @property
    def sequential(self) -> SequentialTest | None:
        """The test that decides where sound units show the fault too; ``None`` where it must not come at all."""
        return None if self.background is None else sequential(self.recipe.observed, self.background, self.share)

    @property
    def events(self) -> int:
        """Rounds that showed the fault."""
        return sum(any(self._is_it(signature) for signature in played.shown) for played in self.rounds)

    @property
    def clean(self) -> int:
        """Rounds that count so far."""
        return sum(self.counts(played) for played in self.rounds)

    @property
    def hours_left(self) -> float:
        """Hours that are still needed, where every further round counts and no marker ends it earlier."""
        before = self._pending_soak.hours if self._pending_soak else 0.0
        return before + max(0, self.needed - self.clean) * self.recipe.work.hours

    @property
    def chance_if_unrepaired(self) -> float:
        """The chance (0 to 1) that a unit as faulty as before had shown nothing in the rounds that count."""
        test = self.sequential
        if test is None:
            return chance_if_unrepaired(self.recipe.observed, float(self.clean))
        evidence = test.evidence(self.events, self.events + self.clean)
        return min(1.0, self.share / 2.0 + math.exp(min(0.0, evidence)))

    def counts(self, played: Round) -> bool:
        """Whether a round speaks for the unit."""
        ran = played.exercise == self.recipe.work.name
        return ran and played.whole and not played.shown and played.conditions.reach(self.recipe.least)

    @property
    def by_count(self) -> bool:
        """Whether the rounds alone are enough."""
        test = self.sequential
        if test is None:
            return self.clean >= self.needed
        return test.verdict(self.events, self.events + self.clean) is Verdict.REPAIRED

    @property
    def by_markers(self) -> bool:
        """Whether the markers are, beside one round without the fault and none with it: a unit that cannot be
        exercised is not sound.
        """
        return self.clean > 0 and not self.events and self.restored is Restored.YES

    @property
    def faults(self) -> Sequence[Signature]:
        """All that showed."""
        of_rounds = (signature for played in self.rounds for signature in played.shown)
        return list(dict.fromkeys([*of_rounds, *self.regressed]))

    @property
    def standing(self) -> Standing:
        """How it stands."""
        test = self.sequential
        if test is None and any(map(self._is_it, self.faults)):
            return Standing.STILL_FAULTY
        if test and test.verdict(self.events, self.events + self.clean) is Verdict.FAILING:
            return Standing.STILL_FAULTY
        if not all(map(self._is_it, self.faults)):
            return Standing.OTHER_FAULT
        if self.restored is Restored.NO:
            return Standing.NOT_RESTORED
        if self.by_count or self.by_markers:
            return Standing.VERIFIED
        if sum(played.exercise == self.recipe.work.name for played in self.rounds) >= PATIENCE * self.needed:
            return Standing.NOT_REACHED
        if sum(played.hours for played in self.rounds) >= self.limit_h:
            return Standing.OUT_OF_TIME
        return Standing.GOES_ON

    def _is_it(self, signature: Signature) -> bool:
        return signature.code == self.recipe.fault.code

    @property
    def _pending_soak(self) -> Work | None:
        soak = self.recipe.soak
        if soak is None or not self.can_be_marked:
            return None
        return None if any(played.exercise == soak.name for played in self.rounds) else soak
