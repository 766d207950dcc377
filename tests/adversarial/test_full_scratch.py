"""A hardware test that fills the disk on which its run is recorded."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host import Host
from agent.journal import JournalError, RunStore, read
from agent.model import Outcome
from agent.model.run_view import RunView
from agent.plans import Plan
from agent.runner.recovery import close_interrupted
from agent.runner.run import Request, run
from agent.tests_hw import Bout
from tests.ocp import validate_lines
from tests.unit.runner.exercised import Ground, Misbehaving, adopting

pytestmark = pytest.mark.adversarial

REQUEST = Request(Plan("full", "1", {}, ("unit",), ("unit",), {"bad": 0.1}), None, None, "en", "aiodiag", {})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    command = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", mount_point]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield mount_point
    subprocess.run(["/usr/bin/umount", mount_point], check=True)


def fill(bout: Bout) -> None:
    with open(bout.scratch / "data", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def fills_and_hangs(host: Host, bout: Bout) -> None:
    fill(bout)
    time.sleep(120)


def fills_and_raises(host: Host, bout: Bout) -> None:
    fill(bout)
    raise OSError(28, "No space left on device")


def fills_and_makes_room(host: Host, bout: Bout) -> None:
    fill(bout)
    (bout.scratch / "data").unlink()


@pytest.mark.parametrize("exercise", [fills_and_hangs, fills_and_raises], ids=lambda f: str(f.__name__))
def test_the_run_says_that_the_disk_is_full_and_the_next_one_has_room(
    exercise, small_disk: Path, tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.tests_hw.load", lambda name: Misbehaving(exercise, slack_s=1.0))
    store = RunStore(small_disk)
    with adopting():
        ground = Ground(tmp_path, shared)
        run_id, journal = store.new()
        with journal, pytest.raises(JournalError, match="the disk is full"):
            run(REQUEST, journal, Host(), state=small_disk)
        assert ground.left() == []
    assert [p.name for p in (small_disk / "runs").iterdir()] == [run_id]
    was_open = store.open_runs()  # a short record may have found room
    assert [closed.run_id for closed in close_interrupted(store)] == was_open
    path = store.path(run_id) / "journal.jsonl"
    validate_lines(path, shared)
    view = RunView.from_records(read(path))
    assert view.steps["probe.unit"].outcome in {Outcome.PASS, Outcome.UNSUPPORTED}  # done before, and kept
    assert None not in view.outcomes.values(), "a run is closed when all its steps are"
    assert (Outcome.INTERRUPTED in view.outcomes.values()) == bool(was_open), "those whose end found no room"
    assert view.steps["test.bad"].outcome in {Outcome.ERROR, *([Outcome.INTERRUPTED] if was_open else [])}
    assert not view.complete
    monkeypatch.setattr("agent.tests_hw.load", lambda name: Misbehaving(fills_and_makes_room))
    run_id, journal = store.new()
    with journal:
        view = run(REQUEST, journal, Host(), state=small_disk)
    assert view.steps["test.bad"].outcome is Outcome.PASS
    assert view.complete
