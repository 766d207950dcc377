"""Programs that misbehave in the exerciser's place, judged by the memory test as it is: whatever they say, only a pass
that worked is one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.model import Outcome
from agent.tests_hw.memory import MemoryTest
from agent.tools import PROGRAMS, Program
from tests.unit.runner.exercised import PATIENT_S, Ground, adopting

# What stressapptest 1.0.6 of Debian 12 prints in a clean pass, and with --force_errors; shortened.
BEGINNING = """Log: Commandline - stressapptest -W -M 64 -s 1 --max_errors 100
Stats: SAT revision 1.0.6_autoconf, 64 bit binary
Stats: Starting SAT, 64M, 1 seconds
"""
ENDING = """Stats: Found 0 hardware incidents
Stats: Completed: 45522.00M in 5.00s 9099.32MB/s, with 0 hardware incidents, 0 errors

Status: PASS - please verify no corrected errors
"""
PASSED = BEGINNING + ENDING
FAILED = """Report Error: miscompare : DIMM Unknown : 1 : 0s
Stats: Found 1 hardware incidents
Stats: Completed: 40350.00M in 5.00s 8063.95MB/s, with 1 hardware incidents, 0 errors

Status: FAIL - test discovered HW problems
"""
MEMTESTER = "memtester version 4.6.0 (64-bit)\nLoop 1/1:\n  Stuck Address       : ok\n\nDone.\n"
SHORT_S = 6.0
"""Of which the memory test keeps five for itself."""
ERROR, PASS = Outcome.ERROR, Outcome.PASS
LATE, KILLED = "no answer within 1.25 s", "stressapptest was ended by signal SIG"
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for n in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(n, signal.SIG_IGN)
        time.sleep(120)
    os._exit(0)
"""


class Case(NamedTuple):
    """What the program does (Python, with ``PASSED`` and the like), and what must be told of it."""

    code: str
    outcome: Outcome
    said: str = ""
    mismatches: int | None = None
    slack_s: float = PATIENT_S


CASES = {
    "works well": Case("say(PASSED)", PASS, mismatches=0),
    "finds wrong data": Case("say(BEGINNING + FAILED); sys.exit(1)", PASS, mismatches=1),
    "exits with 0 without having worked": Case("pass", ERROR, "stressapptest failed"),
    "prints half of it": Case("say(PASSED[:150])", ERROR, "stressapptest failed: Stats: Starting"),
    "prints all but the last word": Case("say(PASSED.partition('Status')[0])", ERROR, "stressapptest failed: Stats"),
    "prints another program's output": Case("say(MEMTESTER)", ERROR, "stressapptest failed: Done."),
    "prints PASS and exits with 1": Case("say(PASSED); sys.exit(1)", ERROR, "stressapptest failed: Status: PASS"),
    "prints PASS and nothing else": Case("say('Status: PASS')", ERROR, "stressapptest failed: Status: PASS"),
    "prints PASS and is killed": Case("say(PASSED); die(signal.SIGKILL)", ERROR, KILLED + "KILL"),
    "prints PASS and crashes": Case("say(PASSED); die(signal.SIGSEGV)", ERROR, KILLED + "SEGV"),
    "prints PASS and hangs": Case("say(PASSED); time.sleep(120)", ERROR, LATE, slack_s=SHORT_S),
    "finds wrong data and hangs": Case("say(FAILED); time.sleep(120)", PASS, mismatches=1, slack_s=SHORT_S),
    "finds wrong data and crashes": Case("say(FAILED); die(signal.SIGSEGV)", PASS, mismatches=1),
    "finds nothing and says FAIL": Case("say(PASSED.replace('PASS', 'FAIL')); sys.exit(1)", ERROR, "Status: FAIL"),
    "says more than a number holds": Case(
        "say(PASSED.replace(' 0 hardware', ' 9' + '9' * 400 + ' hardware'))", ERROR, "stressapptest failed"
    ),
    "prints bytes that are no text": Case("os.write(1, bytes(range(256)) * 100)", ERROR, "stressapptest failed"),
    "prints such bytes around its report": Case("os.write(1, b'\\xff\\n'); say(PASSED)", PASS, mismatches=0),
    "prints one line of 8 MB": Case("os.write(1, b'9' * (8 << 20))", ERROR, "stressapptest failed: 999"),
    "prints what steers a terminal": Case("say('\\x1b[2J\\x07')", ERROR, "stressapptest failed: \x1b"),
    "reports on the error stream": Case("os.dup2(2, 1); say(PASSED)", PASS, mismatches=0),
    "prints without end": Case("while True: os.write(1, b'x' * 65536)", ERROR, "stressapptest printed too much"),
    "prints errors without end": Case("while True: os.write(2, b'x' * 65536)", ERROR, "stressapptest printed too much"),
    "hangs": Case("time.sleep(120)", ERROR, LATE, slack_s=SHORT_S),
    "closes its output and hangs": Case("os.closerange(0, 9); time.sleep(120)", ERROR, LATE, slack_s=SHORT_S),
    "ignores SIGTERM": Case(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)", ERROR, LATE, slack_s=SHORT_S
    ),
    "blocks all signals": Case(
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: pass",
        ERROR,
        LATE,
        slack_s=SHORT_S,
    ),
    "stops itself": Case("die(signal.SIGSTOP)", ERROR, LATE, slack_s=SHORT_S),
    "stops its keeper": Case("os.kill(os.getppid(), signal.SIGSTOP); time.sleep(120)", ERROR, "", slack_s=SHORT_S),
    "kills its keeper": Case("os.kill(os.getppid(), signal.SIGKILL); time.sleep(120)", ERROR, KILLED + "KILL"),
    "aborts": Case("os.abort()", ERROR, KILLED + "ABRT"),
    "dies of SIGBUS": Case("die(signal.SIGBUS)", ERROR, KILLED + "BUS"),
    "dies of a signal without a name": Case("die(40)", ERROR, "stressapptest was ended by signal 40"),
    "has a child that crashes": Case(
        "if os.fork() == 0: die(signal.SIGSEGV)\nos.wait(); say(PASSED)", PASS, mismatches=0
    ),
    "leaves zombies": Case("for _ in range(20): os.fork() or os._exit(0)\nsay(PASSED)", PASS, mismatches=0),
    "leaves a daemon": Case(f"{DAEMON}\nos.wait(); say(PASSED)", PASS, mismatches=0),
    "leaves a daemon and hangs": Case(f"{DAEMON}\nos.wait(); time.sleep(120)", ERROR, LATE, slack_s=SHORT_S),
    "leaves a child that holds its output": Case("os.fork() or time.sleep(120)\nsay(PASSED)", PASS, mismatches=0),
    "a storm of 31 forks": Case(
        "for _ in range(5): os.fork() or os.setsid()\ntime.sleep(120)", ERROR, LATE, slack_s=SHORT_S
    ),
    "lowers its priority": Case("os.nice(19); say(PASSED)", PASS, mismatches=0),
    "removes itself": Case("os.unlink(sys.argv[0]); say(PASSED)", PASS, mismatches=0),
    "gives its memory up": Case(
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28,) * 2)\nkept = []\n"
        "while True: kept.append(bytearray(16 << 20))",
        ERROR,
        "stressapptest failed: MemoryError",
    ),
}


class Quick(MemoryTest):
    """The memory test, with less time for one that hangs."""

    least_s = 0.25

    def __init__(self, slack_s: float) -> None:
        self.slack_s = slack_s  # type: ignore[misc] -- each of these has its own


@pytest.fixture
def ground(tmp_path: Path, shared: Path) -> Iterator[Ground]:
    with adopting():
        yield Ground(tmp_path, shared)


def install(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program into the place of stressapptest."""
    texts = "".join(f"{name} = {globals()[name]!r}\n" for name in ("BEGINNING", "PASSED", "FAILED", "MEMTESTER"))
    head = "import os, signal, sys, time\ndef say(text): print(text, end='', flush=True)\n"
    script = folder / "exerciser"
    script.write_text(
        f"#!{sys.executable} -IS\n{head}def die(n): os.kill(os.getpid(), n); time.sleep(120)\n{texts}{code}"
    )
    script.chmod(0o755)
    monkeypatch.setitem(PROGRAMS, "stressapptest", Program((str(script),), "stressapptest", "misbehaves", None))


@pytest.mark.parametrize("name", CASES)
def test_only_a_pass_that_worked_is_one(name: str, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    install(ground.folder, case.code, monkeypatch)
    ran = ground.run(Quick(case.slack_s), monkeypatch)
    found = [r.value for r in ran.bad.readings.values() if r.name == "memory_test.mismatches"]
    assert (ran.bad.outcome, found) == (case.outcome, [] if case.mismatches is None else [case.mismatches])
    assert case.said in ran.said
    assert ran.bad.errors == [] or name == "stops its keeper"
    assert (ran.bad.outcome is PASS) == (ran.bad.reason is None)


def damaged(script: Path) -> None:
    script.write_bytes(b"\x7fELF is not enough")


def not_executable(script: Path) -> None:
    script.chmod(0o644)


def a_directory(script: Path) -> None:
    script.unlink()
    script.mkdir()


def missing(script: Path) -> None:
    script.unlink()


@pytest.mark.parametrize(
    ("make", "outcome", "said"),
    [
        (damaged, ERROR, "stressapptest failed: Exec format error"),
        (not_executable, ERROR, "stressapptest failed: Permission denied"),
        (a_directory, ERROR, "stressapptest failed: Permission denied"),
        (missing, Outcome.UNSUPPORTED, "stressapptest is not installed"),
    ],
)
def test_one_that_cannot_be_started(make, outcome, said, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    install(ground.folder, "say(PASSED)", monkeypatch)
    make(ground.folder / "exerciser")
    ran = ground.run(Quick(PATIENT_S), monkeypatch)
    assert (ran.bad.outcome, str(ran.bad.reason), ran.bad.errors) == (outcome, said, [])
    assert len(ran.bad.readings) == 0


@pytest.mark.adversarial
def test_one_that_eats_memory_until_the_kernel_ends_it(
    ground: Ground, small_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes into a small control group itself: the agent is not in it."""
    eats = "kept = []\nwhile len(kept) < 64: kept.append(bytearray(b'x' * (4 << 20)))\nsay(PASSED)"
    enters = f"open({str(small_memory / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
    install(ground.folder, enters + eats, monkeypatch)
    ran = ground.run(Quick(PATIENT_S), monkeypatch)
    assert ran.bad.outcome is ERROR
    assert str(ran.bad.reason) == "memory ran out while stressapptest was running"


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """A memory control group with 64 MiB."""
    version_1 = Path("/sys/fs/cgroup/memory")
    parent, limit = (version_1, "memory.limit_in_bytes") if version_1.is_dir() else (version_1.parent, "memory.max")
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
