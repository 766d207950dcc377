"""Bundles that come on a stick, encrypted to this receiver with age: its identity, and how they are opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pyrage

from agent import durable
from agent.model import Text
from uploader.bundle.format import MAX_BUNDLE
from uploader.keys import KeyUnusable, own, read_private

MAGIC = b"age-encryption.org/v1\n"
"""How every age file begins (https://age-encryption.org/v1); the armoured form is not taken."""
_HEADER_CAP = 16 << 10
"""Bytes in which the header must end: one recipient takes 200, and whoever encrypts may add some more. Ours."""
_HEADER_END = b"\n--- "
MAX_ENCRYPTED = MAX_BUNDLE + MAX_BUNDLE // (64 << 10) * 16 + _HEADER_CAP
"""Bytes of an encrypted bundle at most: a tag of 16 bytes with every 64 KiB, and the header."""


class AgeRejected(Exception):
    """Not encrypted to this receiver, cut off or changed."""


class AgeIdentity:
    """The receiver's X25519 identity, in a file of age's own format that is its user's alone."""

    def __init__(self, identity: pyrage.x25519.Identity) -> None:
        self._identity = identity

    @property
    def recipient(self) -> str:
        """``age1...``: what may be told."""
        return str(self._identity.to_public())

    @classmethod
    def load_or_create(cls, path: Path) -> AgeIdentity:
        """The identity in ``path``; made on first use, and then on disk before this returns.

        Raises :class:`~uploader.keys.KeyUnusable` for a file that is damaged, a link, or open to others, and leaves it
        as it is: with a new identity nothing could be opened that was encrypted to the old one.
        """
        with own(path.parent):
            try:
                text = read_private(path).decode("ascii", "replace")
            except FileNotFoundError:
                made = pyrage.x25519.Identity.generate()
                text = f"# public key: {made.to_public()}\n{made}\n"
                durable.replace(path, text.encode())
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        try:
            [secret] = lines
            return cls(pyrage.x25519.Identity.from_str(secret))
        except (ValueError, pyrage.IdentityError) as error:
            raise KeyUnusable(Text("{path} is damaged", {"path": str(path)})) from error

    def decrypt(self, source: BinaryIO, target: BinaryIO) -> None:
        """Write the plain text of ``source`` into ``target``; memory does not grow with it.

        Raises :class:`AgeRejected`; what ``target`` then holds is to be thrown away. Raises ``OSError`` when ``target``
        cannot be written.
        """
        head = source.read(_HEADER_CAP)
        if not head.startswith(MAGIC) or _HEADER_END not in head:
            raise AgeRejected("this is no age file")
        if source.seek(0, os.SEEK_END) > MAX_ENCRYPTED:
            raise AgeRejected("the file is larger than a bundle can be")
        source.seek(0)
        capped = _Capped(target)
        try:
            pyrage.decrypt_io(source, capped, [self._identity])
        except (pyrage.DecryptError, OSError) as error:
            capped.check()
            raise AgeRejected(f"not encrypted to this receiver, cut off or changed ({error})") from error
        capped.check()


class _Capped:
    """Takes as much as a bundle may have, and keeps the first error: pyrage passes over those of its last write, and
    its own come as ``OSError`` too.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._room = MAX_BUNDLE
        self._failed: OSError | AgeRejected | None = None

    def write(self, data: bytes) -> int:
        """As ``BinaryIO`` does, all of it."""
        self._room -= len(data)
        if self._room < 0:
            self._failed = self._failed or AgeRejected("the file holds more than a bundle can have")
            raise self._failed
        try:
            return self._file.write(data)
        except OSError as error:
            self._failed = self._failed or error
            raise

    def flush(self) -> None:
        """As ``BinaryIO`` does."""
        try:
            self._file.flush()
        except OSError as error:
            self._failed = self._failed or error
            raise

    def check(self) -> None:
        """Raises what went wrong with a write."""
        if self._failed is not None:
            raise self._failed
