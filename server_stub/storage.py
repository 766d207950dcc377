"""Where whole bundles are kept, as the receiver was told."""

from __future__ import annotations

from server_stub.blobs import Blobs, FileBlobs
from server_stub.settings import Settings


def open_blobs(settings: Settings) -> Blobs:
    """Raises ``ValueError`` and ``OSError`` when they cannot be kept there."""
    if not settings.bundle_store:
        return FileBlobs(settings.bundles)
    from server_stub.s3 import S3Blobs

    return S3Blobs(settings.bundle_store, scratch=settings.spool)
