"""A probe that the evidence got the better of."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence

import pytest

from agent import probes
from agent.model import ComponentKind, Evidence, Reading
from agent.probes._probe import Probe, Seen


class Hostile(Probe):
    """See the module; ``how`` says in which way."""

    area, timeout_s = "cpu", 10.0

    def __init__(self, how: str) -> None:
        self.how = how

    def gather(self, host: object) -> Iterator[Evidence | Seen]:  # type: ignore[override]
        raise NotImplementedError

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        yield Reading("cpu.test", 1, "1", ComponentKind.CPU, "", "test", evidence[0].time)
        if self.how == "hangs":
            time.sleep(60)
        elif self.how == "spins":
            while True:
                pass
        elif self.how == "passes over everything":
            while True:
                with contextlib.suppress(Exception):
                    time.sleep(0.01)
        elif self.how == "eats memory":
            b"x" * (1 << 42)
        elif self.how == "dies":
            os._exit(9)
        raise ZeroDivisionError


def put_in(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """From now on the area ``cpu`` is interpreted by a :class:`Hostile`."""
    real = probes.load
    monkeypatch.setattr(probes, "load", lambda area: Hostile(how) if area == "cpu" else real(area))
