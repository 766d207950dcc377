"""Start one external program and come back, whatever it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.model import Text


class Status(StrEnum):
    """How it went. Only ``OK`` says that the program ran to its own end (with whatever exit status)."""

    OK = "ok"
    MISSING = "missing"
    NOT_PERMITTED = "not-permitted"
    TIMED_OUT = "timed-out"
    KILLED = "killed"
    OUT_OF_MEMORY = "out-of-memory"
    FLOODED = "flooded"


@dataclass(frozen=True, slots=True)
class Result:
    """What a program left behind. ``exit_status`` is ``None`` when it never ran, negative when a signal ended it."""

    program: str
    status: Status
    exit_status: int | None
    stdout: bytes
    stderr: bytes
    duration_s: float
    truncated: bool
    reason: Text | None


def run(program: str, args: Sequence[str], *, timeout_s: float) -> Result:
    """Run a program of :data:`PROGRAMS` with ``args``. Never raises for anything that the program does."""
    raise RuntimeError("written next")
