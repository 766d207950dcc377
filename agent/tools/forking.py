"""Processes of our own beside the agent: how they begin, and that nobody waits for them for ever."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import NoReturn


def forked(life: Callable[[], NoReturn]) -> int:
    """Fork a process that lives ``life``, which must end by ``_exit`` whatever happens; gives its process id. Raises
    ``OSError`` when there can be no more processes.

    No signal is heard meanwhile: one that arrives while Python runs its after-fork hooks is swallowed there, and Ctrl-C
    would be lost. In the child all stay blocked, until it unblocks them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            life()
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def await_end(pid: int, seconds: float) -> None:
    """Take the exit status of a child, if it ends in time and nobody else has taken it."""
    until = time.monotonic() + seconds
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < until:
            time.sleep(0.002)
