"""The process between the agent and a step that exercises hardware: the step's parent, and the end of all it leaves.

An exerciser that hangs, or whatever a step starts beside one, must not go on heating a unit that nobody watches any
more, nor write where the run's directory is just being removed. So the keeper ends only when all of them are gone, and
its end is that of the step. Programs have a keeper of their own (:mod:`agent.tools`), which this one lets do its work.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import time
from collections.abc import Callable
from typing import NoReturn

from agent.tools.family import Family, adopt, die_with

TIDY_S = 0.8
"""Seconds for what the step left to end by itself: programs get SIGTERM from their keeper, and half a second; ours."""
SWEEP_S = 0.6
"""Seconds for what was killed then to go. One in uninterruptible sleep is left behind; ours."""
STOP_S = TIDY_S + SWEEP_S + 0.3
"""Seconds within which all is over after SIGTERM, but what the kernel does not let go of: below the two that a person
who stops a test may wait. Ours.
"""
_FOREVER_S = 1e9


def keep(parent: int, pipe: int, become_step: Callable[[], NoReturn]) -> NoReturn:
    """The life of the keeper: forked from ``parent`` with all signals blocked, it forks the step, ends it when told so
    by SIGTERM (which the kernel sends when the agent is gone), and ends as the step did. Of the agent's descriptors it
    has the step's ``pipe`` only, so that this ends when all is over.
    """
    status = 1
    try:
        gc.disable()  # finalisers of the agent's objects have no business here
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.setpgid(0, 0)
        only(pipe)
        adopt()
        die_with(parent, signal.SIGTERM)
        step = os.fork()
        if step == 0:
            become_step()
        status = _follow(Family(step))
    finally:
        os._exit(status)


def only(pipe: int) -> None:
    """Close all descriptors but ``pipe`` (above 2), and have the standard streams lead nowhere."""
    null = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.closerange(3, pipe)
    os.closerange(pipe + 1, os.sysconf("SC_OPEN_MAX"))


def _follow(family: Family) -> int:
    """The exit status of the step; does not come back where a signal ended it."""
    family.wait(time.monotonic() + _FOREVER_S)
    if family.status is None:
        for send in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                send(family.program, signal.SIGKILL)
    family.await_end(time.monotonic() + TIDY_S)
    family.sweep(time.monotonic() + SWEEP_S)
    code = 1 if family.status is None else os.waitstatus_to_exitcode(family.status)
    if code >= 0:
        return code
    with contextlib.suppress(OSError):  # SIGKILL and SIGSTOP cannot be set, and need not be
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
    return 1
