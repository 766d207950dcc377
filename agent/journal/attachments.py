"""The files of a run that hold raw evidence."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import os

from agent.journal import disk

DIRECTORY = "attachments"

COMPRESS_FROM = 64 * 1024
"""Bytes from which on an attachment is stored as gzip. Source: ``docs/protocol.md``, Bundle."""

_UNSYNCED_MOST = 64
"""Files kept open for the next sync; far below the 1024 descriptors that a process may have. Ours."""


def pack(data: bytes) -> tuple[bytes, str]:
    """What is stored for ``data``, and the suffix that says so. The gzip holds no time, so it is the same each time."""
    if len(data) < COMPRESS_FROM:
        return data, ""
    return gzip.compress(data, compresslevel=6, mtime=0), ".gz"


class Attachments:
    """The ``attachments`` directory of the run directory ``run_fd``; made when the first one comes.

    Files stay open until they are synced: only the descriptor that was written through is sure to be told of a write
    that failed later.
    """

    def __init__(self, run_fd: int) -> None:
        self._run_fd = run_fd
        self._fd: int | None = None
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}
        self._unsynced: list[int] = []
        self._made = False
        self._new_names = False
        self._failed: OSError | None = None

    def add(self, name: str, stored: bytes, suffix: str) -> str:
        """Store a new file under ``name``, or a like one that is free, and return its name in the run directory.

        Raises ``OSError`` when it cannot be stored, and leaves nothing behind then.
        """
        directory = self._open()
        file_name = self._free(name) + suffix
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(file_name, flags, 0o600, dir_fd=directory)
        try:
            disk.write_all(fd, stored)
        except BaseException:
            os.close(fd)
            self.remove(f"{DIRECTORY}/{file_name}")
            raise
        self._unsynced.append(fd)
        self._new_names = True
        if len(self._unsynced) > _UNSYNCED_MOST:
            self._sync_oldest()
        return f"{DIRECTORY}/{file_name}"

    def remove(self, path: str) -> None:
        """Take away a file that no record names; a rest of it harms nobody."""
        with contextlib.suppress(OSError):
            os.unlink(path, dir_fd=self._run_fd)

    def sync(self) -> None:
        """Bring all files and their names to the disk. Raises ``OSError``."""
        while self._unsynced:
            self._sync_oldest()
        if self._failed is not None:
            raise self._failed
        if self._new_names and self._fd is not None:
            os.fsync(self._fd)
            self._new_names = False
        if self._made:
            os.fsync(self._run_fd)
            self._made = False

    def close(self) -> None:
        """Close all descriptors (but that of the run directory, which was lent)."""
        for fd in self._unsynced:
            os.close(fd)
        self._unsynced.clear()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _sync_oldest(self) -> None:
        fd = self._unsynced.pop(0)
        try:
            os.fdatasync(fd)
        except OSError as e:  # belongs to whoever asks for a sync, not to the one who adds another file
            self._failed = e
        finally:
            os.close(fd)

    def _open(self) -> int:
        if self._fd is None:
            try:
                os.mkdir(DIRECTORY, 0o700, dir_fd=self._run_fd)
                self._made = True
            except FileExistsError:  # a run that goes on
                pass
            self._fd = disk.open_directory(DIRECTORY, dir_fd=self._run_fd)
            self._taken = {name.removesuffix(".gz").lower() for name in os.listdir(self._fd)}
        return self._fd

    def _free(self, name: str) -> str:
        """``name``, or ``name-2`` and so on. Case does not tell names apart: the stick's file system would not."""
        stem, dot, ending = name.rpartition(".")
        for number in itertools.count(self._next.get(name, 1)):
            free = name if number == 1 else f"{stem}-{number}{dot}{ending}"
            if free.lower() not in self._taken:
                self._next[name] = number + 1
                self._taken.add(free.lower())
                return free
        raise AssertionError("numbers do not end")
