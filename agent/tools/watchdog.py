"""The unit's watchdog, while hardware is exercised: a unit that freezes then is restarted, and that is on record.

It is held and fed by a process of its own, in a session of its own, which lets go of it when the agent is done or dead:
only a unit on which nothing runs any more is restarted, and not one whose agent was killed.
Sources: Linux Documentation/watchdog/watchdog-api.rst (opening starts it; ``V`` before the close stops it, where it has
no ``nowayout``), Documentation/ABI/testing/sysfs-class-watchdog, include/uapi/linux/watchdog.h.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import select
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from agent.tools.forking import await_end, forked

DEVICE = "/dev/watchdog0"
TIMEOUT_S = 60
"""Seconds without a sign of life after which the unit restarts; ours: a busy unit may stand still for some."""
FED_EACH_S = 2.0
LET_GO_WITHIN_S = 5.0
_SETTIMEOUT = 0xC0045706  # WDIOC_SETTIMEOUT: _IOWR('W', 6, int)
_NO_WAY_OUT = "/sys/class/watchdog/watchdog0/nowayout"


@contextmanager
def watched() -> Iterator[bool]:
    """Have the unit restarted if it freezes in this block; gives whether it will be. It will not where there is no
    watchdog, somebody else (systemd) holds it, it could not be stopped again, or the agent is not root.

    Only a process without other threads may begin it: it forks.
    """
    try:
        held = None if _read(_NO_WAY_OUT) == "1" else _opened(DEVICE)
    except OSError:
        held = None
    if held is None:
        yield False
        return
    agent, pid = os.getpid(), None
    read_end, write_end = os.pipe()
    with contextlib.suppress(OSError):
        pid = forked(lambda: _feed(held, read_end, agent))
    os.close(read_end)
    if pid is None:  # there can be no more processes
        os.close(write_end)
        _let_go(held)
        yield False
        return
    os.close(held)
    try:
        yield True
    finally:
        with contextlib.suppress(OSError):  # its end alone would not do: whoever was forked in this block has it too
            os.write(write_end, b"!")
        os.close(write_end)
        await_end(pid, LET_GO_WITHIN_S)


def _opened(path: str) -> int:
    held = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    if stat.S_ISCHR(os.fstat(held).st_mode):
        with contextlib.suppress(OSError):  # one whose time cannot be set has its own
            fcntl.ioctl(held, _SETTIMEOUT, struct.pack("i", TIMEOUT_S))
    return held


def _feed(held: int, read_end: int, agent: int) -> NoReturn:
    """The life of the process that holds it. Its signals stay blocked: it ends when told to, or with the agent."""
    try:
        gc.disable()
        os.setsid()
        while not select.select([read_end], [], [], FED_EACH_S)[0] and os.getppid() == agent:
            os.write(held, b"\0")
        _let_go(held)
    finally:
        os._exit(0)


def _let_go(held: int) -> None:
    """Stop it, and close it."""
    with contextlib.suppress(OSError):
        os.write(held, b"V")
    os.close(held)


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
        return file.read(16).strip()
    return ""
