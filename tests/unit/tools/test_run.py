"""What comes of a program: every status, with its reason and its output."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.tools import Result, Status, run
from agent.tools._running import STDERR_CAP, STDOUT_CAP

NAME = "misbehaving"
ROOT = Path(__file__).resolve().parents[3]


def start(*args: str, timeout_s: float = 5.0) -> Result:
    return run(NAME, args, timeout_s=timeout_s)


def test_output_exit_status_and_duration(workshop):
    workshop.sh('sleep 0.1; echo "out $1 [$2]"; echo err >&2; exit 3')
    result = start("a b", "*")
    assert (result.status, result.exit_status, result.reason) == (Status.OK, 3, None)
    assert (result.stdout, result.stderr, result.truncated) == (b"out a b [*]\n", b"err\n", False)
    assert 0.1 <= result.duration_s < 2


def test_output_that_is_no_text(workshop):
    workshop.sh(r"printf '\377\376\000\200'; printf '\360\237' >&2")
    result = start()
    assert (result.status, result.stdout, result.stderr) == (Status.OK, b"\xff\xfe\x00\x80", b"\xf0\x9f")


def test_hangs(workshop):
    workshop.sh("echo before; sleep 60")
    began = time.monotonic()
    result = start(timeout_s=0.2)
    assert time.monotonic() - began < 2
    assert (result.status, result.exit_status, result.stdout) == (Status.TIMED_OUT, -15, b"before\n")
    assert str(result.reason) == "no answer within 0.2 s"


def test_time_is_over_at_once(workshop):
    workshop.sh("sleep 60")
    assert start(timeout_s=0.0).status is Status.TIMED_OUT


def test_obeys_sigterm_in_its_own_way(workshop):
    workshop.sh("trap 'echo bye; exit 7' TERM; echo up; sleep 60 & wait")
    result = start(timeout_s=0.3)
    assert (result.status, result.exit_status, result.stdout) == (Status.TIMED_OUT, 7, b"up\nbye\n")


def test_ignores_sigterm(workshop):
    workshop.python("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)")
    result = start(timeout_s=0.5)
    assert (result.status, result.exit_status, result.stdout) == (Status.TIMED_OUT, -9, b"up\n")
    assert result.duration_s < 2.5


@pytest.mark.parametrize(("redirect", "cap"), [("", STDOUT_CAP), (">&2", STDERR_CAP)])
def test_floods(workshop, redirect, cap):
    workshop.sh(f"yes 0123456 {redirect}")
    result = start()
    assert (result.status, result.truncated) == (Status.FLOODED, True)
    assert len(result.stdout) + len(result.stderr) == cap
    assert (result.stdout or result.stderr).startswith(b"0123456\n0123456\n")
    assert str(result.reason) == "misbehaving printed too much"


def test_floods_and_ignores_all_signals(workshop):
    workshop.python(
        "for n in (signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP, signal.SIGINT): signal.signal(n, signal.SIG_IGN)\n"
        "while True:\n    os.write(1, b'x' * 65536)"
    )
    result = start(timeout_s=30)
    assert (result.status, result.exit_status) == (Status.FLOODED, -9)
    assert result.duration_s < 5


def test_output_of_exactly_the_cap(workshop):
    workshop.sh(f"head -c {STDOUT_CAP} /dev/zero; head -c {STDERR_CAP} /dev/zero >&2")
    result = start()
    assert (result.status, result.truncated) == (Status.OK, False)
    assert (len(result.stdout), len(result.stderr)) == (STDOUT_CAP, STDERR_CAP)


def test_output_one_byte_over_the_cap(workshop):
    workshop.sh(f"head -c {STDOUT_CAP + 1} /dev/zero")
    result = start()
    assert (result.status, result.truncated, len(result.stdout)) == (Status.FLOODED, True, STDOUT_CAP)


def test_eats_memory_up_to_its_cap(workshop):
    workshop.python(
        "kept = []\nwhile len(kept) < 64:\n    kept.append(bytearray(16 << 20))\n    os.write(1, b'%d\\n' % len(kept))",
        memory_cap=192 << 20,
    )
    result = start()
    assert (result.status, result.exit_status) == (Status.OK, 1)
    assert result.stderr.endswith(b"MemoryError\n")
    assert int(result.stdout.split()[-1]) * 16 < 192


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("SEGV", 11), ("ABRT", 6), ("PIPE", 13)])
def test_ended_by_a_signal(workshop, name, number):
    workshop.sh(f"echo half; kill -{name} $$; sleep 60")
    result = start()
    assert (result.status, result.exit_status, result.stdout) == (Status.KILLED, -number, b"half\n")
    assert str(result.reason) == f"misbehaving was ended by signal SIG{name}"
    assert not list(workshop.folder.glob("core*"))


def test_ended_by_a_signal_without_a_name(workshop):
    workshop.python("os.kill(os.getpid(), 40)\ntime.sleep(60)")
    assert str(start().reason) == "misbehaving was ended by signal 40"


def test_missing(workshop):
    workshop.listed("/nowhere/a", str(workshop.folder / "b"))
    result = start()
    assert (result.status, result.exit_status, result.stdout) == (Status.MISSING, None, b"")
    assert str(result.reason) == "misbehaving is not installed"


def test_first_path_that_is_there(workshop):
    workshop.listed("/nowhere/a", "/bin/echo", "/bin/false")
    assert start("hello").stdout == b"hello\n"


def test_not_a_name_of_ours():
    with pytest.raises(KeyError):
        run("rm", ("-rf", "/"), timeout_s=1)


def test_not_executable(workshop):
    workshop.script("#!/bin/sh\necho never\n", mode=0o644)
    result = start()
    assert (result.status, result.exit_status, result.stdout) == (Status.NOT_PERMITTED, None, b"")
    assert str(result.reason) == "misbehaving failed: Permission denied"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("\x7fELF is not enough", "Exec format error"),
        ("", "Exec format error"),
        ("#!/nowhere/interpreter\n", "No such file or directory"),
    ],
)
def test_damaged(workshop, content, error):
    workshop.script(content)
    result = start()
    assert (result.status, result.exit_status) == (Status.NOT_STARTED, None)
    assert str(result.reason) == f"misbehaving failed: {error}"


def test_a_directory_is_no_program(workshop):
    workshop.listed(str(workshop.folder))
    assert start().status is Status.NOT_PERMITTED


def test_arguments_that_no_program_can_get(workshop):
    workshop.sh("echo never")
    assert start("nul\0nul").status is Status.NOT_STARTED
    assert str(start("x" * (4 << 20)).reason) == "misbehaving failed: Argument list too long"


def test_no_descriptors_left(workshop):
    workshop.sh("echo hello")
    taken: list[int] = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        result = start()
    finally:
        for fd in taken:
            os.close(fd)
    assert (result.status, str(result.reason)) == (Status.NOT_STARTED, "misbehaving failed: Too many open files")
    assert start().stdout == b"hello\n"


def test_closes_its_output_and_goes_on(workshop):
    workshop.sh("echo all; exec >&- 2>&-; sleep 0.3; exit 5")
    result = start()
    assert (result.status, result.exit_status, result.stdout) == (Status.OK, 5, b"all\n")
    assert result.duration_s >= 0.3


SMALL_AGENT = """
import os, sys
from agent.tools import PROGRAMS, Program, Status, run
path, group = sys.argv[1:]
PROGRAMS["eater"] = Program((path,), "a-package", "misbehaves", None)
with open(group, "w") as file:
    file.write(str(os.getpid()))
result = run("eater", (), timeout_s=20)
print(result.status, result.exit_status)
"""


def test_out_of_memory_ends_the_program_and_not_the_agent(workshop, small_memory: Path):
    """The agent is a process of its own size here: the kernel weighs all that it holds, and pytest holds much."""
    workshop.python("kept = []\nwhile len(kept) < 64: kept.append(bytearray(b'x' * (4 << 20)))\nprint('ate it all')")
    command = [sys.executable, "-c", SMALL_AGENT, workshop.folder / NAME, small_memory / "cgroup.procs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("out-of-memory -9\n", "", 0)


@pytest.fixture
def small_memory():
    """A memory control group with 64 MiB."""
    version_1 = Path("/sys/fs/cgroup/memory")
    own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    if version_1.is_dir():
        parent = version_1 / next(path for _, names, path in own if "memory" in names.split(",")).lstrip("/")
        limit = "memory.limit_in_bytes"
    else:
        parent, limit = Path("/sys/fs/cgroup"), "memory.max"
    group = parent / f"aiodiag-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as e:
        pytest.skip(f"no control group can be made: {e}")
    try:
        if not (group / limit).exists():
            pytest.skip("no memory controller")
        (group / limit).write_text(str(64 << 20))
        yield group
    finally:
        group.rmdir()
