"""One look at a file of ``/sys`` or ``/proc``, cheap enough to be taken all the time beside a test."""

from __future__ import annotations

import os

_MOST = 64
"""Bytes; a sensor's number or a status is shorter. Ours."""


def word(path: str) -> str:
    """What a small file holds, without surrounding white space; ``""`` where it cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return ""
    try:
        return os.read(file, _MOST).decode("ascii", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(file)


def number(path: str) -> int | None:
    """The same as an integer; ``None`` where it is none."""
    try:
        return int(word(path))
    except ValueError:
        return None
