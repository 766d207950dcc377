"""Hardware tests that misbehave, run as the agent runs its own: engine, recorder, journal and guard are real."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agent.host import Host
from agent.journal import Journal, read
from agent.model import ComponentKind, Evidence, Outcome, Reading, RunVerdict, Text, ocp
from agent.model.run_view import RunView, StepView
from agent.runner import steps
from agent.runner.engine import Engine
from agent.runner.recorder import Recorder
from agent.runner.scratch import scratch
from agent.tests_hw import Bout, HardwareTest
from agent.tools import PROGRAMS, Program
from agent.watch import Exercise
from tests import runs
from tests.ocp import validate_lines

TIME = "2026-01-01T00:00:00.000Z"
EVIDENCE = Evidence("text", "", b"it worked so far", "exerciser", TIME)
PATIENT_S = 40.0
"""Seconds for what ends by itself, on a machine that is busy with other things."""
GONE_S = 5.0
"""Seconds within which nothing is left; a bound against hanging."""

_PR_SET_CHILD_SUBREAPER = 36


def reading(value: Any = 1) -> Reading:
    return Reading("bad_test.value", value, "1", ComponentKind.CPU, "", "exerciser", TIME)


class Misbehaving(HardwareTest):
    """Does what it is told, in a hardware test's place."""

    name = "bad"
    programs = ()
    heats = (ComponentKind.CPU,)
    disturbs = Text("the unit is slow and its fan may speed up")
    least_s = 0.1
    measures: ClassVar = {"bad_test.value": "1"}

    def __init__(
        self,
        exercise: Callable[[Host, Bout], Any],
        interpret: Callable[[Sequence[Evidence]], Any] | None = None,
        *,
        slack_s: float = PATIENT_S,
    ) -> None:
        self._exercise, self._interpret = exercise, interpret
        self.slack_s = slack_s  # type: ignore[misc] -- each of these has its own

    def exercise(self, host: Host, bout: Bout) -> Iterator[Any]:
        yield EVIDENCE
        given = self._exercise(host, bout)
        if given is not None:
            yield from given

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        if self._interpret:
            yield from self._interpret(evidence)
        elif evidence:
            yield reading()


class Well(HardwareTest):
    """One that behaves, with a real program."""

    name = "well"
    programs = ("echo",)
    heats = (ComponentKind.CPU,)
    disturbs = Text("the unit is slow and its fan may speed up")
    least_s = 0.1
    slack_s = PATIENT_S
    measures: ClassVar = {"well_test.value": ""}

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence]:
        yield host.output("text", "echo", "well", timeout_s=PATIENT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Reading]:
        for piece in evidence:
            yield Reading("well_test.value", piece.text(), "", ComponentKind.CPU, "", piece.source, piece.time)


@dataclass(frozen=True)
class Ran:
    """What the journal says."""

    bad: StepView
    well: StepView
    said: str
    """Everything that the bad step's errors and reason say."""


class Ground:
    """Runs a bad test beside one that behaves, and looks for what is left of it."""

    def __init__(self, folder: Path, shared: Path) -> None:
        self.folder, self.shared = folder, shared
        self.before = children()

    def run(self, test: HardwareTest, monkeypatch: pytest.MonkeyPatch) -> Ran:
        """One run of both; whatever is left of it fails the test."""
        table = {test.name: test, Well.name: Well()}
        monkeypatch.setattr("agent.tests_hw.load", table.__getitem__)
        monkeypatch.setitem(PROGRAMS, "echo", Program(("/bin/echo",), "coreutils", "says what it is told"))
        directory = self.folder / "run"
        with Journal.create(directory) as journal:
            journal.append(runs.run_start())
            with scratch(directory) as room, scratch(self.folder / "well") as other:
                exercise = Exercise(0.0)
                watched = exercise.lookout()
                watched.begin()
                both = [
                    steps.test_step(test.name, Bout(test.least_s, 7, room), Host(), exercise),
                    steps.test_step(Well.name, Bout(0.1, 7, other), Host(), exercise),
                ]
                assert watched.goes_on()
                Engine([Recorder(journal)]).run(both)
                assert not watched.goes_on(), "a watcher would wait for ever"
            journal.append(ocp.run_end(RunVerdict.INCOMPLETE, complete=True))
        assert sorted(p.name for p in self.folder.iterdir() if "scratch" in p.name) == []
        assert self.left() == []
        validate_lines(directory / "journal.jsonl", self.shared)
        view = RunView.from_records(read(directory / "journal.jsonl"))
        bad, well = view.steps[f"test.{test.name}"], view.steps["test.well"]
        assert bad.parameters == {"seconds": test.least_s, "seed": 7}
        assert well.outcome is Outcome.PASS
        assert [r.value for r in well.readings.values()] == ["well\n"]
        return Ran(bad, well, " ".join([str(bad.reason or ""), *bad.errors]))

    def left(self) -> list[int]:
        """Processes that are still there: whatever got away from its parents became our child."""
        until = time.monotonic() + GONE_S
        while True:
            found = []
            for pid in children() - self.before:
                with contextlib.suppress(ChildProcessError):
                    if os.waitpid(pid, os.WNOHANG)[0] == 0:
                        found.append(pid)
            if not found or time.monotonic() > until:
                for pid in found:
                    os.kill(pid, signal.SIGKILL)
                return found
            time.sleep(0.02)


def children() -> set[int]:
    """The children of this process."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found.update(map(int, (task / "children").read_text().split()))
    return found


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Whatever gets away from its parents becomes our child meanwhile, so that it can be seen."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
