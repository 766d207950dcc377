"""So many restarts of one unit, each looked at: how many were had, and in how many something showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.replay.observed import Observed, Per
from agent.replay.round import Round, Signature

PATIENCE = 2
"""Times the restarts that were asked for, after which those that count will not be had; ours."""


@dataclass(slots=True)
class Cycles:
    """``times`` (>= 1) restarts. One counts where the unit restarted once and in order, and where something showed:
    that it went down in another way shows too.
    """

    times: int
    rounds: list[Round] = field(default_factory=list)

    def took(self, played: Round) -> None:
        """Learn from a restart."""
        self.rounds.append(played)

    @property
    def counted(self) -> int:
        """Restarts that count so far."""
        return sum(played.whole or bool(played.shown) for played in self.rounds)

    @property
    def failed(self) -> int:
        """Restarts after which something showed that was not there before."""
        return sum(bool(played.shown) for played in self.rounds)

    @property
    def goes_on(self) -> bool:
        """Whether another restart is to come."""
        return self.counted < self.times and len(self.rounds) < PATIENCE * self.times

    @property
    def observed(self) -> Observed | None:
        """How often in how many; ``None`` where none counts."""
        return Observed(self.failed, self.counted, Per.CYCLE, at_failure=False) if self.counted else None

    @property
    def faults(self) -> Sequence[Signature]:
        """All that showed."""
        return list(dict.fromkeys(signature for played in self.rounds for signature in played.shown))
