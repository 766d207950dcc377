"""Files that are there whole, or not at all, whenever the power goes."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".new"
"""How the name of an unfinished file ends; left behind only by a crash."""


def replace(path: Path, data: bytes) -> None:
    """Write ``data`` as ``path``, readable by its owner only. Raises ``OSError``, and then the old content stays."""
    with creating(path) as file:
        file.write(data)


@contextmanager
def creating(path: Path) -> Iterator[BinaryIO]:
    """A file that becomes ``path`` when the block ends well, and vanishes when it does not.

    It is synced before it gets its name, and its directory after (as Checkbox and git do), so that neither a kill nor
    a power cut leaves half a file under ``path``. Mode 0600.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make names in ``directory`` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(directory: Path) -> Iterator[int]:
    """Hold ``directory`` against other processes that lock it too; gives a descriptor of it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
