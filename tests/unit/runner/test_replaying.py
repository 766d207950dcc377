"""Reproducing, verifying and going on after a restart, on this machine, whose memory is made to fail by a stand-in for
stressapptest alone: it hands out what the real one printed.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import tests_hw
from agent.host import Host
from agent.journal import Journal, RunStore, read
from agent.model import ComponentKind, Outcome
from agent.model.run_view import JOURNAL, RunView
from agent.plans import symptom
from agent.probes import areas
from agent.replay.recipe import Recipe, Work
from agent.replay.reproduction import Ending
from agent.replay.round import Round, Signature
from agent.replay.verification import Standing, Verification
from agent.runner.baseline import Baseline
from agent.runner.recording import Asked, walked
from agent.runner.replaying import REPRODUCTION, parameters, replay, reproduction
from agent.runner.resuming import Resumable, Resumed, reopen, resumable
from agent.runner.rounds import Player
from agent.runner.verifying import VERIFICATION, verification
from agent.runner.verifying import parameters as verifying
from tests.ocp import validate_lines
from tests.unit.tests_hw import test_memory as printed

WORKS = {"everything": Work("everything", ("memory",), 5.0, 0.0, 1, {"hours": 1.0, "memory": 1.0})}
LIMIT_H = 0.0015  # more than the round that is cut off can have lasted
UNIT = {"serial": "AIO24-0001", "model": "AIO-24"}

STAND_IN = '''
import importlib.util, os, time
from agent.host import now
from agent.model import Evidence
spec = importlib.util.spec_from_file_location("agent.tests_hw.real_memory", {real!r})
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)

class MemoryTest(real.MemoryTest):
    """The real one but for the program."""

    def exercise(self, host, bout):
        yield host.tree("/proc/meminfo")
        if os.path.exists({folder!r} + "/hangs"):
            open({folder!r} + "/hanging", "w").close()
            time.sleep(60)
        text = open({folder!r} + "/printed").read()
        yield Evidence("stressapptest", "", text.encode(), "stressapptest", now(), 0)

TEST = MemoryTest()
'''


class Memory:
    """What the stand-in says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_good()

    def is_bad(self) -> None:
        (self.folder / "printed").write_text(printed.BEGINNING + printed.MISCOMPARE + printed.FAILED)

    def is_good(self) -> None:
        (self.folder / "printed").write_text(printed.BEGINNING + printed.PASSED)

    def hangs(self) -> None:
        (self.folder / "hangs").touch()

    def goes_on(self) -> None:
        (self.folder / "hangs").unlink()

    @property
    def hanging(self) -> bool:
        return (self.folder / "hanging").exists()


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    folder = tmp_path / "stand-in"
    folder.mkdir()
    real = next(iter(tests_hw.__path__)) + "/memory.py"
    (folder / "memory.py").write_text(STAND_IN.format(real=real, folder=str(folder)))
    name = "agent.tests_hw.memory"
    was = sys.modules.pop(name, None)
    monkeypatch.setattr(tests_hw, "__path__", [str(folder), *tests_hw.__path__])
    yield Memory(folder)
    sys.modules.pop(name, None)
    if was is not None:
        sys.modules[name] = was


def told(_: Round) -> None:
    """Nobody listens."""


def replayed(store: RunStore, limit_h: float = 1.0) -> tuple[Recipe | None, RunView, str]:
    complaint = symptom("memory-errors")
    works = parameters(complaint, WORKS, limit_h=limit_h, alpha=0.05)
    asked = Asked(
        "replay", "replay-memory-errors", "1", (REPRODUCTION,), complaint.name, None, "en", "aiodiag", UNIT, works
    )
    state = reproduction(complaint, WORKS, limit_h=limit_h, alpha=0.05)
    run_id, journal = store.new()
    with journal:
        recipe = replay(asked, journal, Host(), state, WORKS, tell=told)
    return recipe, RunView.from_records(read(store.path(run_id) / JOURNAL)), run_id


def verified(store: RunStore, recipe: Recipe) -> tuple[Verification, RunView, dict[str, object]]:
    state = Verification(recipe, 0.05, 1.0)
    asked = Asked("verify", "verify", "1", (VERIFICATION,), None, None, "en", "aiodiag", UNIT, verifying(state, None))
    run_id, journal = store.new()
    with journal:
        document = verification(asked, journal, Host(), state, tell=told)
    return state, RunView.from_records(read(store.path(run_id) / JOURNAL)), document


def test_from_the_symptom_to_the_certificate(memory: Memory, tmp_path: Path, shared: Path) -> None:
    store = RunStore(tmp_path / "state")
    memory.is_bad()
    recipe, view, run_id = replayed(store)
    assert recipe is not None
    assert (recipe.fault.code, recipe.observed.failures, recipe.observed.exposure) == ("MEM-3908", 3, 3)
    assert view.complete
    assert view.outcomes[REPRODUCTION] is Outcome.FAIL
    assert [step.round["shown"][0]["code"] for step in view.steps.values() if step.round] == ["MEM-3908"] * 4
    assert sum(found.finding.code == "MEM-3908" for found in view.findings) == 1
    assert validate_lines(store.path(run_id) / JOURNAL, shared) > 40
    assert Recipe.from_json(recipe.to_json()) == recipe

    still, view, _ = verified(store, recipe)
    assert (still.standing, len(still.rounds)) == (Standing.STILL_FAULTY, 1)
    assert view.outcomes[VERIFICATION] is Outcome.FAIL
    assert view.steps["1.round"].parameters["seed"] == recipe.seed

    memory.is_good()
    gone, view, document = verified(store, recipe)
    assert (gone.standing, gone.clean, gone.needed) == (Standing.VERIFIED, 3, 3)
    assert view.outcomes[VERIFICATION] is Outcome.PASS
    assert document["verdict"] == "verified"
    assert view.outcomes["regression.rules"] is Outcome.PASS
    assert sum(step.startswith("regression.probe.") for step in view.outcomes) == len(areas())
    assert document["confidence"] == pytest.approx(0.95)


def test_what_never_shows_is_not_reproduced_and_never_all_right(memory: Memory, tmp_path: Path) -> None:
    recipe, view, _ = replayed(RunStore(tmp_path / "state"), limit_h=0.00001)
    assert recipe is None
    step = view.steps[REPRODUCTION]
    assert step.outcome is Outcome.SKIPPED
    assert step.reason is not None
    assert str(step.reason).startswith("not reproduced in 1 rounds")
    assert view.verdict.value != "pass"


def test_a_test_without_hardware_is_left_out_of_a_search_and_missed_in_a_verification(
    memory: Memory, tmp_path: Path
) -> None:
    if Host().glob("/sys/bus/usb/devices/*-*"):
        pytest.skip("this machine has USB devices")
    work = Work("everything", ("memory", "usb"), 10.0, 0.0, 1, {"hours": 1.0})
    with Journal.create(tmp_path / "run") as journal, walked(journal) as engine:
        for number, leaves_out in enumerate((True, False), 1):
            baseline = Baseline((), {}, None)
            player = Player(engine, journal, Host(), ["memory"], baseline, number, leaves_out)
            assert player.play(work, 7).whole is leaves_out
            assert player.unsupported == {"usb"}
            assert work.without(player.unsupported).tests == ("memory",)


def test_what_the_customers_check_showed_is_looked_for_first() -> None:
    complaint = symptom("freezes")
    blind = reproduction(complaint, WORKS, limit_h=1.0, alpha=0.05).belief()
    hint = Signature("LOG-8400", ComponentKind.STORAGE_DEVICE, "sda")
    led = reproduction(complaint, WORKS, limit_h=1.0, alpha=0.05, hints=[hint]).belief()
    assert max(led, key=led.__getitem__) == "drive" != max(blind, key=blind.__getitem__)
    assert all(led[cause] > 0 for cause in blind), "the hint may be wrong"


def cut_off(store: RunStore, memory: Memory, limit_h: float, *, in_another_boot: bool) -> Resumable:
    """A reproduction whose agent was killed in the middle of its first round; as if in an earlier boot."""
    memory.hangs()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        try:
            replayed(store, limit_h)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 60
    while not memory.hanging and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    memory.goes_on()
    (run_id,) = store.open_runs()
    journal = store.path(run_id) / JOURNAL
    if in_another_boot:
        text = journal.read_text()
        journal.write_text(re.sub(r'"boot_id":"[0-9a-f-]+"', '"boot_id":"before"', text))
    waiting = resumable(store)
    assert waiting is not None
    assert waiting.kind == "replay"
    return waiting


def resumed(waiting: Resumable) -> tuple[Resumed, Recipe | dict[str, object] | None, RunView]:
    again = reopen(waiting)
    with again.journal:
        made = again.walk(Host(), told)
    return again, made, RunView.from_records(read(waiting.run / JOURNAL))


def test_that_the_unit_went_down_is_a_failure_of_that_round(memory: Memory, tmp_path: Path, shared: Path) -> None:
    store = RunStore(tmp_path / "state")
    waiting = cut_off(store, memory, LIMIT_H, in_another_boot=True)
    memory.is_bad()
    again, made, view = resumed(waiting)
    first = again.state.rounds[0]
    assert (first.number, first.shown[0].code, first.whole) == (1, "DOWN-8715", False)
    assert view.steps["1.round"].outcome is Outcome.INTERRUPTED
    assert view.steps["1.down"].outcome is Outcome.FAIL
    assert view.complete
    assert len(view.boots) == 2
    assert not isinstance(again.state, Verification)
    assert again.state.ending is Ending.RARE
    assert isinstance(made, Recipe)
    assert (made.fault.code, made.observed.failures) == ("DOWN-8715", 1)
    assert made.least.peak_c is None, "nobody knows how warm it was"
    assert validate_lines(waiting.run / JOURNAL, shared) > 40
    assert resumable(store) is None


def test_what_a_test_wrote_that_was_cut_off_is_gone_once_the_run_goes_on(memory: Memory, tmp_path: Path) -> None:
    waiting = cut_off(RunStore(tmp_path / "state"), memory, 1.0, in_another_boot=True)
    (left,) = waiting.run.parent.glob("*.scratch")
    reopen(waiting).journal.close()
    assert not left.exists()


def test_that_only_the_agent_was_killed_counts_for_nothing(memory: Memory, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "state")
    waiting = cut_off(store, memory, 1.0, in_another_boot=False)
    memory.is_bad()
    again, made, view = resumed(waiting)
    assert [played.number for played in again.state.rounds] == [2, 3, 4, 5], "no number is used twice"
    assert isinstance(made, Recipe)
    assert made.observed.failures == 3
    assert not isinstance(again.state, Verification)
    assert again.state.ending is Ending.REPRODUCED
    assert view.steps["1.round"].outcome is Outcome.INTERRUPTED
