"""Database and bundles, wherever the receiver was told that they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from server_stub.blobs import Blobs, FileBlobs
from server_stub.db import Database
from server_stub.settings import Settings


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database, for one command. Raises what :class:`Database` does, ``ValueError`` and ``OSError``."""
    settings.prepare()
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.close()


def open_blobs(settings: Settings) -> Blobs:
    """Raises ``ValueError`` and ``OSError`` when they cannot be kept there."""
    if not settings.bundle_store:
        return FileBlobs(settings.bundles)
    from server_stub.s3 import S3Blobs

    return S3Blobs(settings.bundle_store, scratch=settings.spool)
