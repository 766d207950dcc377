"""Watching over a step that exercises hardware, from a process of its own.

A sensor that does not answer holds whoever reads it, so the engine never reads one; and hardware that nobody can watch
must not be exercised, so silence stops the step too.
"""

from __future__ import annotations

import time

from agent.model import Gap, Outcome, Text
from agent.runner.step import Guard
from agent.runner.worker import Send, TimeLimit, Worker

GUARD_S = 1.0
"""Seconds between two looks: a processor at full load without cooling gains a few degrees meanwhile; ours."""
SILENCE_S = 5.0
"""Seconds within which a look must be over; ours: long for a sensor, short for a processor that gets hot."""


class Watch:
    """A guard at work, from now until :meth:`close`."""

    def __init__(self, guard: Guard) -> None:
        def work(send: Send) -> None:
            while True:
                reason = guard()
                if reason:
                    send(Gap("", Outcome.SKIPPED, reason))
                send(TimeLimit(SILENCE_S))
                time.sleep(GUARD_S)

        self._worker = Worker(work)
        self._due = time.monotonic() + SILENCE_S

    def verdict(self) -> Gap | None:
        """Why the step must stop: ``skipped`` when the guard says so, ``error`` when it does not answer or broke.
        ``None`` while all is well. Never waits.
        """
        items, ended = self._worker.receive()
        for item in items:
            if isinstance(item, Gap):
                return item
            if isinstance(item, TimeLimit):
                self._due = time.monotonic() + item.seconds
        if ended or self._worker.failure:
            return Gap("", Outcome.ERROR, Text("the check itself broke"))
        if time.monotonic() >= self._due:
            return Gap("", Outcome.ERROR, Text("no answer within {seconds} s", {"seconds": SILENCE_S}))
        return None

    def wait_longer(self, seconds: float) -> None:
        """The whole agent stood still for so long, and the guard perhaps with it."""
        self._due += seconds

    @property
    def failure(self) -> str:
        """What broke, for the journal."""
        return self._worker.failure or ""

    def kill(self) -> None:
        """Have it end, without waiting for it."""
        self._worker.kill()

    def close(self, until: float | None = None) -> None:
        """End the watch, and wait for that as :meth:`Worker.await_end` does. One that is stuck in the kernel is left
        behind.
        """
        self._worker.kill()
        self._worker.await_end(until)
        self._worker.close()
