"""What a hardware test is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Reading, Text

Measured = Component | Reading | Gap


class HardwareTest(ABC):
    """Exercises hardware and measures it.

    A test is one module of ``agent.tests_hw`` named like it, with one instance of a subclass as ``TEST``. Like a
    probe it gathers evidence and interprets it, so an old run can be judged again. The exerciser is a well-kept
    program; ours is how it is started, watched and understood. The runner ends it when a temperature comes near its
    trip point.
    """

    name: ClassVar[str]
    programs: ClassVar[tuple[str, ...]]
    """Names in ``agent.tools.programs`` that it starts."""
    heats: ClassVar[tuple[ComponentKind, ...]]
    """What gets warm."""
    disturbs: ClassVar[Text]
    """What a person at the unit will notice."""
    least_s: ClassVar[float]
    """Seconds below which its result means nothing."""
    slack_s: ClassVar[float]
    """Seconds that it may take beyond the duration asked for before the runner ends it."""

    @abstractmethod
    def exercise(self, host: Host, duration_s: float) -> Iterator[Evidence | Gap]:
        """Exercise the hardware for ``duration_s`` seconds; yields what the exerciser printed."""

    @abstractmethod
    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Turn evidence into readings named ``NAME_test.…`` and gaps. Pure; never raises, whatever the evidence.
        Evidence that proves nothing gives an essential gap.
        """
