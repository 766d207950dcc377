"""A sealed bundle encrypted to the receiver, for a stick or a mail: only the receiver can read it.

The format is age's own (https://age-encryption.org/v1), through ``pyrage``: any age program can open the file with the
receiver's identity. It goes through in pieces of 8 KiB; memory does not grow with the bundle.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from agent import durable
from agent.model import Text
from uploader.bundle.recipient import check_recipient
from uploader.bundle.verify import open_bundle
from uploader.strict_json import Malformed

FILE_SUFFIX = ".age"


class EncryptFailed(Exception):
    """There is no encrypted bundle, and nothing else in its place. ``reason`` is for the person."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


def encrypt(bundle: Path, target: Path, recipient: str) -> None:
    """Write ``target``, whole or not at all: ``bundle``, verified first, for the holder of ``recipient`` alone.

    Raises :class:`EncryptFailed`, and :class:`~uploader.bundle.verify.BundleRejected` for what is no bundle.
    """
    import pyrage

    try:
        to = pyrage.x25519.Recipient.from_str(check_recipient(recipient))
    except Malformed as error:
        given = {"recipient": recipient[:80]}
        raise EncryptFailed(Text("{recipient} is no age key; it looks like age1 and 58 more", given)) from error
    with open_bundle(bundle) as opened:
        try:
            with bundle.open("rb") as source:
                _check_apart(source, target)
                reading = _Measured(source)
                with durable.creating(target) as file:
                    writing = _Written(file)
                    pyrage.encrypt_io(reading, writing, [to])
                    writing.check()
                    if reading.sha256.hexdigest() != opened.sha256:
                        raise EncryptFailed(Text("the bundle is damaged, or was changed after it was sealed"))
        except OSError as error:
            raise _failed(error.strerror or str(error)) from error
        except pyrage.EncryptError as error:
            raise _failed(str(error)) from error


class _Measured:
    """What is read of a file, and its digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """As ``BinaryIO`` does."""
        data = self._file.read(size)
        self.sha256.update(data)
        return data


class _Written:
    """What is written to a file, and the first error of it: pyrage passes over those of its last write."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._failed: OSError | None = None

    def write(self, data: bytes) -> int:
        """As ``BinaryIO`` does, all of it."""
        try:
            return self._file.write(data)
        except OSError as error:
            self._failed = self._failed or error
            raise

    def flush(self) -> None:
        """Nothing: it is done when the file gets its name."""

    def check(self) -> None:
        """Raises the ``OSError`` of a write that failed."""
        if self._failed is not None:
            raise self._failed


def _check_apart(source: BinaryIO, target: Path) -> None:
    """Nobody wants the bundle itself replaced by what only the receiver can read."""
    try:
        there = os.stat(target)
    except FileNotFoundError:
        return
    if os.path.samestat(os.fstat(source.fileno()), there):
        raise EncryptFailed(Text("the encrypted bundle needs a file of its own"))


def _failed(error: str) -> EncryptFailed:
    return EncryptFailed(Text("the bundle could not be encrypted; nothing was written: {error}", {"error": error}))
