"""Hardware is watched from before it is exercised until after that, however long it takes and whatever happens."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import watch
from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading
from agent.runner.engine import Engine
from agent.runner.step import StepResult
from agent.runner.steps import exercise_steps
from agent.tests_hw import Bout, HardwareTest
from agent.watch._watcher import Observed, Watcher
from tests.unit.runner.exercised import Misbehaving, Well

PATIENCE_S = 20.0
"""Far more than any of this takes: a step that is still there then has waited for nobody."""
FIRST = "0,1,{us},-;usb 1-3: USB disconnect, device number 2\n"
LAST = "3,2,{us},-;ata1: hard resetting link\n"


def kernel_says(root: Path, record: str) -> None:
    """Whoever does not listen by now never hears of it."""
    log = os.open(root / "dev/kmsg", os.O_WRONLY | os.O_NONBLOCK)
    os.write(log, record.format(us=time.monotonic_ns() // 1000).encode())
    os.close(log)


def exercised(monkeypatch: pytest.MonkeyPatch, root: Path, *tests: HardwareTest) -> dict[str, StepResult]:
    """What came of these tests and of all watchers, over the files below ``root``."""
    monkeypatch.setattr("agent.tests_hw.load", {test.name: test for test in tests}.__getitem__)
    steps = exercise_steps([test.name for test in tests], Bout(0.1, 7, root), Host(str(root)))
    patient = [s._replace(timeout_s=PATIENCE_S if s.id.startswith("test.") else 2 * PATIENCE_S) for s in steps]
    return {result.step: result for result in Engine().run(patient)}


def heard(results: dict[str, StepResult]) -> set[str]:
    return {r.name.split(".")[1] for r in results["watch.kernel_log"].readings if r.name.endswith(".count")}


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    os.mkfifo(tmp_path / "dev/kmsg")
    return tmp_path


class Slow(Watcher):
    """One that takes its time until it looks, or never gets there."""

    name = "kernel_log"

    def __init__(self, *, dies: bool = False) -> None:
        self._real, self._dies = watch.load(self.name), dies

    def watch(self, host: Host, lookout: Any) -> Iterator[Evidence | Gap]:
        time.sleep(0.5)
        if self._dies:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from self._real.watch(host, lookout)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Observed]:
        yield from self._real.interpret(evidence)


def instead(monkeypatch: pytest.MonkeyPatch, slow: Slow) -> None:
    load = watch.load
    monkeypatch.setattr(watch, "load", lambda name: slow if name == slow.name else load(name))


def test_the_first_and_the_last_moment_are_watched(monkeypatch: pytest.MonkeyPatch, unit: Path) -> None:
    """A watcher that is slow to begin, and an exerciser that takes five times as long as it was given."""

    def overruns(_host: Host, _bout: Bout) -> None:
        kernel_says(unit, FIRST)
        time.sleep(0.5)
        kernel_says(unit, LAST)

    instead(monkeypatch, Slow())
    results = exercised(monkeypatch, unit, Misbehaving(overruns), Well())
    assert results["test.bad"].outcome is Outcome.PASS
    assert results["test.well"].outcome is Outcome.PASS
    assert heard(results) == {"usb_disconnect", "ata_link"}


def test_it_is_watched_to_the_end_of_an_exerciser_that_is_killed(monkeypatch: pytest.MonkeyPatch, unit: Path) -> None:
    def hangs(_host: Host, _bout: Bout) -> None:
        time.sleep(0.5)
        kernel_says(unit, LAST)
        os.kill(os.getpid(), signal.SIGKILL)

    results = exercised(monkeypatch, unit, Misbehaving(hangs))
    assert results["test.bad"].outcome is Outcome.ERROR
    assert heard(results) == {"ata_link"}


def test_nothing_to_watch_holds_nobody_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("agent.watch._lookout.LOOKING_WITHIN_S", 2 * PATIENCE_S)
    results = exercised(monkeypatch, tmp_path, Well())
    assert results["test.well"].outcome is Outcome.PASS
    assert {r.outcome for step, r in results.items() if step.startswith("watch.")} == {Outcome.UNSUPPORTED}


def test_a_watcher_that_breaks_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch, unit: Path) -> None:
    monkeypatch.setattr("agent.watch._lookout.LOOKING_WITHIN_S", 1.0)
    instead(monkeypatch, Slow(dies=True))
    results = exercised(monkeypatch, unit, Well())
    assert results["watch.kernel_log"].outcome is Outcome.ERROR
    assert results["test.well"].outcome is Outcome.PASS
    assert not any(isinstance(item, Reading) for item in results["watch.kernel_log"].readings)
