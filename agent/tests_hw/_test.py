"""What a hardware test is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Reading, Text

Measured = Component | Reading | Gap


@dataclass(frozen=True, slots=True)
class Bout:
    """One exertion of a test. ``seed`` (0 to 2^31 - 1) makes it do the same again where the exerciser chooses by
    chance; it is on record. ``scratch`` is an existing directory of ours, for tests that must write: what they leave
    there is removed after the bout.
    """

    seconds: float
    seed: int
    scratch: Path


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
    """What gets warm; may be empty."""
    disturbs: ClassVar[Text]
    """What a person at the unit will notice."""
    least_s: ClassVar[float]
    """Seconds below which its result means nothing."""
    slack_s: ClassVar[float]
    """Seconds that it may take beyond the duration asked for before the runner ends it."""
    measures: ClassVar[Mapping[str, str]]
    """The readings that it gives, with their units. One that goes by cycles and not by time counts them as
    ``NAME_test.cycles`` (count).
    """

    @abstractmethod
    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Exercise the hardware for ``bout.seconds``; yields what the exerciser printed."""

    @abstractmethod
    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Turn evidence into readings named ``NAME_test.…`` and gaps. Pure; never raises, whatever the evidence.
        Evidence that proves nothing gives an essential gap.
        """
