"""Runs scenarios, so many at a time, each on a machine of its own and within its time."""

from __future__ import annotations

import os
import queue
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tests.bench.aio import SHM, VirtualAio, restored, started
from tests.bench.checked import Checked, check
from tests.bench.image import Image
from tests.bench.judgement import Judgement, Result, judge
from tests.bench.machine.qemu import WITH_US
from tests.bench.personality import load
from tests.bench.scenario import Check, Scenario
from tests.receiver_process import ReceiverProcess

After = Callable[[Scenario, VirtualAio, Checked], None]
"""Called while the machine still runs with its self-check over, the fault taken out."""


class Ended(NamedTuple):
    """A scenario that was run. ``seconds`` is all of it, ``ready_s`` until the machine took commands."""

    scenario: Scenario
    judgement: Judgement
    checked: Checked | None
    seconds: float
    ready_s: float


class Bench:
    """Runs scenarios on machines of one image, each with a receiver of its own: the machines are all the same unit,
    with another key each time, and a receiver that met two of them would rightly hold the second one for its staff.
    """

    def __init__(self, image: Image, after: After) -> None:
        self._image = image
        self._after = after
        self._running: set[VirtualAio] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, scenarios: Sequence[Scenario], jobs: int) -> Iterator[Ended]:
        """Run all, ``jobs`` at a time, and give each as it ends. Left early (an exception, ``close()``), it switches
        off every machine first.
        """
        waiting: queue.SimpleQueue[Scenario | None] = queue.SimpleQueue()
        ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        # The long ones first, so that none of them is left alone at the end.
        for scenario in sorted(scenarios, key=lambda s: not s.cold):
            waiting.put(scenario)

        def work() -> None:
            while (scenario := waiting.get()) is not None and not self._stopped:
                ended.put(self.one(scenario))

        workers = [threading.Thread(target=work, name=f"bench-{number}") for number in range(jobs)]
        for worker in workers:
            waiting.put(None)
            worker.start()
        try:
            for _ in scenarios:
                yield ended.get()
        finally:
            self.stop()
            for worker in workers:
                worker.join()

    def one(self, scenario: Scenario) -> Ended:
        """Run one scenario in this thread; whatever goes wrong is in the result."""
        began, ready_s = time.monotonic(), 0.0
        checks: list[Checked] = []
        try:
            with receiver() as receiving:
                switched_on = time.monotonic()
                with self._machine(scenario) as aio:
                    ready_s = time.monotonic() - switched_on
                    scenario.run(aio, _asking(scenario, aio, receiving, checks))
                    judgement = _judged(scenario, checks)
                    for checked in checks[-1:]:
                        self._after(scenario, aio, checked)
        except Exception as e:
            late = f"not over after {scenario.limit_s:.0f} s; " if time.monotonic() - began > scenario.limit_s else ""
            judgement = Judgement(Result.ERROR, "stopped" if self._stopped else late + _why(e))
        return Ended(scenario, judgement, checks[-1] if checks else None, time.monotonic() - began, ready_s)

    def stand_in(self, scenario: Scenario, instead: Callable[[VirtualAio], NoReturn]) -> None:
        """Put a scenario's fault into its machine, and call ``instead`` where the agent would be asked."""
        with self._machine(scenario._replace(limit_s=threading.TIMEOUT_MAX)) as aio:
            scenario.run(aio, lambda **_: instead(aio))

    def stop(self) -> None:
        """Switch off every machine; what is running ends with an error."""
        with self._lock:
            self._stopped = True
            for aio in self._running:
                aio.abort()

    @contextmanager
    def _machine(self, scenario: Scenario) -> Iterator[VirtualAio]:
        personality = load(scenario.personality).with_changes(scenario.changes)
        begin = started if scenario.cold else restored
        with begin(personality, self._image) as aio:
            timer = threading.Timer(scenario.limit_s, aio.abort)
            timer.daemon = True
            with self._lock:
                self._running.add(aio)
            if self._stopped:
                raise InterruptedError("stopped")
            timer.start()
            try:
                yield aio
            finally:
                timer.cancel()
                with self._lock:
                    self._running.discard(aio)


def _asking(scenario: Scenario, aio: VirtualAio, receiving: ReceiverProcess, checks: list[Checked]) -> Check:
    """The scenario's ``check``; what it gave is kept in ``checks``."""

    def check_now(*, typed: str | None = None) -> Checked:
        checks.append(check(aio, receiving, scenario.command, typed))
        return checks[-1]

    return check_now


def _judged(scenario: Scenario, checked: Sequence[Checked]) -> Judgement:
    if not checked:
        return Judgement(Result.ERROR, "the scenario never asked the agent")
    judgement = judge(scenario, checked[-1].findings, checked[-1].status)
    late = [f"{gap['step']} {gap['subject']}".strip() for gap in checked[-1].printed["not_seen"] if _is_late(gap)]
    if judgement.result is Result.PASSED or not late:
        return judgement
    return judgement._replace(why=f"{judgement.why}; no answer in time, as on a slow machine: {', '.join(late)}")


def _is_late(gap: dict[str, Any]) -> bool:
    return gap["outcome"] == "error" and "seconds" in gap["reason"]["values"]


def _why(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in where if "/tests/bench/" in frame.filename]
    place = f" ({Path(ours[-1].filename).name}:{ours[-1].lineno})" if ours else ""
    return f"{type(error).__name__}: {error}{place}"


@contextmanager
def receiver() -> Iterator[ReceiverProcess]:
    """A receiver on this machine's loopback, forgotten at the end."""
    with tempfile.TemporaryDirectory(prefix=f"aio-{os.getpid()}-receiver-", dir=SHM) as folder:
        told = Path(folder) / "told"
        with told.open("wb") as file:
            running = ReceiverProcess(Path(folder) / "data", through=WITH_US, told=file)
        try:
            yield running
        except Exception:
            tell(told.read_text("utf-8", "replace"))
            raise
        finally:
            running.stop()


def tell(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)
