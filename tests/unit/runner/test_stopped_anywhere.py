"""Ctrl-C while the engine is at any of its lines: every step that was begun has an end, and no worker is left."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from agent.model import ComponentKind, Outcome, Reading
from agent.runner import engine as engine_module
from agent.runner.engine import STOPPING, Engine
from agent.runner.step import Step, StepResult
from agent.runner.worker import Item, Send
from tests.unit.runner.exercised import children


class Ledger:
    """What an observer heard."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.over: dict[str, StepResult] = {}

    def started(self, steps: Sequence[Step]) -> None:
        self.begun += [step.id for step in steps]

    def received(self, step: Step, item: Item) -> None:
        assert step.id in self.begun

    def ended(self, step: Step, result: StepResult, /) -> None:
        assert step.id not in self.over
        self.over[step.id] = result

    def tick(self) -> None:
        pass


def gives(send: Send) -> None:
    send(Reading("test.value", 1.0, "1", ComponentKind.CPU, "", "test", "2026-01-01T00:00:00.000Z"))


STEPS = [Step(f"probe.{name}", gives, 20.0) for name in ("one", "two", "three")]


@contextmanager
def signalled(at: int, number: signal.Signals) -> Iterator[list[int]]:
    """Send ``number`` to this thread before the ``at``-th line that the engine runs; gives the count of lines. The
    agent has no other thread meanwhile; whatever runs these tests may, and would hear what is not to be heard now.
    """
    lines = [0]

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines[0] += 1
            if lines[0] == at:
                signal.pthread_kill(threading.get_ident(), number)
        return line

    def call(frame: FrameType, event: str, _: Any) -> Any:
        return line if frame.f_code.co_filename == engine_module.__file__ else None

    before, tracing = signal.signal(number, signal.default_int_handler), sys.gettrace()
    sys.settrace(call)
    try:
        yield lines
    finally:
        sys.settrace(tracing)
        signal.signal(number, before)


def lines_of_one_run() -> int:
    with signalled(-1, signal.SIGTERM) as lines:
        Engine().run(STEPS, at_once=2)
    return lines[0]


def test_every_step_that_was_begun_has_an_end() -> None:
    others = children()
    for at in range(1, lines_of_one_run(), 2):
        ledger = Ledger()
        with signalled(at, sorted(STOPPING)[at % 3]) as lines:
            try:
                Engine([ledger]).run(STEPS, at_once=2)
                stopped = False
            except KeyboardInterrupt:
                stopped = True
        assert stopped == (lines[0] >= at), at  # no two runs have quite the same number of lines
        assert children() == others, at
        assert set(ledger.over) == set(ledger.begun), at
        assert {result.outcome for result in ledger.over.values()} <= {None, Outcome.PASS, Outcome.SKIPPED}, at
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & STOPPING
