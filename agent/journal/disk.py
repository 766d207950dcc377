"""Directories and files of a run, opened so that nobody can divert them, and written whole.

Everything below a run directory is reached through its file descriptor and without following links (``O_NOFOLLOW``),
so a link that somebody plants is an error and never a way to another file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

from agent.durable import sync_directory
from agent.journal.errors import JournalError
from agent.model.text import Text

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_directory(path: Path) -> None:
    """Make ``path`` and what is missing above it, for this user only (0700), and its names durable."""
    if path.is_dir():
        return
    make_directory(path.parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:  # made by another process meanwhile, or no directory: opening it will tell
        return
    sync_directory(path.parent)


def open_directory(path: str | Path, *, dir_fd: int | None = None) -> int:
    """Open a directory that is ours alone.

    Raises :class:`JournalError` for one that another user owns or can write: root would be led by the nose there.
    """
    fd = os.open(path, _DIRECTORY, dir_fd=dir_fd)
    found = os.fstat(fd)
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        os.close(fd)
        raise JournalError(Text("other users can write here: {path}", {"path": os.fspath(path)}))
    return fd


def lock(fd: int, path: Path) -> None:
    """Take the one writer's lock of the directory ``fd``; raises :class:`JournalError` when somebody has it.

    ``flock`` belongs to the open file description: it goes away with the last descriptor that refers to it, however
    the process ends. So it is never released explicitly: a child that closes its copy leaves the parent's lock alone.
    The directory is locked and not the journal, which may be set aside and replaced.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        raise JournalError(Text("in use by another process: {path}", {"path": os.fspath(path)})) from e


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``: a write may be short (a signal, a disk that is nearly full)."""
    rest = memoryview(data)
    while rest:
        written = os.write(fd, rest)
        if not written:  # POSIX knows no such answer for a plain file, but a FUSE file system can give it, for ever
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[written:]
