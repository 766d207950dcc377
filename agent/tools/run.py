"""Start one external program and come back, whatever it does."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from agent.model import Text
from agent.tools._keeper import GRACE_S, SWEEP_S, Command, Pipes, fork_keeper
from agent.tools.programs import PROGRAMS

STDOUT_CAP = 8 * 1024 * 1024
"""Bytes of standard output; ours. The longest that we ask for, a kernel log as JSON, is about 2 MiB a boot."""
STDERR_CAP = 1024 * 1024
"""Bytes of standard error; ours."""

_BACKSTOP_S = GRACE_S + SWEEP_S + 1.0  # after the timeout; by then the keeper has reported, or is itself stuck


class Status(StrEnum):
    """How it went. Only ``OK`` says that the program ran to its own end (with whatever exit status)."""

    OK = "ok"
    MISSING = "missing"
    NOT_PERMITTED = "not-permitted"
    NOT_STARTED = "not-started"
    """It is there, but damaged, built for another machine, or there were no more processes or descriptors."""
    TIMED_OUT = "timed-out"
    KILLED = "killed"
    OUT_OF_MEMORY = "out-of-memory"
    """The kernel ended it for want of memory. A program that gives up by itself is ``OK`` or ``KILLED``."""
    FLOODED = "flooded"


@dataclass(frozen=True, slots=True)
class Result:
    """What a program left behind. ``exit_status`` is ``None`` when it never ran, negative when a signal ended it.

    It is ``None`` too for a program that could not even be killed. ``duration_s`` is in seconds. ``truncated`` says
    that ``stdout`` or ``stderr`` is the head of more; ``reason`` is ``None`` for ``OK`` only.
    """

    program: str
    status: Status
    exit_status: int | None
    stdout: bytes
    stderr: bytes
    duration_s: float
    truncated: bool
    reason: Text | None


def run(program: str, args: Sequence[str], *, timeout_s: float) -> Result:
    """Run a program of :data:`PROGRAMS` with ``args``. Never raises for anything that the program does.

    It gets no input, no terminal, no descriptor and no environment of ours, and ``/`` as its directory. After
    ``timeout_s`` seconds it gets SIGTERM, and half a second later SIGKILL; whatever it started and left is killed when
    it ends. Comes back within ``timeout_s`` + 3.5 s even from a program that the kernel does not let go of.
    May be called from several threads and processes at once. Raises ``KeyError`` for a program that is not listed.
    """
    entry = PROGRAMS[program]
    path = next(filter(os.path.exists, entry.paths), None)
    if path is None:
        return _not_run(program, Status.MISSING, Text("{program} is not installed", {"program": program}))
    start, kills = time.monotonic(), _oom_kills()
    command = Command(path, tuple(args), start + timeout_s, entry.memory_cap)
    try:
        with _Running(command) as running:
            running.follow(start + timeout_s + _BACKSTOP_S)
    except OSError as e:
        return _not_run(program, Status.NOT_STARTED, _failed(program, e.errno))
    status, reason = _judge(program, running, timeout_s, kills)
    return Result(
        program=program,
        status=status,
        exit_status=running.exit_status,
        stdout=bytes(running.stdout.data),
        stderr=bytes(running.stderr.data),
        duration_s=time.monotonic() - start,
        truncated=running.stdout.over or running.stderr.over,
        reason=reason,
    )


class _Stream:
    """What came through one pipe, up to a cap."""

    def __init__(self, pipe: BinaryIO, cap: int) -> None:
        self.pipe = pipe
        self.cap = cap
        self.data = bytearray()
        self.over = False
        os.set_blocking(pipe.fileno(), False)

    def take(self) -> bool:
        """Read what is there now; false at its end."""
        try:
            chunk = os.read(self.pipe.fileno(), 1 << 16)
        except BlockingIOError:
            return True
        room = self.cap - len(self.data)
        self.over = self.over or len(chunk) > room
        self.data += chunk[:room]
        return bool(chunk)


class _Running:
    """A program while it runs. Raises ``OSError`` where it cannot be started for want of processes or descriptors."""

    def __init__(self, command: Command) -> None:
        self.start_error: int | None = None
        self.exit_status: int | None = None
        self.timed_out = False
        self._reported = False
        self._stack = contextlib.ExitStack()
        try:
            with contextlib.ExitStack() as write_ends:
                reads, writes = [], []
                for _ in range(3):
                    read, write = os.pipe()
                    reads.append(self._stack.enter_context(os.fdopen(read, "rb", buffering=0)))
                    writes.append(write_ends.enter_context(os.fdopen(write, "wb", buffering=0)).fileno())
                caps = (STDOUT_CAP, STDERR_CAP, STDERR_CAP)
                self.stdout, self.stderr, self._report = map(_Stream, reads, caps)
                self._keeper = fork_keeper(command, Pipes(*writes))
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *exc: object) -> None:
        """Whatever came: no process and no descriptor of it is left behind."""
        if not self._reported:
            self._tell_keeper(signal.SIGTERM if exc[0] else signal.SIGKILL)
        self._stack.close()
        _reap(self._keeper, _BACKSTOP_S if exc[0] else 1.0)

    def follow(self, until: float) -> None:
        """Take its output until it has ended, at most ``until``."""
        poll = select.poll()
        streams = {s.pipe.fileno(): s for s in (self.stdout, self.stderr, self._report)}
        for fd in streams:
            poll.register(fd, select.POLLIN)
        while not self._reported and (left := until - time.monotonic()) > 0:
            for fd, _ in poll.poll(left * 1000):
                stream = streams[fd]
                ended = not stream.take()
                if stream.over:
                    self._tell_keeper(signal.SIGTERM)
                if ended or stream.over:
                    poll.unregister(fd)
                if stream is self._report:
                    self._read_report(ended)
        for stream in (self.stdout, self.stderr):
            self._drain(stream)

    def _drain(self, stream: _Stream) -> None:
        """Take what the program wrote last; nobody writes any more, but for what the kernel does not let go of."""
        while not stream.over:
            before = len(stream.data)
            if not stream.take() or len(stream.data) == before:
                return

    def _read_report(self, ended: bool) -> None:
        for line in bytes(self._report.data).splitlines(keepends=True):
            if line.endswith(b"\n"):
                record = json.loads(line)
                self.start_error = record.get("errno", self.start_error)
                if "status" in record:
                    self._reported = True
                    self.timed_out = record["timed_out"]
                    if record["status"] is not None:
                        self.exit_status = os.waitstatus_to_exitcode(record["status"])
        self._reported = self._reported or ended  # somebody killed the keeper; the program died with it

    def _tell_keeper(self, what: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._keeper, what)


def _judge(program: str, running: _Running, timeout_s: float, kills: int | None) -> tuple[Status, Text | None]:
    ended_by = -(running.exit_status or 0)
    if running.start_error is not None:
        denied = running.start_error in {errno.EACCES, errno.EPERM}
        return (Status.NOT_PERMITTED if denied else Status.NOT_STARTED), _failed(program, running.start_error)
    if running.stdout.over or running.stderr.over:
        return Status.FLOODED, Text("{program} printed too much", {"program": program})
    if running.timed_out or running.exit_status is None:
        return Status.TIMED_OUT, Text("no answer within {seconds} s", {"seconds": timeout_s})
    if ended_by == signal.SIGKILL and _oom_kills() != kills:
        return Status.OUT_OF_MEMORY, Text("memory ran out while {program} was running", {"program": program})
    if ended_by > 0:
        name = signal.Signals(ended_by).name if ended_by in set(signal.Signals) else str(ended_by)
        return Status.KILLED, Text("{program} was ended by signal {signal}", {"program": program, "signal": name})
    return Status.OK, None


def _not_run(program: str, status: Status, reason: Text) -> Result:
    return Result(program, status, None, b"", b"", 0.0, False, reason)


def _failed(program: str, number: int | None) -> Text:
    return Text("{program} failed: {error}", {"program": program, "error": os.strerror(number or errno.EIO)})


def _oom_kills() -> int | None:
    """How many processes the kernel has ended for want of memory, in all or in a control group, since it started.

    From /proc/vmstat ``oom_kill`` (Linux 4.13; mm/oom_kill.c counts both kinds there). It counts those of others too:
    a program that somebody else kills by SIGKILL while memory runs out elsewhere is taken for one of them.
    """
    with contextlib.suppress(OSError, ValueError), open("/proc/vmstat", "rb") as vmstat:
        for line in vmstat:
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    return None


def _reap(pid: int, within_s: float) -> None:
    """Wait for a child of ours, by its own id, so that nobody else's is taken; no longer than it may take."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:  # somebody waits for all children, or SIGCHLD is ignored
            return
        time.sleep(0.0005)
