"""Something that was not looked at, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.model.outcome import Outcome
from agent.model.text import Text


@dataclass(frozen=True, slots=True)
class Gap:
    """What a step could not see.

    ``outcome`` is ``unsupported`` (no such hardware, sensor, program or right), ``error`` (it broke or did not answer)
    or ``skipped``. ``essential`` says that without it the area cannot be judged: the step's own outcome is then the
    gap's. ``remedy`` is the command that would close the gap, ``""`` where there is none.
    """

    subject: str
    outcome: Outcome
    reason: Text
    essential: bool = False
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """A flat object with ``reason`` as a :class:`Text` object."""
        return {
            "subject": self.subject,
            "outcome": self.outcome.value,
            "reason": self.reason.to_json(),
            "essential": self.essential,
            "remedy": self.remedy,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Gap:
        """Inverse of :meth:`to_json`; raises ``KeyError`` or ``ValueError`` when it is not a gap."""
        return cls(
            subject=str(data["subject"]),
            outcome=Outcome(data["outcome"]),
            reason=Text.from_json(data["reason"]),
            essential=bool(data["essential"]),
            remedy=str(data["remedy"]),
        )
