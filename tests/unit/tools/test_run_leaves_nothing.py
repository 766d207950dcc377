"""Whatever a program starts, and whoever is killed: no process stays. ``workshop`` looks for them after each test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.tools import Status, run

NAME = "misbehaving"

DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for n in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(n, signal.SIG_IGN)
        print('daemon up', flush=True)
        time.sleep(60)
    os._exit(0)
os.wait()
time.sleep(0.2)
"""


def test_child_in_its_own_session_after_a_timeout(workshop):
    workshop.sh("setsid sh -c 'trap \"\" TERM HUP; sleep 60; sleep 60' & echo up; wait")
    result = run(NAME, (), timeout_s=0.3)
    assert (result.status, result.stdout) == (Status.TIMED_OUT, b"up\n")


def test_child_in_its_own_session_after_the_end(workshop):
    workshop.sh("setsid sleep 60 >/dev/null 2>&1 & exit 4")
    result = run(NAME, (), timeout_s=20)
    assert (result.status, result.exit_status) == (Status.OK, 4)
    assert result.duration_s < 5


def test_daemon_that_holds_the_output(workshop):
    workshop.python(DAEMON)
    result = run(NAME, (), timeout_s=20)
    assert (result.status, result.exit_status, result.stdout) == (Status.OK, 0, b"daemon up\n")
    assert result.duration_s < 5


def test_daemon_of_a_program_that_hangs(workshop):
    workshop.python(DAEMON + "time.sleep(60)")
    assert run(NAME, (), timeout_s=1).status is Status.TIMED_OUT


def test_other_process_groups(workshop):
    workshop.python(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "for _ in range(3):\n    if os.fork() == 0: os.setpgid(0, 0)\n"  # eight processes in seven groups
        "time.sleep(60)"
    )
    assert run(NAME, (), timeout_s=0.4).status is Status.TIMED_OUT


def test_stopped_program(workshop):
    workshop.sh("kill -STOP $$; echo never")
    result = run(NAME, (), timeout_s=0.2)
    assert (result.status, result.exit_status, result.stdout) == (Status.TIMED_OUT, -9, b"")


def test_child_that_keeps_forking(workshop):
    workshop.python(
        "end = time.monotonic() + 8\n"
        "if os.fork() == 0:\n"
        "    while time.monotonic() < end:\n"  # a new process each 10 ms, the old one ends
        "        if os.fork(): os._exit(0)\n        os.setsid(); time.sleep(0.01)\n"
    )
    assert run(NAME, (), timeout_s=5).status is Status.OK


@pytest.mark.parametrize("whom", ["caller", "group"])
def test_killed_caller(workshop, whom):
    workshop.sh("trap '' TERM; setsid sleep 60 & sleep 60; sleep 60")
    caller = os.fork()
    if caller == 0:
        os.setsid()
        run(NAME, (), timeout_s=60)
        os._exit(0)
    assert len(workshop.wait_for_processes(True)) >= 1
    (os.kill if whom == "caller" else os.killpg)(caller, signal.SIGKILL)
    os.waitpid(caller, 0)
    assert workshop.wait_for_processes(False, within_s=5) == []


def test_killed_keeper(workshop):
    workshop.sh("sleep 60")
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run, NAME, (), timeout_s=30)
        program = min(workshop.wait_for_processes(True))
        keeper = int(Path(f"/proc/{program}/stat").read_text().rpartition(")")[2].split()[1])
        assert keeper != os.getpid()
        os.kill(keeper, signal.SIGKILL)
        result = future.result(timeout=5)
    assert (result.status, result.exit_status) == (Status.KILLED, -9)
    for pid in workshop.wait_for_processes(False, within_s=0.2):  # what the program had started is not held any more
        os.kill(pid, signal.SIGKILL)
    workshop.wait_for_processes(False)


def test_interrupted_by_the_person(workshop):
    workshop.sh("trap '' INT TERM; setsid sleep 60 & sleep 60; sleep 60")
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run(NAME, (), timeout_s=60)
    timer.join()


def test_eight_threads_at_once(workshop):
    workshop.sh('echo "$1"; if [ $(($1 % 4)) = 0 ]; then sleep 60; fi; exit $1')
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: run(NAME, (str(n),), timeout_s=1.5), range(48)))
    for number, result in enumerate(results):
        hangs = number % 4 == 0
        assert result.stdout == f"{number}\n".encode()
        assert (result.status, result.exit_status) == (
            (Status.TIMED_OUT, -signal.SIGTERM) if hangs else (Status.OK, number)
        )
    assert time.monotonic() - began < 10


def test_exit_statuses_of_others_are_theirs(workshop):
    workshop.sh("exit 3")
    other = subprocess.Popen(("/bin/sh", "-c", "exit 7"))
    assert [run(NAME, (), timeout_s=5).exit_status for _ in range(5)] == [3] * 5
    assert other.wait() == 7


def test_somebody_else_waits_for_all_children(workshop):
    workshop.sh("sleep 0.2; exit 3")
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run, NAME, (), timeout_s=5)
        workshop.wait_for_processes(True)
        with contextlib.suppress(ChildProcessError):  # whoever of the two is first
            os.waitpid(-1, 0)
        assert future.result().exit_status == 3


def test_caller_that_ignores_its_children(workshop):
    workshop.sh("exit 3")
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        result = run(NAME, (), timeout_s=5)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (result.status, result.exit_status) == (Status.OK, 3)


def test_program_that_cannot_be_killed(workshop):
    """A frozen task of a version 1 freezer takes no SIGKILL, as one in uninterruptible sleep."""
    freezer = Path("/sys/fs/cgroup/freezer") / f"aiodiag-test-{os.getpid()}"
    try:
        freezer.mkdir()
    except OSError as e:
        pytest.skip(f"no freezer control group: {e}")
    try:
        workshop.sh("echo up; sleep 60")
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(run, NAME, (), timeout_s=1.0)
            for pid in workshop.wait_for_processes(True):
                (freezer / "cgroup.procs").write_text(str(pid))
            (freezer / "freezer.state").write_text("FROZEN")
            result = future.result(timeout=10)
        assert (result.status, result.exit_status) == (Status.TIMED_OUT, None)
        assert result.duration_s < 5
        assert workshop.processes() != []
    finally:
        (freezer / "freezer.state").write_text("THAWED")
        assert workshop.wait_for_processes(False) == []
        time.sleep(0.1)
        freezer.rmdir()
