"""Where whole bundles are kept. Everything else asks for them by digest and gets a local file to read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobDamaged(FileNotFoundError):
    """What lies under a digest has another one: what was kept there is there no more."""


class Blobs(Protocol):
    """A store of files by the SHA-256 (hexadecimal) of their content; what is in it never changes."""

    def keep(self, file: Path, sha256: str) -> None:
        """Take a copy of ``file`` (or the file itself); on disk when this returns. Keeping it twice is no error. Raises
        ``OSError`` when it cannot be kept.
        """

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """A local file with the content, for as long as the context lasts; raises ``FileNotFoundError`` when there is
        none, and other ``OSError`` when it cannot be said.
        """


class FileBlobs:
    """Blobs as files of one directory, ``ab/ab12….zip``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, file: Path, sha256: str) -> None:
        """A hard link, so that a whole bundle is never copied: ``file`` is on the same file system."""
        target = self._path(sha256)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            os.link(file, target)
        except FileExistsError:
            return
        for folder in (target.parent, self._root):
            sync_folder(folder)

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """The file itself."""
        path = self._path(sha256)
        if not path.is_file():
            raise FileNotFoundError(path)
        yield path

    def _path(self, sha256: str) -> Path:
        return self._root / digest_only(sha256)[:2] / f"{sha256}.zip"


def digest_only(sha256: str) -> str:
    """``sha256``; raises ``ValueError`` when it is no digest: it becomes part of a name."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError("not a digest")
    return sha256


def sync_folder(folder: Path) -> None:
    """Make what was done to the names in a directory last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
