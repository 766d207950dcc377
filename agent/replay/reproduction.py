"""From a symptom to a fault that comes when it is called: which exercise next, and when RD has seen enough.

Until the fault shows, the search chooses (:mod:`agent.replay.search`). The exercise that showed it is then run again
and again. Neither that first failure nor what came before it counts for the rate: among many exercises the one that
failed first was lucky, and a rate with that luck in it would let unrepaired units pass. From there on it is the plain
count under one recipe that :mod:`agent.replay.clean` asks for, in rounds: whole cycles of one exercise, each with the
fault or without.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.model import ComponentKind
from agent.model.marker import Marker, MarkerKey
from agent.replay.observed import Observed, Per
from agent.replay.round import Conditions, Round, Signature
from agent.replay.search import Block, Cause, Exercise, Search
from agent.replay.stopping import advise

ANY = Conditions()
"""Nothing is known of the conditions under which the fault came."""


class Ending(StrEnum):
    """How a reproduction stands."""

    GOES_ON = "goes on"
    REPRODUCED = "reproduced"
    RARE = "seen once only"
    NOT_REPRODUCED = "not reproduced"


@dataclass(frozen=True, slots=True)
class Shows:
    """By which codes a cause shows itself: whole ones, or the letters of an area (``MEM``); and the parts of which the
    system log speaks then (codes ``LOG``, whose area is no part's). ``markers_by`` is the exercise that measures what
    else tells of it (:mod:`agent.model.marker`).
    """

    cause: Cause
    codes: tuple[str, ...]
    log_of: tuple[ComponentKind, ...] = ()
    markers_by: str | None = None

    def is_shown_by(self, signature: Signature) -> bool:
        """Whether a fault of this signature can come from this cause."""
        area = signature.code.partition("-")[0]
        if area == "LOG" and signature.component in self.log_of:
            return True
        return any(code in (signature.code, area) for code in self.codes)


class Reproduction:
    """The state of one reproduction; made of its rounds, and made again from them after a restart."""

    def __init__(
        self,
        causes: Iterable[Shows],
        exercises: Sequence[Exercise],
        burn_in: str,
        *,
        limit_h: float,
        alpha: float = 0.05,
        given: bool = False,
        wanted: Conditions = ANY,
    ) -> None:
        """``limit_h`` are the hours of exercising after which it ends (> 0); ``given`` says that a recipe says what to
        run: nothing is chosen then, so the first failure counts. Exercises that reach ``wanted`` are preferred.
        """
        self._causes = list(causes)
        self._exercises: Mapping[str, Exercise] = {exercise.name: exercise for exercise in exercises}
        self._search = Search([shows.cause for shows in self._causes], exercises, burn_in)
        self._limit_h, self._alpha, self._given, self._wanted = limit_h, alpha, given, wanted
        self.rounds: list[Round] = []
        self.fault: Signature | None = None
        self.exercise: str | None = None
        self._chosen_at = 0

    @property
    def hours(self) -> float:
        """Hours of exercising so far."""
        return self._search.hours

    def took(self, played: Round) -> None:
        """Learn from a round."""
        seen = self._of_interest(played)
        self.rounds.append(played)
        failed = seen is not None if self.fault is None else self.fails(played)
        self._search.ran(Block(played.exercise, played.hours, played.exposed, failed))
        self._search.reached(played.exercise, short=played.conditions.falls_short_of(self._wanted))
        if self.fault is None and seen is not None:
            self.fault, self.exercise = seen, played.exercise
            self._chosen_at = 0 if self._given else len(self.rounds)

    def fails(self, played: Round) -> bool:
        """Whether a round shows the fault that is being reproduced."""
        return self.fault is not None and any(signature.code == self.fault.code for signature in played.shown)

    @property
    def failing(self) -> list[Round]:
        """The rounds of the recipe's exercise that showed the fault, with the first one."""
        return [played for played in self.rounds if played.exercise == self.exercise and self.fails(played)]

    @property
    def observed(self) -> Observed | None:
        """How often in how many rounds, as far as it counts; of nothing, how many rounds without."""
        if self.fault is None:
            whole = [played for played in self.rounds if played.whole]
            return Observed(0, len(whole), Per.CYCLE, at_failure=False) if whole else None
        counted = self._counted()
        failures = sum(self.fails(played) for played in counted)
        if failures:
            return Observed(failures, len(counted), Per.CYCLE, at_failure=self.fails(counted[-1]))
        # Once, and never again: then all that was run counts, whatever it was. That is too long rather than too short.
        return Observed(1, len(self.rounds), Per.CYCLE, at_failure=False)

    @property
    def ending(self) -> Ending:
        """Whether it is over, and how. Over is it when a further failure would cost RD more than it saves QC
        (:mod:`agent.replay.stopping`), or when the time is.
        """
        counted = self._counted()
        if counted and self.fails(counted[-1]):
            observed = self.observed
            assert observed is not None
            if advise(observed, self._alpha).stop:
                return Ending.REPRODUCED
        if self.hours < self._limit_h:
            return Ending.GOES_ON
        if self.fault is None:
            return Ending.NOT_REPRODUCED
        return Ending.REPRODUCED if any(self.fails(played) for played in counted) else Ending.RARE

    def next(self) -> Exercise:
        """What to run now."""
        return self._exercises[self.exercise] if self.exercise else self._search.next()

    def leave_out(self, exercise: str) -> None:
        """Never choose an exercise that this unit has nothing for."""
        self._search.leave_out(exercise)

    def belief(self) -> dict[str, float]:
        """How likely each cause is by now (they sum up to 1)."""
        return self._search.belief()

    def cause(self) -> str | None:
        """The likeliest cause that shows itself like this; ``None`` before anything showed."""
        if self.fault is None:
            return None
        belief = self.belief()
        able = [shows.cause.name for shows in self._causes if shows.is_shown_by(self.fault)]
        return max(able, key=belief.__getitem__, default=None)

    @property
    def soak(self) -> str | None:
        """The exercise that measures the markers of the likeliest cause, where it has any."""
        cause = self.cause()
        return next((shows.markers_by for shows in self._causes if shows.cause.name == cause), None)

    @property
    def to_measure(self) -> str | None:
        """The exercise that is still to be run once when the reproduction is over, so that there are markers."""
        return None if any(played.exercise == self.soak for played in self.rounds) else self.soak

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The markers of the likeliest cause, each as it was measured last."""
        newest: dict[MarkerKey, Marker] = {}
        for played in self.rounds:
            if played.exercise == self.soak:
                newest |= {marker.key: marker for marker in played.markers}
        return tuple(newest.values())

    def _counted(self) -> list[Round]:
        """The rounds of the recipe since it was chosen, those without a failure only where they were whole."""
        later = self.rounds[self._chosen_at :] if self.fault else []
        return [p for p in later if p.exercise == self.exercise and (p.whole or self.fails(p))]

    def _of_interest(self, played: Round) -> Signature | None:
        """The worst of what a round shows that any of the causes explains."""
        explained = (s for s in played.shown if any(shows.is_shown_by(s) for shows in self._causes))
        return next(explained, None)
