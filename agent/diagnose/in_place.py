"""Runs steps one after the other in this very process, each within its time: the engine without the cost of a process
for each. For evidence that was gathered before, in a process that can be lost (:mod:`agent.diagnose.pool`).
"""

from __future__ import annotations

import functools
import signal
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from agent.model import Text
from agent.runner.engine import Observer
from agent.runner.step import Step, StepResult, Trouble
from agent.runner.worker import Item, TimeLimit

PROCESSOR_S = 4.0
"""Seconds of processor time for one step; ours. It takes milliseconds, so this only ends one that does not end by
itself, on a busy machine too.
"""
AGAIN_S = 0.2
"""Seconds after which a step that went over its time is told again, for code that passes over every exception; ours."""


class Overdue(BaseException):
    """A step's time is over. No ``Exception``: what the interpreters pass over is what they do not understand."""


class InPlace:
    """Stands in for :class:`agent.runner.engine.Engine`. Only in the main thread of a process, of which it takes the
    alarms for good.
    """

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        _take_alarms()
        self._observers = list(observers)
        self.results: dict[str, StepResult] = {}

    def run(self, steps: Sequence[Step]) -> list[StepResult]:
        """Run ``steps`` and return their results in the same order. Guards and salvage are for live steps; none here
        has one.
        """
        for observer in self._observers:
            observer.started(steps)
        for step in steps:
            self._one(step)
        return [self.results[step.id] for step in steps]

    def _one(self, step: Step) -> None:
        self.results[step.id] = result = StepResult(step.id, step.silence)
        if step.settled:
            result.outcome, result.reason = step.settled
        items: list[Item] = []

        def send(item: Item | TimeLimit) -> None:
            if not isinstance(item, TimeLimit):
                items.append(item)

        try:
            with _within(step.timeout_s):
                step.work(send)
        except Overdue:
            seconds = round(min(PROCESSOR_S, step.timeout_s), 1)
            result.trouble.append(Trouble("step-timed-out", Text("no answer within {seconds} s", {"seconds": seconds})))
        except Exception:
            details = traceback.format_exc(limit=20)
            result.trouble.append(Trouble("step-failed", Text("the check itself broke"), details))
        # Outside of its time: what went over it must not leave half an item behind.
        for item in items:
            result.take(item)
            for observer in self._observers:
                observer.received(step, item)
        result.conclude()
        for observer in self._observers:
            observer.ended(step, result)


_ALARMS = ((signal.SIGPROF, signal.ITIMER_PROF), (signal.SIGALRM, signal.ITIMER_REAL))


@functools.cache
def _take_alarms() -> None:
    """Once in a process: to take them and to give them back takes longer than many a step."""

    def over(_signal: int, _frame: Any) -> None:
        raise Overdue

    for number, _ in _ALARMS:
        signal.signal(number, over)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """So many seconds, and :data:`PROCESSOR_S` of processor time."""
    try:
        for (_, timer), limit in zip(_ALARMS, (PROCESSOR_S, seconds), strict=True):
            signal.setitimer(timer, limit, AGAIN_S)
        yield
    finally:
        for _, timer in _ALARMS:
            signal.setitimer(timer, 0)
