"""One PATCH as it arrives: bytes go to the spool file, and count once they are on disk and the offset says so."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from pathlib import Path
from typing import Self

from server_stub.blobs import sync_folder
from server_stub.db import Upload
from server_stub.problems import Problem
from server_stub.settings import LEASE_S
from server_stub.uploads.store import Uploads

COMMIT_BYTES = 8 << 20
"""Bytes between two commits of a PATCH without a checksum: so much is lost at most when the receiver dies. Ours."""


class Writer:
    """Holds the lease on one upload. Everything here blocks: call it in a thread, one call at a time.

    With a checksum nothing counts before all of it was checked; without one, what came counts, commit by commit.
    """

    def __init__(self, uploads: Uploads, upload: Upload, token: str, checksum: bytes | None) -> None:
        self._uploads = uploads
        self._id = upload.id
        self.token = token
        self._committed = self._position = upload.offset
        self._length = upload.length
        self._checksum = checksum
        self._digest = hashlib.sha256()
        self._renewed = time.monotonic()
        self._holds = True
        self._fd = _open(uploads.path(upload.id), upload.offset)

    @classmethod
    def begin(cls, uploads: Uploads, upload_id: str, offset: int, checksum: bytes | None) -> Self:
        """Take the lease. Raises :class:`Problem`: ``conflict`` for another offset, or while somebody else writes; and
        where fewer bytes are there than were committed, after the offset was set back to them.
        """
        token = uploads.acquire(upload_id)
        if token is None:
            raise Problem("conflict", "Somebody else is writing to this upload.")
        try:
            upload = uploads.get(upload_id)
            check_offset(upload, offset)
            _check_held(uploads, upload, token)
            return cls(uploads, upload, token, checksum)
        except BaseException:
            uploads.release(upload_id, token)
            raise

    @property
    def whole(self) -> bool:
        """Whether the last byte is committed."""
        return self._committed == self._length

    def write(self, data: bytes | bytearray) -> None:
        """Add bytes. Raises :class:`Problem`: ``too-large`` beyond the declared length (nothing of this request then
        counts that was not committed before), ``conflict`` when the lease was lost; ``OSError`` when it cannot be
        written, and nothing counts then, either.
        """
        if self._position + len(data) > self._length:
            raise Problem("too-large", f"The upload was declared to have {self._length} bytes.")
        if time.monotonic() - self._renewed > LEASE_S / 3:
            self._advance(self._committed)
        view = memoryview(data)
        try:
            while view:
                view = view[os.pwrite(self._fd, view, self._position + len(data) - len(view)) :]
        except OSError:
            self._make_room()
            raise
        self._position += len(data)
        if self._checksum is not None:
            self._digest.update(data)
        elif self._position - self._committed >= COMMIT_BYTES:
            self._commit()

    def finish(self) -> int:
        """All of the request came: check it, commit it, and give the new offset.

        Raises :class:`Problem` (``checksum-mismatch``, ``conflict``).
        """
        if self._checksum is not None and not hmac.compare_digest(self._digest.digest(), self._checksum):
            self._advance(self._committed)
            os.ftruncate(self._fd, self._committed)
            raise Problem("checksum-mismatch", "The bytes that came are not those that were sent. Nothing was kept.")
        self._commit(last=True)
        return self._committed

    def abandon(self) -> None:
        """The request broke off: keep what can be kept. Without a checksum that is everything that came."""
        if self._checksum is None:
            self._commit(last=True)

    def close(self) -> None:
        """Give the lease back, if that was not done with the last bytes. Bytes behind the offset are cut off by the
        next writer, who alone may touch the file.
        """
        os.close(self._fd)
        if self._holds:
            self._uploads.release(self._id, self.token)

    def _make_room(self) -> None:
        """The disk is full, as a rule. What does not count must not keep it so: the database may need the room even to
        give the lease back, which is therefore only looked at here.
        """
        if self._uploads.get(self._id).lease == self.token:
            os.ftruncate(self._fd, self._committed)

    def _commit(self, *, last: bool = False) -> None:
        """What came counts. With the ``last`` bytes of a request the lease is given back in the same transaction; not
        that of a whole upload, which is judged under it.
        """
        os.fsync(self._fd)
        self._advance(self._position, last=last and self._position < self._length)

    def _advance(self, offset: int, *, last: bool = False) -> None:
        if not self._uploads.advance(self._id, self.token, self._committed, offset, last=last):
            raise Problem("conflict", "Somebody else is writing to this upload now.")
        self._committed = offset
        self._renewed = time.monotonic()
        self._holds = not last


def check_offset(upload: Upload, offset: int) -> None:
    """Raises :class:`Problem` (``conflict``) unless the upload is at ``offset``."""
    if upload.offset != offset:
        raise Problem("conflict", f"The upload is at offset {upload.offset}.")


def _check_held(uploads: Uploads, upload: Upload, token: str) -> None:
    """Raises :class:`Problem` (``conflict``) where bytes that had been safe are gone, after the offset was set back to
    those that are there: the client sends them again, rather than never get on.
    """
    try:
        held = uploads.path(upload.id).stat().st_size
    except FileNotFoundError:
        held = 0
    if held < upload.offset:
        uploads.advance(upload.id, token, upload.offset, held)
        raise Problem("conflict", f"The upload is at offset {held}.")


def _open(path: Path, offset: int) -> int:
    """The spool file, cut to the bytes that count; raises ``OSError``, also when it has fewer."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(fd).st_size
        os.ftruncate(fd, min(size, offset))
        if offset == 0:  # else its name was made to last before its first bytes counted
            sync_folder(path.parent)
    except BaseException:
        os.close(fd)
        raise
    if size < offset:
        os.close(fd)
        raise OSError(f"{path} has {size} bytes, and {offset} were committed")
    return fd
