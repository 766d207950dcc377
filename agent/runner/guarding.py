"""Watching over a step that exercises hardware, from a process of its own.

A sensor that does not answer holds whoever reads it, so the engine never reads one; and hardware that nobody can watch
must not be exercised, so silence stops the step too. Each look gives a heartbeat besides.
"""

from __future__ import annotations

import os
import time

from agent.model import Gap, Heartbeat, Outcome, Text
from agent.runner.step import Guard, Heat
from agent.runner.worker import Send, TimeLimit, Worker

GUARD_S = 1.0
"""Seconds between two looks: a processor at full load without cooling gains a few degrees meanwhile; ours."""
SILENCE_S = 5.0
"""Seconds within which a look must be over; ours: long for a sensor, short for a processor that gets hot."""


class Watch:
    """A guard at work, from now until :meth:`close`."""

    def __init__(self, guard: Guard, heat: Heat | None = None) -> None:
        began = _boottime()

        def work(send: Send) -> None:
            while True:
                if heat:
                    send(_heartbeat(began, heat()))
                reason = guard()
                if reason:
                    send(Gap("", Outcome.SKIPPED, reason))
                send(TimeLimit(SILENCE_S))
                time.sleep(GUARD_S)

        self._worker = Worker(work)
        self._due = time.monotonic() + SILENCE_S
        self._heartbeats: list[Heartbeat] = []

    def verdict(self) -> Gap | None:
        """Why the step must stop: ``skipped`` when the guard says so, ``error`` when it does not answer or broke.
        ``None`` while all is well. Never waits.
        """
        items, ended = self._worker.receive()
        self._heartbeats += [item for item in items if isinstance(item, Heartbeat)]
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

    def heartbeats(self) -> list[Heartbeat]:
        """Those that :meth:`verdict` heard and nobody has taken yet."""
        taken, self._heartbeats = self._heartbeats, []
        return taken

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


def _heartbeat(began: float, temperature: float | None) -> Heartbeat:
    now = _boottime()
    warm = None if temperature is None else round(temperature, 1)
    return Heartbeat(round(now - began, 1), round(now, 1), round(os.getloadavg()[0], 2), warm)


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
