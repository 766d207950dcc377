"""A running plan, killed at any moment: what was said to be done is in the journal, and the next start closes the run
rightly.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.progress import Lines
from agent.host import Host
from agent.journal import RunStore, read
from agent.model import Evidence, Gap, Outcome
from agent.model.run_view import RunView
from agent.plans import Plan
from agent.runner import summary
from agent.runner.recovery import close_interrupted
from agent.runner.run import Request, run
from agent.runner.worker import Item
from agent.tests_hw import Bout
from agent.tools import PROGRAMS, Program
from tests.ocp import validate_lines
from tests.unit.runner.exercised import GONE_S, Ground, Well, adopting

pytestmark = pytest.mark.adversarial

KILLS = 120
CUTS = 12
LONGEST_S = 1.6
"""A whole run takes about as long on two slow cores; later kills hit one that is over."""
TESTS = {"first": 0.2, "second": 0.2, "third": 0.2}


class Short(Well):
    """A real test with a real program, that takes its time."""

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        yield host.output("text", "echo", "well", timeout_s=20)
        (bout.scratch / "data").write_bytes(os.urandom(10_000))
        time.sleep(bout.seconds)
        yield host.output("text", "echo", "well again", timeout_s=20)


class Says(Lines):
    """The lines of progress as the agent prints them, with what they are about for this test."""

    def ended(self, step, result) -> None:
        super().ended(step, result)
        print(json.dumps({"step": step.id, "outcome": result.outcome}), file=self._stream, flush=True)

    def received(self, step, item: Item) -> None:
        what = item.data.decode("latin-1") if isinstance(item, Evidence) else type(item).__name__
        print(json.dumps({"step": step.id, "gave": what}), file=self._stream, flush=True)


def agent(state: Path, pipe: int) -> None:
    """What ``selfcheck`` does, in a child of the test: the run, its lines of progress, its summary."""
    request = Request(
        Plan("killed", "1", {}, ("unit",), ("unit",), TESTS), None, None, "en", "aiodiag", {"serial": "AIO24-0001"}
    )
    with os.fdopen(pipe, "w", buffering=1) as stream:
        run_id, journal = RunStore(state).new()
        with journal:
            view = run(request, journal, Host(), [Says("en", stream)])
        document = summary.summary(view, run_id=run_id, language="en", duration_s=1.0, bundle=None)
        print(json.dumps({"summary": document["outcomes"], "verdict": document["verdict"]}), file=stream, flush=True)


def killed_after(seconds: float, state: Path) -> list[dict]:
    """What the agent had said when it was killed."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read_end)
            agent(state, write_end)
        finally:
            os._exit(0)
    os.close(write_end)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(read_end, "rb") as stream:
        lines = stream.read().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"\n")]


def check(said: list[dict], store: RunStore, shared: Path) -> str:
    """All that was said is on record; says how far the run had come."""
    run_id = store.latest()
    if run_id is None:
        assert said == []
        return "not begun"
    path = store.path(run_id) / "journal.jsonl"
    before = RunView.from_records(read(path)) if path.exists() else RunView()
    on_record(said, before, path.parent)
    was_open = bool(store.open_runs())
    closed = [c.run_id for c in close_interrupted(store)]
    assert closed == ([run_id] if was_open else [])
    assert store.open_runs() == []
    after = RunView.from_records(read(path))
    validate_lines(path, shared)
    on_record(said, after, path.parent)
    assert after.ended
    assert None not in after.outcomes.values()
    assert sorted(p.name for p in (path.parent.parent).iterdir()) == [run_id]  # no scratch
    interrupted = [name for name, step in after.steps.items() if step.outcome is Outcome.INTERRUPTED]
    assert set(interrupted) == {name for name, outcome in before.outcomes.items() if outcome is None}
    for name in interrupted:
        assert str(after.steps[name].reason).startswith("the agent was ended")
    if any("summary" in line for line in said):
        assert (closed, after.complete) == ([], True)
        return "over"
    return "interrupted" if closed else "over"


def on_record(said: list[dict], view: RunView, directory: Path) -> None:
    for line in said:
        if "summary" in line:
            assert {name: outcome and outcome.value for name, outcome in view.outcomes.items()} == line["summary"]
        elif "outcome" in line:
            assert view.steps[line["step"]].outcome == Outcome(line["outcome"])
        elif line["gave"] in ("well\n", "well again\n"):
            kept = [(directory / file["uri"]).read_bytes() for file in view.steps[line["step"]].files]
            assert line["gave"].encode() in kept


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    table = {name: Short() for name in TESTS}
    for name, test in table.items():
        monkeypatch.setattr(test, "name", name, raising=False)
    monkeypatch.setattr("agent.tests_hw.load", table.__getitem__)
    monkeypatch.setattr("agent.watch.watchers", lambda: ())
    monkeypatch.setitem(PROGRAMS, "echo", Program(("/bin/echo",), "coreutils", "says what it is told"))
    with adopting():
        yield


def test_killed_at_any_moment(plan: None, tmp_path: Path, shared: Path) -> None:
    seed = random.randrange(1 << 31)
    print(f"seed {seed}")
    chance = random.Random(seed)
    seen: dict[str, int] = {}
    ground = Ground(tmp_path, shared)
    for number in range(KILLS):
        state = tmp_path / "state"
        said = killed_after(chance.uniform(0, LONGEST_S), state)
        how = check(said, RunStore(state), shared)
        seen[how] = seen.get(how, 0) + 1
        assert ground.left() == [], f"after kill {number}, within {GONE_S} s"
        shutil.rmtree(state, ignore_errors=True)
    print(seen)
    assert seen["interrupted"] > KILLS / 4


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """An image of a real file system, and where it is mounted."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4", path="/usr/sbin:/sbin") is None:
        pytest.skip("mounting a disk needs root and mkfs.ext4")
    image, mount_point = tmp_path / "image", tmp_path / "disk"
    mount_point.mkdir()
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-m", "0", image], check=True)
    mount(image, mount_point)
    yield image, mount_point
    subprocess.run(["/usr/bin/umount", mount_point], check=True)


def mount(image: Path, mount_point: Path) -> None:
    done = subprocess.run(
        ["/usr/bin/mount", "-o", "loop", image, mount_point], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")


def test_what_was_said_is_on_the_disk_when_the_power_goes(
    plan: None, disk: tuple[Path, Path], tmp_path: Path, shared: Path
) -> None:
    """The disk as it is at the moment of the kill, without what the kernel still had to write: the ends of steps are
    there. Raw evidence is for certain only when the run is over, and the journal tells of what is not.
    """
    image, mount_point = disk
    chance = random.Random(5)
    seen: dict[str, int] = {}
    for number in range(CUTS):
        state = mount_point / str(number)
        said = killed_after(chance.uniform(0.3, LONGEST_S), state)
        left = tmp_path / "left"
        shutil.copyfile(image, left)
        again = tmp_path / "again"
        again.mkdir()
        mount(left, again)
        try:
            store = RunStore(again / str(number))
            how = check([line for line in said if "gave" not in line], store, shared)
        finally:
            subprocess.run(["/usr/bin/umount", again], check=True)
            again.rmdir()
        seen[how] = seen.get(how, 0) + 1
    print(seen)
    assert seen["interrupted"]
