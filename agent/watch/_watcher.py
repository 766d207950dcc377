"""What a watcher is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from agent.host import Host
from agent.model import Component, Evidence, Gap, Reading
from agent.watch._lookout import Lookout

Observed = Component | Reading | Gap


class Watcher(ABC):
    """Looks for trouble all the time while a hardware test runs, and changes nothing.

    A watcher is one module of ``agent.watch`` named like it, with one instance of a subclass as ``WATCHER``. The runner
    runs it beside every hardware test, in a process of its own. Like a probe it gathers evidence and interprets it, so
    an old run can be judged again.
    """

    name: ClassVar[str]
    """That of the probe's area that it belongs to, where there is one."""

    @abstractmethod
    def watch(self, host: Host, lookout: Lookout) -> Iterator[Evidence | Gap]:
        """Look once, say so (``lookout.begin()``), and watch as long as the lookout goes on; the last look comes after
        that. What the evidence holds does not grow with the time, only with what happened.
        """

    @abstractmethod
    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Observed]:
        """Turn evidence into readings named ``NAME_watch.…`` and gaps. Pure; never raises, whatever the evidence.
        Evidence of nothing gives nothing: hardware that is not there cannot be watched.
        """
