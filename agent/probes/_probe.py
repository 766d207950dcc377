"""What a probe is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from agent.host import Host
from agent.model import Component, Evidence, Gap, Reading

Seen = Component | Reading | Gap


class Probe(ABC):
    """Reads one area of hardware and changes nothing.

    A probe is one module (or package) of ``agent.probes`` named like its area, with one instance of a subclass as
    ``PROBE``. Its docstring names what it reads, from where, in which units, and the source of each scaling.
    The runner runs it in a process of its own and ends it after ``timeout_s``; what was gathered by then is interpreted
    all the same.
    """

    area: ClassVar[str]
    timeout_s: ClassVar[float]
    """Seconds after which the runner ends the probe; a single device or program gets less, by its own timeout."""
    programs: ClassVar[tuple[str, ...]] = ()
    """Names in ``agent.tools.programs`` that it starts."""

    @abstractmethod
    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Read the machine. The only part that does any I/O; yields each piece as soon as it is there."""

    def gather_parts(self, host: Host) -> Iterator[Evidence | Gap]:
        """Read only what names the parts of the unit, for ``aiodiag unit``, which must answer at once; for an area that
        is quickly read that is everything.
        """
        return self.gather(host)

    @abstractmethod
    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Turn evidence into components, readings and gaps. Pure.

        The evidence may be old, foreign, cut off or malformed: what cannot be understood is passed over or becomes a
        gap, never an exception. It may be missing altogether: an area without any usable evidence gives an
        essential gap.
        """
