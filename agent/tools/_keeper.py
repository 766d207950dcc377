"""The process between the agent and a program it started: the program's parent, and the end of all that it leaves.

The keeper is forked, does not exec, and lives as long as the program. It is the *subreaper* (prctl(2)) of everything
below it: a grandchild that starts a session of its own, or whose parents ended, becomes the keeper's child and cannot
get away. Having its own children only, it may wait for any of them without taking an exit status from the agent, and
the agent keeps its own process attributes. When the agent is killed, the keeper hears of it and ends the program.

All signals are blocked in it from before the fork; it hears two of them by ``sigtimedwait``: SIGCHLD, and SIGTERM for
"end it" (from :func:`agent.tools.run`, or from the kernel when the agent is gone).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import json
import os
import resource
import signal
import time
from typing import NamedTuple, NoReturn

from agent.tools.family import Family, adopt, die_with
from agent.tools.forking import forked

GRACE_S = 0.5
"""Seconds between SIGTERM and SIGKILL; ours. smartctl and nvme only read, so they have nothing to put in order."""
SWEEP_S = 2.0
"""Seconds for the killed processes to go; ours. One in uninterruptible sleep is left behind then."""
ENVIRONMENT = {"HOME": "/", "LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""All of it. ``C.UTF-8`` is there without the locales package, and makes every program print the same everywhere."""

_OOM_SCORE_ADJ = b"1000"  # the first to go when memory runs out (proc_pid_oom_score_adj(5))
_NULL, _OUT, _ERR, _REPORT = range(4)  # the keeper's descriptors; the program gets the first three


class Command(NamedTuple):
    """What to start. ``deadline`` is of ``time.monotonic``, ``memory_cap`` in bytes of RLIMIT_DATA."""

    path: str
    args: tuple[str, ...]
    deadline: float
    memory_cap: int | None


class Pipes(NamedTuple):
    """Where the program writes, and where the keeper (and a program that cannot be started) reports: write ends."""

    out: int
    err: int
    report: int


def fork_keeper(command: Command, pipes: Pipes) -> int:
    """Start the keeper; gives its process id. Raises ``OSError`` when there can be no more processes.

    It reports JSON objects, one per line: ``{"errno"}`` when the program cannot be started, and at last
    ``{"status", "timed_out"}`` with the status as waitpid(2) gives it, ``null`` when the program does not go.
    """
    parent = os.getpid()
    return forked(lambda: _keep(command, pipes, parent))


def _keep(command: Command, pipes: Pipes, parent: int) -> NoReturn:
    try:
        gc.disable()  # finalisers of the agent's objects have no business here
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nobody gets an exit status
        _place_descriptors(pipes)
        os.setsid()
        adopt()
        die_with(parent, signal.SIGTERM)
        os.chdir("/")
        program = os.fork()
        if program == 0:
            _become(command)
        os.dup2(_NULL, _OUT)  # the keeper itself holds no pipe open
        os.dup2(_NULL, _ERR)
        family = Family(program)
        timed_out = family.wait(command.deadline)
        if family.status is None:
            with contextlib.suppress(OSError):
                os.killpg(program, signal.SIGTERM)
            family.wait(time.monotonic() + GRACE_S)
        family.sweep(time.monotonic() + SWEEP_S)
        _report({"status": family.status, "timed_out": timed_out})
    except OSError as e:
        _report({"errno": e.errno})
    finally:
        os._exit(0)


def _become(command: Command) -> NoReturn:
    """Turn the forked child into the program."""
    try:
        os.setsid()
        die_with(os.getppid(), signal.SIGKILL)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as score:
            score.write(_OOM_SCORE_ADJ)
        _limit(resource.RLIMIT_CORE, 0)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)  # Python ignores SIGPIPE, and what is ignored stays so over exec
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if command.memory_cap is not None:
            _limit(resource.RLIMIT_DATA, command.memory_cap)
        os.execve(command.path, (command.path, *command.args), ENVIRONMENT)
    except OSError as e:
        _report({"errno": e.errno})
    except ValueError:  # an argument with a NUL
        _report({"errno": errno.EINVAL})
    finally:
        os._exit(127)


def _place_descriptors(pipes: Pipes) -> None:
    """Have the keeper's descriptors at 0 to 3 and close all others: nothing of the agent is handed on."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    wanted = (null, pipes.out, pipes.err, pipes.report)
    aside = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, len(wanted)) for fd in wanted]  # above all places to be filled
    for place, fd in enumerate(aside):
        os.dup2(fd, place, inheritable=place != _REPORT)
    for name in os.listdir("/proc/self/fd"):
        if int(name) >= len(wanted):
            with contextlib.suppress(OSError):  # the listing's own is closed by now
                os.close(int(name))


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (allowed, allowed))


def _report(record: dict[str, int | bool | None]) -> None:
    os.write(_REPORT, json.dumps(record).encode() + b"\n")
