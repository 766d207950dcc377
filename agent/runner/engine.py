"""Runs steps side by side, each in a process of its own, and ends what does not end by itself.

One thread, one loop: it hears the workers' pipes, keeps their time limits, and tells its observers. Nothing that a
worker does (hang, crash, flood, refuse to die) keeps the others from ending, or the loop from coming back.
"""

from __future__ import annotations

import contextlib
import math
import selectors
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.model import Evidence, Outcome, Text
from agent.runner.step import Guard, Step, StepResult, Trouble
from agent.runner.worker import Item, Send, TimeLimit, Worker

GRACE_S = 1.0
"""Seconds that a killed worker gets to be gone before it is left behind (it is stuck in the kernel); ours."""
SALVAGE_S = 10.0
"""Seconds for making sense of what an ended step had gathered; ours."""
GUARD_S = 1.0
"""Seconds between two looks of a step's guard: a processor at full load without cooling gains a few degrees; ours."""
TICK_S = 0.25
"""Observers hear from the engine at least this often, so that a face stays alive; ours."""


class Observer(Protocol):
    """Hears what happens. Called from the engine's thread; what it raises ends the run, with all workers killed."""

    def started(self, steps: Sequence[Step]) -> None:
        """These steps are about to begin."""

    def received(self, step: Step, item: Item) -> None:
        """A step gave something."""

    def ended(self, step: Step, result: StepResult, /) -> None:
        """A step is over; its result is final."""

    def tick(self) -> None:
        """Time has passed."""


@dataclass(slots=True)
class _Running:
    step: Step
    worker: Worker
    result: StepResult
    began: float
    deadline: float
    evidence: list[Evidence] = field(default_factory=list)
    salvaging: bool = False
    killed: bool = False
    guarded: float = 0.0


class Engine:
    """Runs steps and keeps their results."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)
        self._selector = selectors.DefaultSelector()
        self._running: list[_Running] = []
        self.results: dict[str, StepResult] = {}

    def run(self, steps: Sequence[Step]) -> list[StepResult]:
        """Run ``steps`` at the same time and return their results in the same order.

        Leaves by an exception (an observer's, ``KeyboardInterrupt``) only after every worker was killed and every open
        step was closed as ``skipped``.
        """
        for observer in self._observers:
            observer.started(steps)
        try:
            for step in steps:
                self._begin(step)
            while self._running:
                self._turn()
        except BaseException:
            self._stop_all()
            raise
        return [self.results[step.id] for step in steps]

    def _begin(self, step: Step) -> None:
        self.results[step.id] = result = StepResult(step.id, step.silence)
        began = time.monotonic()
        self._watch(_Running(step, Worker(step.work), result, began, began + step.timeout_s))

    def _watch(self, running: _Running) -> None:
        self._running.append(running)
        self._selector.register(running.worker.fd, selectors.EVENT_READ, running)

    def _turn(self) -> None:
        soonest = min((r.deadline for r in self._running), default=math.inf)
        wait = min(TICK_S, max(0.0, soonest - time.monotonic()))
        for key, _ in self._selector.select(wait):
            self._hear(key.data)
        for running in list(self._running):
            if running.worker.reap():
                self._hear(running)  # the last of it: a pipe holds less than one read takes
                if running in self._running:  # something that the worker left behind keeps the pipe open
                    self._finish(running)
            elif time.monotonic() >= running.deadline:
                self._overdue(running)
            elif running.step.guard and not running.killed and time.monotonic() >= running.guarded + GUARD_S:
                self._ask_guard(running, running.step.guard)
        for observer in self._observers:
            observer.tick()

    def _hear(self, running: _Running) -> None:
        items, ended = running.worker.receive()
        for item in items:
            if isinstance(item, TimeLimit):
                running.deadline = running.began + item.seconds
                continue
            running.result.take(item)
            if isinstance(item, Evidence) and not running.salvaging:
                running.evidence.append(item)
            for observer in self._observers:
                observer.received(running.step, item)
        failure = running.worker.failure
        if failure:
            self._trouble(running, "step-failed", Text("the check itself broke"), failure)
        if ended or failure:
            self._finish(running)

    def _ask_guard(self, running: _Running, guard: Guard) -> None:
        running.guarded = time.monotonic()
        reason = guard()
        if reason:
            running.result.outcome, running.result.reason = Outcome.SKIPPED, reason
            running.worker.kill()
            running.killed = True
            running.deadline = time.monotonic() + GRACE_S

    def _overdue(self, running: _Running) -> None:
        if not running.killed:
            seconds = round(running.deadline - running.began, 1)
            self._trouble(running, "step-timed-out", Text("no answer within {seconds} s", {"seconds": seconds}))
            running.worker.kill()
            running.killed = True
            running.deadline = time.monotonic() + GRACE_S
        else:
            self._finish(running)

    def _finish(self, running: _Running) -> None:
        """The worker's pipe is at its end, or it is given up."""
        self._running.remove(running)
        self._selector.unregister(running.worker.fd)
        running.worker.close()
        if not _gone(running.worker) and not running.killed:
            running.worker.kill()
            _gone(running.worker)
        status = running.worker.exit_status
        if status not in (0, 1) and not running.killed:
            described = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
            reason = Text("the check itself broke")
            self._trouble(running, "step-crashed", reason, described)
        if running.result.trouble and not running.salvaging and running.step.salvage and running.evidence:
            self._salvage(running)
        else:
            self._conclude(running)

    def _salvage(self, ended: _Running) -> None:
        step, evidence = ended.step, ended.evidence
        salvage = step.salvage
        assert salvage is not None

        def work(send: Send) -> None:
            salvage(evidence, send)

        again = _Running(step, Worker(work), ended.result, ended.began, time.monotonic() + SALVAGE_S)
        again.salvaging = True
        self._watch(again)

    def _conclude(self, running: _Running) -> None:
        running.result.duration_s = time.monotonic() - running.began
        running.result.conclude()
        for observer in self._observers:
            observer.ended(running.step, running.result)

    def _trouble(self, running: _Running, symptom: str, reason: Text, details: str = "") -> None:
        running.result.trouble.append(Trouble(symptom, reason, details))

    def _stop_all(self) -> None:
        stopped, self._running = self._running, []
        for running in stopped:
            running.worker.kill()
        for running in stopped:
            _gone(running.worker)
            self._selector.unregister(running.worker.fd)
            running.worker.close()
            running.result.outcome = Outcome.SKIPPED
            running.result.reason = Text("stopped by the person")
            running.result.duration_s = time.monotonic() - running.began
            for observer in self._observers:
                with contextlib.suppress(Exception):  # what stopped the run may be the observer that broke
                    observer.ended(running.step, running.result)


def _gone(worker: Worker) -> bool:
    """Wait a little for the process to be gone; it is as a rule within a millisecond of its pipe's end."""
    limit = time.monotonic() + GRACE_S
    pause = 0.0005
    while not worker.reap():
        if time.monotonic() > limit:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.02)
    return True
