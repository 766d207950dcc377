"""A process and all that it started: waited for, and ended, wherever it tries to hide.

Used in a process that is the *subreaper* (prctl(2)) of everything below it: a grandchild that starts a session of its
own, or whose parents ended, becomes its child and cannot get away.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # include/uapi/linux/prctl.h
_EVENTS = {signal.SIGCHLD, signal.SIGTERM}

_libc = ctypes.CDLL(None, use_errno=True)  # here: nothing may be loaded or looked up between fork and exec
_prctl = _libc.prctl


def adopt() -> None:
    """Become the parent of every process below this one whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int, by: signal.Signals) -> None:
    """Have the kernel send ``by`` when the parent ends; end now when it already has."""
    _prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(127)


class Family:
    """The child ``program`` and all that it started. All signals are blocked where it is used, from before the fork:
    what happens is heard by ``sigtimedwait``.
    """

    def __init__(self, program: int) -> None:
        self.program = program
        self.status: int | None = None
        self.alive = True

    def wait(self, until: float) -> bool:
        """Wait for the program to end, at most ``until`` (of ``time.monotonic``) or until told by SIGTERM to end it;
        whether the time was over.
        """
        while True:
            self._reap()
            if self.status is not None:
                return False
            left = until - time.monotonic()
            if left <= 0:
                return True
            event = signal.sigtimedwait(_EVENTS, left)
            if event is not None and event.si_signo == signal.SIGTERM:
                return False

    def await_end(self, until: float) -> None:
        """Wait for all of them to end by themselves, at most ``until``."""
        self._reap()
        while self.alive and (left := until - time.monotonic()) > 0:
            signal.sigtimedwait({signal.SIGCHLD}, left)
            self._reap()

    def sweep(self, until: float) -> None:
        """Kill whatever is left, again and again, since what is about to fork may do so before it is killed."""
        self._reap()
        while self.alive and time.monotonic() < until:
            for pid in descendants(os.getpid()):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            signal.sigtimedwait({signal.SIGCHLD}, 0.02)
            self._reap()

    def _reap(self) -> None:
        while self.alive:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.alive = False
                return
            if pid == 0:
                return
            if pid == self.program:
                self.status = status


def descendants(ancestor: int) -> list[int]:
    """Every process below ``ancestor``, by the parents that proc_pid_stat(5) shows.

    Only ``stat`` is read: ``cmdline`` and ``environ`` wait for a lock that a process stuck in the kernel may hold.
    """
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
                parent = int(stat.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found, ahead = [], [ancestor]
    while ahead:
        below = children.get(ahead.pop(), [])
        found += below
        ahead += below
    return found
