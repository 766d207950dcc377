"""Runs steps side by side, each in a process of its own, and ends what does not end by itself.

One thread, one loop: it hears the workers' pipes, keeps their time limits, and tells its observers. Nothing that a
worker does (hang, crash, flood, refuse to die) keeps the others from ending, or the loop from coming back.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.model import Evidence, Gap, Outcome, Text
from agent.runner.guarding import Watch
from agent.runner.step import Step, StepResult, Trouble
from agent.runner.worker import GRACE_S, Item, Send, TimeLimit, Worker

SALVAGE_S = 10.0
"""Seconds for making sense of what an ended step had gathered; ours."""
STALL_S = 1.0
"""Seconds by which the engine itself may be late (stopped by Ctrl-Z, waiting for a slow disk) before the workers get
that time back: they had nobody to talk to; ours.
"""
STEPS_PER_CORE = 2
LEAST_AT_ONCE = 4
"""Probes mostly wait, and one of them may wait long for a device: so there are more at a time than cores. But not all:
on a slow machine the time limits of devices would be over while their readers wait for a processor; ours.
"""
STOPPING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""What a person, a service manager or a closed terminal ends the agent with."""
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
    broken: bool = False
    watch: Watch | None = None


class Engine:
    """Runs steps and keeps their results."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)
        self._selector = selectors.DefaultSelector()
        self._running: list[_Running] = []
        self._announced: list[Step] = []
        self._awake = math.inf
        self._heard: set[int] = set()  # the signals that the caller had blocked
        self.results: dict[str, StepResult] = {}

    def run(self, steps: Sequence[Step], at_once: int | None = None) -> list[StepResult]:
        """Run ``steps`` side by side, all of them or ``at_once`` (>= 1) at a time, and return their results in the same
        order.

        Leaves by an exception (an observer's, ``KeyboardInterrupt``) only after every worker was killed and every open
        step was closed: as ``skipped`` where a person stopped it, else as an ``error``. What has not begun by then has
        no result.

        Who stops the run is heard while it waits and at no other time: a ``KeyboardInterrupt`` between two lines that
        belong together would leave a worker that nobody knows of, or a step without an end.
        """
        waiting = deque(steps)
        self._awake = time.monotonic()
        self._heard = {*signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)}
        try:
            while waiting or self._running:
                self._begin_next(waiting, at_once or len(steps))
                if self._running:
                    self._turn()
        except BaseException as e:
            self._stop_all(e)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._heard)
        return [self.results[step.id] for step in steps]

    def _begin_next(self, waiting: deque[Step], at_once: int) -> None:
        room = at_once - len(self._running)
        beginning = [waiting.popleft() for _ in range(min(room, len(waiting)))]
        if beginning:
            self._announced = list(beginning)
            for observer in self._observers:
                observer.started(beginning)
            for step in beginning:
                self._begin(step)
                self._announced.remove(step)

    def _begin(self, step: Step) -> None:
        self.results[step.id] = result = StepResult(step.id, step.silence)
        if step.settled:
            result.outcome, result.reason = step.settled
        began = time.monotonic()
        watch: Watch | None = None
        try:
            watch = Watch(step.guard, step.heat) if step.guard else None
            worker = Worker(step.work, kept=step.guard is not None)
        except OSError as e:  # no more processes or descriptors: this step's trouble, and nobody else's
            result.trouble.append(Trouble("step-not-started", Text("the check itself broke"), str(e)))
            if watch:
                watch.close()
            self._conclude(step, result, began)
            return
        running = _Running(step, worker, result, began, began + step.timeout_s)
        running.watch = watch
        self._follow(running)

    def _follow(self, running: _Running) -> None:
        self._running.append(running)
        self._selector.register(running.worker.fd, selectors.EVENT_READ, running)

    def _turn(self) -> None:
        soonest = min((r.deadline for r in self._running), default=math.inf)
        wait = min(TICK_S, max(0.0, soonest - time.monotonic()))
        speaking = self._wait(wait)
        self._give_back_lost_time(wait)
        for key, _ in speaking:
            self._hear(key.data)
        for running in list(self._running):
            if running.worker.reap():
                self._hear(running)  # the last of it: a pipe holds less than one read takes
                if running in self._running:  # something that the worker left behind keeps the pipe open
                    self._finish(running)
            elif time.monotonic() >= running.deadline:
                self._overdue(running)
            elif running.watch and not running.killed:
                self._attend(running, running.watch)
        for observer in self._observers:
            observer.tick()

    def _wait(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        """The workers that have something to say. Here the run is stopped."""
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._heard)
            return self._selector.select(seconds)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)

    def _hear(self, running: _Running) -> None:
        items, ended = running.worker.receive()
        for item in items:
            if isinstance(item, TimeLimit):
                if not running.killed:
                    running.deadline = running.began + item.seconds
                continue
            running.result.take(item)
            if isinstance(item, Evidence) and not running.salvaging:
                running.evidence.append(item)
            for observer in self._observers:
                observer.received(running.step, item)
        failure = running.worker.failure
        if failure and not running.broken:
            running.broken = True
            self._trouble(running, "step-failed", Text("the check itself broke"), failure)
            if not ended and not running.killed:  # whatever it still does, nobody can understand it
                self._kill(running)
        if ended:
            self._finish(running)

    def _give_back_lost_time(self, waited: float) -> None:
        now = time.monotonic()
        late = now - self._awake - waited
        self._awake = now
        if late > STALL_S:
            for running in self._running:
                running.deadline += late
                if running.watch:
                    running.watch.wait_longer(late)

    def _attend(self, running: _Running, watch: Watch) -> None:
        verdict = watch.verdict()
        for beat in watch.heartbeats():
            for observer in self._observers:
                observer.received(running.step, beat)
        if verdict:
            self._stop(running, watch, verdict)

    def _stop(self, running: _Running, watch: Watch, verdict: Gap) -> None:
        """The guard wants the step to end now; what it has given so far stays."""
        if verdict.outcome is Outcome.ERROR:
            self._trouble(running, "guard-failed", verdict.reason, watch.failure)
        else:
            running.result.outcome, running.result.reason = verdict.outcome, verdict.reason
        self._kill(running)

    def _kill(self, running: _Running) -> None:
        running.worker.kill()
        running.killed = True
        running.deadline = time.monotonic() + GRACE_S

    def _overdue(self, running: _Running) -> None:
        if not running.killed:
            seconds = round(running.deadline - running.began, 1)
            self._trouble(running, "step-timed-out", Text("no answer within {seconds} s", {"seconds": seconds}))
            self._kill(running)
        else:
            self._finish(running)

    def _finish(self, running: _Running) -> None:
        """The worker's pipe is at its end, or it is given up."""
        self._running.remove(running)
        self._selector.unregister(running.worker.fd)
        running.worker.close()
        if running.watch:
            running.watch.close()
        # One that was killed and is still there had its time: waiting again for it would hold up all others.
        given_up = running.killed and time.monotonic() >= running.deadline
        if not given_up and not running.worker.await_end():
            running.worker.kill()
            running.worker.await_end()
        status = running.worker.exit_status
        explained = running.worker.done or running.worker.failure
        if not running.killed and (status not in (0, 1) or not explained):
            described = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
            reason = Text("the check itself broke")
            self._trouble(running, "step-crashed", reason, described)
        if running.result.trouble and not running.salvaging and running.step.salvage and running.evidence:
            self._salvage(running)
        else:
            self._conclude(running.step, running.result, running.began)

    def _salvage(self, ended: _Running) -> None:
        step, evidence = ended.step, ended.evidence
        salvage = step.salvage
        assert salvage is not None

        def work(send: Send) -> None:
            salvage(evidence, send)

        try:
            worker = Worker(work)
        except OSError as e:
            self._trouble(ended, "step-not-started", Text("the check itself broke"), str(e))
            self._conclude(step, ended.result, ended.began)
            return
        again = _Running(step, worker, ended.result, ended.began, time.monotonic() + SALVAGE_S)
        again.salvaging = True
        self._follow(again)

    def _conclude(self, step: Step, result: StepResult, began: float) -> None:
        result.duration_s = time.monotonic() - began
        result.conclude()
        if step.over:
            step.over()
        for observer in self._observers:
            observer.ended(step, result)

    def _trouble(self, running: _Running, symptom: str, reason: Text, details: str = "") -> None:
        running.result.trouble.append(Trouble(symptom, reason, details))

    def _stop_all(self, why: BaseException) -> None:
        stopped, self._running = self._running, []
        for running in stopped:
            running.worker.kill()
            if running.watch:
                running.watch.kill()
        limit = time.monotonic() + GRACE_S  # for all of them: a person waits
        for running in stopped:
            running.worker.await_end(limit)
            if running.watch:
                running.watch.close(limit)
            self._selector.unregister(running.worker.fd)
            running.worker.close()
            running.result.duration_s = time.monotonic() - running.began
            self._stopped(running.step, running.result, why)
        begun = {running.step.id for running in stopped}
        for step in self._announced:  # on record, and stopped before there was a worker
            if step.id not in begun:
                self._stopped(step, self.results.setdefault(step.id, StepResult(step.id, step.silence)), why)
        self._announced.clear()

    def _stopped(self, step: Step, result: StepResult, why: BaseException) -> None:
        if isinstance(why, KeyboardInterrupt | BrokenPipeError):  # whoever read what we say went away
            result.outcome, result.reason = Outcome.SKIPPED, Text("stopped by the person")
        else:
            details = f"{type(why).__name__}: {why}"
            result.trouble.append(Trouble("run-failed", Text("the check itself broke"), details))
            result.conclude()
        for observer in self._observers:
            with contextlib.suppress(Exception, KeyboardInterrupt):  # what stopped the run may be the observer itself
                observer.ended(step, result)


def probes_at_once() -> int:
    """How many probes to run at a time on this machine."""
    return max(LEAST_AT_ONCE, STEPS_PER_CORE * (os.cpu_count() or 1))
