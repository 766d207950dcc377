"""Start one external program and come back, whatever it does."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from agent.model import Text
from agent.tools._keeper import Command
from agent.tools._running import Running
from agent.tools.programs import PROGRAMS


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


class Result(NamedTuple):
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
        with Running(command) as running:
            running.follow()
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


def _judge(program: str, running: Running, timeout_s: float, kills: int | None) -> tuple[Status, Text | None]:
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
