"""Uploads by tus 1.0 (https://tus.io/protocols/resumable-upload): resumable, checked, one writer at a time."""

from server_stub.uploads.store import Uploads
from server_stub.uploads.writer import Writer

__all__ = ["Uploads", "Writer"]
