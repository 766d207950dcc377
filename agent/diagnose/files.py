"""Files from strangers: plain ones only, and not more of them than a cap."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from agent.model import Text

_MOST_FILES = 64 * 1024
"""Bytes that hardly a file has more of; ours."""


class InputRefused(Exception):
    """An input that cannot be judged. ``reason`` is for the person."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


def open_plain(path: Path) -> BinaryIO:
    """Open a regular file; a pipe is not waited for. Raises :class:`InputRefused`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as e:
        raise _unreadable(e) from e
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputRefused(Text("not a plain file: {path}", {"path": str(path)}))
    return os.fdopen(descriptor, "rb")


def read_head(path: Path, size: int) -> bytes:
    """The first ``size`` bytes, or what there is. Raises :class:`InputRefused`."""
    try:
        with open_plain(path) as file:
            # Memory is taken for all that is asked for, so for the cap of a kind only where there is so much to read.
            data = file.read(min(size, _MOST_FILES))
            return data if len(data) < _MOST_FILES else data + file.read(size - len(data))
    except OSError as e:
        raise _unreadable(e) from e


def read_all(path: Path, cap: int) -> bytes:
    """The whole file of at most ``cap`` bytes. Raises :class:`InputRefused`."""
    data = read_head(path, cap + 1)
    if len(data) > cap:
        raise InputRefused(Text("the file is larger than allowed"))
    return data


def _unreadable(error: OSError) -> InputRefused:
    return InputRefused(Text("could not be read: {error}", {"error": error.strerror or str(error)}))
