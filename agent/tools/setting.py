"""The one place that changes a setting of hardware, and puts it back whatever becomes of the agent.

A step may be killed at any moment (too hot, too late, a person's Ctrl-C), and a screen must not stay dark then. So the
one who puts a setting back is a process of its own, in a session of its own: it waits for the end of a pipe that the
agent alone holds open, which comes when the agent is done or dead.
"""

from __future__ import annotations

import errno
import gc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, NoReturn

from agent.tools.forking import await_end, forked

BACK_WITHIN_S = 5.0
"""Seconds for the old value to be written; ours. A driver that takes longer is left to it."""


class Changeable(NamedTuple):
    """Files that may be changed, the values that they may get, and the value that is put back: that of before, where
    ``back`` is empty.
    """

    path: re.Pattern[str]
    values: re.Pattern[str]
    back: str


CHANGEABLE = (
    # Documentation/ABI/stable/sysfs-class-backlight: 0 to max_brightness
    Changeable(re.compile(r"/sys/class/backlight/[A-Za-z0-9_:.-]{1,64}/brightness"), re.compile(r"[0-9]{1,9}"), ""),
    # drm_sysfs.c, status_store: look again whether a display is there
    Changeable(re.compile(r"/sys/class/drm/card[0-9]{1,3}-[A-Za-z0-9-]{1,32}/status"), re.compile("detect"), "detect"),
    # include/uapi/linux/fb.h: FB_BLANK_UNBLANK (lit) and FB_BLANK_POWERDOWN (display off); it cannot be read
    Changeable(re.compile("/sys/class/graphics/fb0/blank"), re.compile("[04]"), "0"),
)
"""All that may be changed: nothing that outlives a restart of the unit or touches what a person has stored."""


class Setting:
    """A setting that is being changed. Made by :func:`changing`."""

    def __init__(self, path: str, rule: Changeable) -> None:
        self._path, self._rule = path, rule

    def set(self, value: str) -> None:
        """Change it. Raises ``OSError`` where the kernel refuses, ``ValueError`` for a value that is not allowed."""
        if not self._rule.values.fullmatch(value):
            raise ValueError(f"{value!r} is no value for {self._path}")
        _write(self._path, value)


@contextmanager
def changing(path: str) -> Iterator[Setting]:
    """Change a setting for a while. It is put back at the end of the block, and when this process dies in it.

    Raises ``ValueError`` for a path that is not in :data:`CHANGEABLE`, ``PermissionError`` for anybody but root, and
    ``OSError`` where the old value cannot be read or there can be no more processes. Only a process without other
    threads may begin it: it forks.
    """
    rule = next((rule for rule in CHANGEABLE if rule.path.fullmatch(path)), None)
    if rule is None:
        raise ValueError(f"{path} is nothing that may be changed")
    if os.geteuid() != 0:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)
    with keeping(path, rule.back or _read(path)):
        yield Setting(path, rule)


@contextmanager
def keeping(path: str, back: str) -> Iterator[None]:
    """Have ``back`` written to ``path`` at the end of the block, and when this process dies in it."""
    read_end, write_end = os.pipe()
    ready, told = os.pipe()
    try:
        pid = forked(lambda: _put_back(path, back, read_end, told))
    except OSError:
        os.close(write_end)
        os.close(ready)
        raise
    finally:
        os.close(read_end)
        os.close(told)
    try:
        os.read(ready, 1)  # until it has left our process group, it would be killed with that
        os.close(ready)
        yield
    finally:
        os.close(write_end)
        await_end(pid, BACK_WITHIN_S)


def _put_back(path: str, back: str, read_end: int, told: int) -> NoReturn:
    """The life of the forked process. Its signals stay blocked: whoever ends the agent must not end it as well."""
    try:
        gc.disable()
        os.setsid()
        os.write(told, b"!")
        os.dup2(read_end, 0)
        os.closerange(1, os.sysconf("SC_OPEN_MAX"))
        os.read(0, 1)
        _write(path, back)
    finally:
        os._exit(0)


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read(64).strip()


def _write(path: str, value: str) -> None:
    """One write, as sysfs wants it; never makes a file."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY)
    try:
        os.write(fd, value.encode("ascii"))
    finally:
        os.close(fd)
