"""A person stops a hardware test: everything stops within two seconds, whatever the exerciser is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.journal import RunStore, read
from agent.model import Outcome
from agent.model.run_view import RunView
from tests.agent_process import ROOT, environment
from tests.unit.runner.exercised import adopting, children

pytestmark = pytest.mark.adversarial

PATIENT_S = 60.0
STOPPED_S = 2.0
"""What the product promises; the one time that is asserted, for a machine that has nothing else to do."""

AGENT = """
import sys
from agent.cli.main import main
from agent.tools import PROGRAMS, Program

if sys.argv[1]:
    PROGRAMS["stressapptest"] = Program((sys.argv[1],), "stressapptest", "misbehaves", None)
sys.exit(main(["selfcheck"]))
"""

STUBBORN = f"""#!{sys.executable} -IS
import os, signal, sys, time
for number in signal.valid_signals() - {{signal.SIGKILL, signal.SIGSTOP}}: signal.signal(number, signal.SIG_IGN)
for _ in range(3):
    os.fork() or os.setsid()
open("UP", "w").close()
while True: time.sleep(1)
"""


@pytest.fixture
def agent(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The agent while it exercises the memory, and its state directory."""
    state, program = tmp_path / "state", ""
    if request.param == "stubborn":
        (tmp_path / "exerciser").write_text(STUBBORN.replace("UP", str(tmp_path / "up")))
        (tmp_path / "exerciser").chmod(0o755)
        program = str(tmp_path / "exerciser")
    command = [sys.executable, "-c", AGENT, program]
    with adopting():
        started = subprocess.Popen(
            command, env=environment(state), cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            wait_for(lambda: working(tmp_path) if program else any(map(named, descendants(started.pid))), started)
            yield started, state
        finally:
            started.kill()
            started.communicate()


def working(folder: Path) -> bool:
    return (folder / "up").exists()


def named(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "stressapptest\n"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    found, ahead = [], [pid]
    while ahead:
        try:
            below = [
                int(child)
                for task in Path(f"/proc/{ahead.pop()}/task").iterdir()
                for child in (task / "children").read_text().split()
            ]
        except OSError:
            continue
        found += below
        ahead += below
    return found


def wait_for(condition, agent: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENT_S
    while not condition():
        assert agent.poll() is None, agent.stderr and agent.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("agent", ["stressapptest", "stubborn"], indirect=True)
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_everything_stops(by: signal.Signals, agent: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, state = agent
    of_test = descendants(process.pid)
    assert len(of_test) >= 3
    others = children() - {process.pid}
    others_waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    began = time.monotonic()
    process.send_signal(by)
    status = process.wait(PATIENT_S)
    left = [pid for pid in of_test if running(pid)]
    assert (status, left) == (130, [])
    assert time.monotonic() - began < STOPPED_S * max(1.0, others_waiting)
    for pid in children() - others - {process.pid}:
        os.waitpid(pid, os.WNOHANG)
    (run,) = (entry for entry in (state / "runs").iterdir())
    assert RunStore(state).open_runs() == []
    view = RunView.from_records(read(run / "journal.jsonl"))
    assert view.steps["test.memory"].outcome is Outcome.SKIPPED
    assert (str(view.steps["test.memory"].reason), view.complete) == ("stopped by the person", False)


def running(pid: int) -> bool:
    """Whether it is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("agent", ["stubborn"], indirect=True)
def test_everything_stops_when_the_agent_is_killed(agent: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, state = agent
    of_test = descendants(process.pid)
    process.kill()
    process.wait()
    until = time.monotonic() + PATIENT_S
    while left := [pid for pid in of_test if running(pid)]:
        assert time.monotonic() < until, left
        time.sleep(0.02)
    assert RunStore(state).open_runs() != []
