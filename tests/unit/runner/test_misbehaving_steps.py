"""Hardware tests whose own process misbehaves: each is told rightly, leaves nothing, and disturbs no other."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Gap, Outcome, Severity, Text, Verdict
from agent.tests_hw import Bout
from tests.unit.runner.exercised import EVIDENCE, PATIENT_S, TIME, Ground, Misbehaving, adopting, reading

SHORT_S = 1.0
"""Seconds for one that does not end by itself."""
LATE = "no answer within "  # and how long: the engine gives back what it was itself late
BROKE = "the check itself broke"


@pytest.fixture
def ground(tmp_path: Path, shared: Path) -> Iterator[Ground]:
    with adopting():
        yield Ground(tmp_path, shared)


class Case(NamedTuple):
    """A misbehaviour, and what must be told of it: outcome, a part of what is said, readings of the bad step."""

    exercise: Callable[[Host, Bout], Any]
    outcome: Outcome
    said: str
    readings: int = 1
    slack_s: float = PATIENT_S
    interpret: Callable[[Sequence[Evidence]], Any] | None = None


def pipe_of_worker() -> int:
    (fd,) = [fd for fd in range(3, 256) if Path(f"/proc/self/fd/{fd}").is_symlink()]
    return fd


def hangs(host: Host, bout: Bout) -> None:
    time.sleep(120)


def blocks_all_signals_and_hangs(host: Host, bout: Bout) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(120)


def ignores_all_signals_and_spins(host: Host, bout: Bout) -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


def never_comes_back_from_c(host: Host, bout: Bout) -> None:
    pow(7, 10**9)  # no signal handler of Python runs meanwhile


def stops_itself(host: Host, bout: Bout) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def never_ends_giving(host: Host, bout: Bout) -> Iterator[Gap]:
    while True:
        yield Gap("", Outcome.SKIPPED, Text("no such hardware"))
        time.sleep(0.01)


def raises(host: Host, bout: Bout) -> None:
    raise RuntimeError("this test is broken")


def leaves_by_sys_exit(host: Host, bout: Bout) -> None:
    sys.exit(0)


def raises_keyboard_interrupt(host: Host, bout: Bout) -> None:
    raise KeyboardInterrupt


def calls_itself_for_ever(host: Host, bout: Bout) -> None:
    calls_itself_for_ever(host, bout)


def exits(status: int) -> Callable[[Host, Bout], None]:
    def exits_at_once(host: Host, bout: Bout) -> None:
        os._exit(status)

    return exits_at_once


def fails_by(number: int) -> Callable[[Host, Bout], None]:
    def kills_itself(host: Host, bout: Bout) -> None:
        os.kill(os.getpid(), number)
        time.sleep(120)

    return kills_itself


def reads_null(host: Host, bout: Bout) -> None:
    ctypes.string_at(0)


def aborts(host: Host, bout: Bout) -> None:
    os.abort()


def reads_beyond_the_end_of_a_file(host: Host, bout: Bout) -> None:
    with tempfile.TemporaryFile(dir=bout.scratch) as file:
        file.truncate(8192)
        with mmap.mmap(file.fileno(), 8192) as mapped:
            file.truncate(0)
            mapped.read(1)


def kills_its_group(host: Host, bout: Bout) -> None:
    os.killpg(0, signal.SIGKILL)


def kills_its_keeper(host: Host, bout: Bout) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(120)


def terminates_its_keeper(host: Host, bout: Bout) -> None:
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(120)


def has_a_child_that_crashes(host: Host, bout: Bout) -> None:
    pid = os.fork()
    if pid == 0:
        ctypes.string_at(0)
    os.waitpid(pid, 0)


def leaves_zombies(host: Host, bout: Bout) -> None:
    for _ in range(20):
        if os.fork() == 0:
            os._exit(0)
    time.sleep(0.2)


def fork_quietly(work: Callable[[], None]) -> None:
    if os.fork() == 0:
        work()
        os._exit(0)


def becomes_a_daemon() -> None:
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    time.sleep(120)


def leaves_a_daemon(host: Host, bout: Bout) -> None:
    fork_quietly(becomes_a_daemon)
    time.sleep(0.2)


def leaves_a_daemon_without_the_pipe(host: Host, bout: Bout) -> None:
    def work() -> None:
        os.closerange(3, 256)
        becomes_a_daemon()

    fork_quietly(work)
    time.sleep(0.2)


def leaves_a_daemon_and_crashes(host: Host, bout: Bout) -> None:
    leaves_a_daemon_without_the_pipe(host, bout)
    ctypes.string_at(0)


def leaves_a_daemon_and_hangs(host: Host, bout: Bout) -> None:
    leaves_a_daemon(host, bout)
    time.sleep(120)


def storm(host: Host, bout: Bout) -> None:
    """63 processes, each in a session of its own."""
    for _ in range(6):
        if os.fork() == 0:
            os.setsid()
    time.sleep(120)


def goes_on_forking(host: Host, bout: Bout) -> None:
    """A new process each 10 ms while the old one ends, for 20 s."""
    end = time.monotonic() + 20

    def work() -> None:
        while time.monotonic() < end:
            if os.fork():
                os._exit(0)
            os.setsid()
            time.sleep(0.01)

    fork_quietly(work)


def eats_its_share_of_memory(host: Host, bout: Bout) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    eaten = []
    while True:
        eaten.append(bytearray(32 << 20))


def writes_garbage(host: Host, bout: Bout) -> None:
    os.write(pipe_of_worker(), b"\xff" * 64)
    time.sleep(120)


def half_a_frame_and_exits(host: Host, bout: Bout) -> None:
    os.write(pipe_of_worker(), (100).to_bytes(4, "big"))
    os._exit(0)


def half_a_frame_and_hangs(host: Host, bout: Bout) -> None:
    os.write(pipe_of_worker(), (100).to_bytes(4, "big"))
    time.sleep(120)


def claims_a_huge_frame(host: Host, bout: Bout) -> None:
    os.write(pipe_of_worker(), (2**31).to_bytes(4, "big") * 2)
    time.sleep(120)


def frame(text: str) -> Callable[[Host, Bout], None]:
    def writes_a_frame_by_hand(host: Host, bout: Bout) -> None:
        body = text.encode()
        os.write(pipe_of_worker(), len(body).to_bytes(4, "big") + bytes(4) + body)

    return writes_a_frame_by_hand


def reading_with(value: str) -> str:
    return (
        f'{{"is": "reading", "item": {{"name": "bad_test.value", "value": {value}, "unit": "1", "component": "cpu", '
        '"subject": "", "source": "", "time": ""}}'
    )


def gap_with(value: str) -> str:
    return (
        '{"is": "gap", "item": {"subject": "", "outcome": "error", "essential": false, "remedy": "", '
        f'"reason": {{"text": "x", "values": {{"a": {value}}}}}}}}}'
    )


def closes_all_descriptors(host: Host, bout: Bout) -> None:
    os.closerange(3, 1024)


def closes_the_pipe_and_hangs(host: Host, bout: Bout) -> None:
    os.closerange(3, 1024)
    time.sleep(120)


def gives(*what: Any) -> Callable[[Host, Bout], Iterator[Any]]:
    def gives_what_it_must_not(host: Host, bout: Bout) -> Iterator[Any]:
        yield from what

    return gives_what_it_must_not


def concludes(*what: Any) -> Callable[[Sequence[Evidence]], Iterator[Any]]:
    def concludes_what_it_must_not(evidence: Sequence[Evidence]) -> Iterator[Any]:
        yield from what

    return concludes_what_it_must_not


def cannot_interpret(evidence: Sequence[Evidence]) -> Iterator[Any]:
    yield reading()
    raise ZeroDivisionError("what is this?")


def is_stuck_in_interpreting(evidence: Sequence[Evidence]) -> Iterator[Any]:
    yield reading()
    time.sleep(120)


def nan(evidence: Sequence[Evidence]) -> Iterator[Any]:
    yield reading(float("nan"))


def is_well(host: Host, bout: Bout) -> None:
    pass


def is_not_a_generator(host: Host, bout: Bout) -> int:
    return 3


def deletes_its_scratch(host: Host, bout: Bout) -> None:
    bout.scratch.rmdir()


def makes_a_link_of_its_scratch(host: Host, bout: Bout) -> None:
    bout.scratch.rmdir()
    bout.scratch.symlink_to("/usr/share")


def leaves_much_in_its_scratch(host: Host, bout: Bout) -> None:
    deep = bout.scratch
    for _ in range(50):
        deep /= "x" * 20
        deep.mkdir()
        (deep / "data").write_bytes(bytes(10_000))
    deep.chmod(0)


def works_in_its_scratch_and_stays(host: Host, bout: Bout) -> None:
    """What still writes when the directory goes would keep it."""

    def work() -> None:
        os.setsid()
        number = 0
        while True:
            number += 1
            (bout.scratch / str(number)).write_bytes(b"x")
            time.sleep(0.001)

    fork_quietly(work)
    time.sleep(0.2)


def changes_all_that_is_its_own(host: Host, bout: Bout) -> None:
    os.chdir("/usr")
    os.umask(0o777)
    os.environ.clear()
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))


def becomes_idle(host: Host, bout: Bout) -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def lacks_descriptors(host: Host, bout: Bout) -> Iterator[Evidence]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
    yield host.output("text", "echo", "never", timeout_s=5)


def writes_to_the_agents_streams(host: Host, bout: Bout) -> None:
    for stream in (1, 2):
        os.write(stream, b"this must not be seen\n")


def leaves_a_thread(host: Host, bout: Bout) -> None:
    threading.Thread(target=time.sleep, args=(120,)).start()


FINDING = Finding("NONE-0000", ComponentKind.CPU, "", Severity.CRITICAL, Verdict.FAIL, 0.9)
HUGE = Evidence("text", "", bytes(65 << 20), "exerciser", TIME)
WIDE = Evidence("text", "x" * 2_000_000, b"", "exerciser", TIME)
LARGE = Evidence("text", "", bytes(20 << 20), "exerciser", TIME)
ERROR, PASS = Outcome.ERROR, Outcome.PASS

CASES = {
    "hangs": Case(hangs, ERROR, LATE, slack_s=SHORT_S),
    "blocks all signals and hangs": Case(blocks_all_signals_and_hangs, ERROR, LATE, slack_s=SHORT_S),
    "ignores all signals and spins": Case(ignores_all_signals_and_spins, ERROR, LATE, slack_s=SHORT_S),
    "never comes back from C": Case(never_comes_back_from_c, ERROR, LATE, slack_s=SHORT_S),
    "stops itself": Case(stops_itself, ERROR, LATE, slack_s=SHORT_S),
    "never ends giving": Case(never_ends_giving, ERROR, LATE, slack_s=SHORT_S),
    "raises": Case(raises, ERROR, "this test is broken"),
    "leaves by sys.exit": Case(leaves_by_sys_exit, ERROR, "SystemExit"),
    "raises KeyboardInterrupt": Case(raises_keyboard_interrupt, ERROR, "KeyboardInterrupt"),
    "calls itself for ever": Case(calls_itself_for_ever, ERROR, "RecursionError"),
    "exits with 0 before it is done": Case(exits(0), ERROR, "exit status 0"),
    "exits with 1": Case(exits(1), ERROR, "exit status 1"),
    "exits with 7": Case(exits(7), ERROR, "exit status 7"),
    "reads at 0": Case(reads_null, ERROR, "signal 11"),
    "aborts": Case(aborts, ERROR, "signal 6"),
    "reads beyond the end of a mapped file": Case(reads_beyond_the_end_of_a_file, ERROR, "signal 7"),
    "divides by zero as a processor does": Case(fails_by(signal.SIGFPE), ERROR, "signal 8"),
    "executes what is no instruction": Case(fails_by(signal.SIGILL), ERROR, "signal 4"),
    "is killed": Case(fails_by(signal.SIGKILL), ERROR, "signal 9"),
    "is told to end": Case(fails_by(signal.SIGTERM), ERROR, "signal 15"),
    "kills its group": Case(kills_its_group, ERROR, "signal 9"),
    "kills its keeper": Case(kills_its_keeper, ERROR, "signal 9"),
    "tells its keeper to end": Case(terminates_its_keeper, ERROR, "signal 9"),
    "has a child that crashes": Case(has_a_child_that_crashes, PASS, ""),
    "leaves zombies": Case(leaves_zombies, PASS, ""),
    "leaves a daemon": Case(leaves_a_daemon, PASS, ""),
    "leaves a daemon without the pipe": Case(leaves_a_daemon_without_the_pipe, PASS, ""),
    "leaves a daemon and crashes": Case(leaves_a_daemon_and_crashes, ERROR, "signal 11"),
    "leaves a daemon and hangs": Case(leaves_a_daemon_and_hangs, ERROR, LATE, slack_s=SHORT_S),
    "a storm of 63 forks": Case(storm, ERROR, LATE, slack_s=SHORT_S),
    "goes on forking": Case(goes_on_forking, PASS, ""),
    "eats its share of memory": Case(eats_its_share_of_memory, ERROR, "MemoryError"),
    "writes garbage": Case(writes_garbage, ERROR, "garbled stream"),
    "half a frame, and exits": Case(half_a_frame_and_exits, ERROR, "the stream ends 4 bytes into a frame"),
    "half a frame, and hangs": Case(half_a_frame_and_hangs, ERROR, LATE, slack_s=SHORT_S),
    "claims a huge frame": Case(claims_a_huge_frame, ERROR, "impossible frame size"),
    "a frame with NaN": Case(frame(reading_with("NaN")), ERROR, "not finite"),
    "a frame with a number without end": Case(frame(gap_with("1e999")), ERROR, "not finite"),
    "a frame that is nested deeply": Case(frame(gap_with("[" * 600 + "]" * 600)), ERROR, "nested too deeply"),
    "a frame of no kind": Case(frame('{"is": "verdict", "item": {}}'), ERROR, "garbled stream"),
    "a frame that is no object": Case(frame("[1]"), ERROR, "garbled stream"),
    "closes all descriptors": Case(closes_all_descriptors, ERROR, "exit status 1"),
    "closes the pipe and hangs": Case(closes_the_pipe_and_hangs, ERROR, LATE, slack_s=SHORT_S),
    "gives text": Case(gives("PASS"), ERROR, "a str instead of"),
    "gives None": Case(gives(None), ERROR, "a NoneType instead of"),
    "gives a reading for evidence": Case(gives(reading()), ERROR, "a Reading instead of"),
    "gives evidence that is too large": Case(gives(HUGE), ERROR, "impossible frame size"),
    "gives evidence with a subject that is too long": Case(gives(WIDE), ERROR, "an item of"),
    "is no generator": Case(is_not_a_generator, ERROR, "TypeError"),
    "cannot interpret": Case(is_well, ERROR, "what is this?", 2, interpret=cannot_interpret),
    "is stuck in interpreting": Case(is_well, ERROR, LATE, 2, SHORT_S, is_stuck_in_interpreting),
    "concludes NaN": Case(is_well, ERROR, "is not finite", 0, interpret=nan),
    "concludes a list": Case(is_well, ERROR, "has no value", 0, interpret=concludes(reading([1]))),
    "concludes an object": Case(is_well, ERROR, "not JSON serializable", 0, interpret=concludes(reading(object()))),
    "concludes a finding of its own": Case(is_well, ERROR, "a Finding instead of", 0, interpret=concludes(FINDING)),
    "concludes nothing": Case(is_well, Outcome.UNSUPPORTED, "no such hardware", 0, interpret=concludes()),
    "deletes its scratch": Case(deletes_its_scratch, PASS, ""),
    "makes a link of its scratch": Case(makes_a_link_of_its_scratch, PASS, ""),
    "leaves much in its scratch": Case(leaves_much_in_its_scratch, PASS, ""),
    "works in its scratch and stays": Case(works_in_its_scratch_and_stays, PASS, ""),
    "changes all that is its own": Case(changes_all_that_is_its_own, PASS, ""),
    "lacks descriptors": Case(lacks_descriptors, PASS, ""),
    "writes to the agent's streams": Case(writes_to_the_agents_streams, PASS, ""),
    "leaves a thread": Case(leaves_a_thread, PASS, ""),
}
LONGER = {
    "becomes idle": Case(becomes_idle, PASS, ""),
    "gives evidence without end": Case(gives(*[LARGE] * 20), ERROR, "more than 268435456 bytes"),
    "concludes five hundred things": Case(is_well, PASS, "", 500, interpret=concludes(*[reading()] * 500)),
}


def told(case: Case, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = ground.run(Misbehaving(case.exercise, case.interpret, slack_s=case.slack_s), monkeypatch)
    assert ran.bad.outcome is case.outcome
    assert case.said in ran.said
    assert len(ran.bad.readings) == case.readings
    assert len(ran.bad.files) >= 1  # what it had gathered before is kept
    reason = str(ran.bad.reason or "")
    assert reason in {"", BROKE, "no such hardware"} or reason.startswith(LATE)
    assert (ran.bad.outcome is PASS) == (ran.bad.reason is None)


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_leaves_nothing_and_disturbs_nobody(
    name: str, ground: Ground, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("agent.runner.engine.SALVAGE_S", SHORT_S)
    told(CASES[name], ground, monkeypatch)
    assert capfd.readouterr() == ("", "")


@pytest.mark.adversarial
@pytest.mark.parametrize("name", LONGER)
def test_much_of_it(name: str, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    told(LONGER[name], ground, monkeypatch)


def test_evidence_of_one_that_went_wrong_is_whole(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = ground.run(Misbehaving(reads_null), monkeypatch)
    (file,) = ran.bad.files
    assert (ground.folder / "run" / file["uri"]).read_bytes() == EVIDENCE.data
