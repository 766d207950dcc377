"""A run that was cut off says what became of it: the agent was ended, or the unit went down, when, and how warm."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.host import Host
from agent.journal import Journal, RunStore, read
from agent.model import Heartbeat, Outcome, Text, ocp
from agent.model.run_view import RunView
from agent.runner import steps
from agent.runner.engine import Engine
from agent.runner.recorder import Recorder
from agent.runner.recording import boot_id
from agent.runner.recovery import close_interrupted
from agent.runner.step import Step, StepResult
from agent.runner.worker import Item, Send
from agent.tests_hw import Bout
from agent.texts import LANGUAGES, render
from agent.watch import Exercise
from agent.watch._heat import hottest
from tests.ocp import validate_lines
from tests.unit.runner.exercised import Misbehaving

ANOTHER = "0d5c2a3e-9a55-4f0c-8f57-1f4f5b0c2a10"


def start(boot: str) -> ocp.Artifact:
    return ocp.run_start(
        version="0.1.0", command_line="", parameters={"needed": []}, unit={}, components=[], metadata={"boot_id": boot}
    )


def cut_off(store: RunStore, boot: str, *more: ocp.Artifact) -> str:
    """A run of which no end was written."""
    run_id, journal = store.new()
    with journal:
        journal.append(start(boot), ocp.step_start("test.memory", "test.memory"), *more)
    return run_id


def beat(seconds: float, temperature: float | None) -> ocp.Artifact:
    return ocp.heartbeat("test.memory", Heartbeat(seconds, 1000 + seconds, 2.5, temperature))


HERE = boot_id()
CASES = [
    (ANOTHER, [beat(1.0, 51.0), beat(37.2, 88.5)], ("the unit went down 37 s after the test began, at 88.5 °C", 37.2)),
    (ANOTHER, [beat(0.0, None)], ("the unit went down 0 s after the test began", 0.0)),
    (ANOTHER, [], ("the unit went down", 0.0)),
    (HERE, [beat(37.2, 88.5)], ("the agent was ended 37 s after the test began", 37.2)),
    (HERE, [], ("the agent was ended", 0.0)),
    ("", [beat(37.2, 88.5)], ("the agent or the unit went down", 37.2)),
]


@pytest.mark.parametrize(("boot", "beats", "told"), CASES)
def test_what_became_of_it(
    boot: str, beats: list[ocp.Artifact], told: tuple[str, float], tmp_path: Path, shared: Path
) -> None:
    why, seconds = told
    store = RunStore(tmp_path)
    run_id = cut_off(store, boot, *beats)
    (closed,) = close_interrupted(store)
    assert (closed.run_id, str(closed.why)) == (run_id, why)
    path = store.path(run_id) / "journal.jsonl"
    validate_lines(path, shared)
    view = RunView.from_records(read(path))
    step = view.steps["test.memory"]
    assert (step.outcome, str(step.reason), step.duration_s) == (Outcome.INTERRUPTED, why, seconds)
    assert view.ended
    assert not view.complete
    assert close_interrupted(store) == []


def test_it_is_said_in_all_languages() -> None:
    known = Text(
        "the unit went down {seconds} s after the test began, at {temperature} °C", {"seconds": 37, "temperature": 88.5}
    )
    said = {render(known, language) for language in LANGUAGES}
    assert len(said) == len(LANGUAGES)
    assert all("37" in text and "88.5" in text for text in said)


def test_heartbeats_of_what_is_no_number_are_passed_over(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    odd = ocp.extension("test.memory", "heartbeat", {"seconds": "x", "boottime_s": 1, "load": 1, "temperature": 20})
    cut_off(store, ANOTHER, beat(2.0, 50.0), odd, ocp.extension("test.memory", "heartbeat", {}))
    (closed,) = close_interrupted(store)
    assert str(closed.why) == "the unit went down 2 s after the test began, at 50.0 °C"


def zone(root: Path, name: str, millidegrees: str) -> None:
    folder = root / "sys/class/thermal" / name
    folder.mkdir(parents=True)
    (folder / "temp").write_text(millidegrees)


def test_the_hottest_zone_that_can_be(tmp_path: Path) -> None:
    assert hottest(str(tmp_path)) is None
    for number, value in enumerate(("27800", "88500\n", "255000", "-274000", "", "hot")):
        zone(tmp_path, f"thermal_zone{number}", value)
    assert hottest(str(tmp_path)) == 88.5


class Ends:
    """Ends the agent the hard way after so many heartbeats."""

    def __init__(self, beats: int) -> None:
        self.left = beats

    def started(self, steps: Sequence[Step]) -> None: ...
    def ended(self, step: Step, result: StepResult, /) -> None: ...
    def tick(self) -> None: ...
    def received(self, step: Step, item: Item) -> None:
        self.left -= isinstance(item, Heartbeat)
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def test_an_agent_that_is_killed_has_left_its_heartbeats(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.tests_hw.load", lambda name: Misbehaving(lambda host, bout: time.sleep(60)))
    zone(tmp_path, "thermal_zone0", "61500")
    store = RunStore(tmp_path)
    run_id, journal = store.new()
    journal.close()
    agent = os.fork()
    if agent == 0:
        try:
            with Journal.reopen(store.path(run_id))[0] as journal:
                journal.append(start(HERE))
                bout = Bout(30, 1, tmp_path)
                bad = steps.test_step("bad", bout, Host(str(tmp_path)), Exercise(0.0))
                Engine([Recorder(journal), Ends(2)]).run([bad])
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(agent, 0)[1]) == -signal.SIGKILL
    path = store.path(run_id) / "journal.jsonl"
    beats = [r["testStepArtifact"]["extension"] for r in read(path) if "heartbeat" in str(r)]
    assert len(beats) == 2
    assert [beat["content"]["temperature"] for beat in beats] == [61.5, 61.5]
    assert beats[1]["content"]["seconds"] - beats[0]["content"]["seconds"] >= 0.9
    (closed,) = close_interrupted(store)
    assert str(closed.why).startswith("the agent was ended ")
    view = RunView.from_records(read(path)).steps["test.bad"]
    assert view.heartbeat is not None
    assert view.heartbeat.boottime_s == beats[1]["content"]["boottime_s"]
    validate_lines(path, shared)


def test_a_step_that_exercises_nothing_has_no_heartbeat(tmp_path: Path) -> None:
    def naps(send: Send) -> None:
        time.sleep(0.5)

    with Journal.create(tmp_path / "run") as journal:
        Engine([Recorder(journal)]).run([Step("a", naps, 10), Step("b", naps, 10, guard=lambda: None)])
    assert "heartbeat" not in (tmp_path / "run" / "journal.jsonl").read_text()
