"""The headers of tus 1.0, read strictly."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from server_stub.problems import Problem
from uploader.bundle.format import MAX_BUNDLE

VERSION = "1.0.0"
EXTENSIONS = "creation,checksum,termination"
CHECKSUM = "sha256"
CONTENT_TYPE = "application/offset+octet-stream"

METADATA_CAP = 4096
"""Bytes of Upload-Metadata. Ours."""

OPTIONS = {
    "Tus-Version": VERSION,
    "Tus-Extension": EXTENSIONS,
    "Tus-Max-Size": str(MAX_BUNDLE),
    "Tus-Checksum-Algorithm": CHECKSUM,
}

_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Creation:
    """What a client announces: ``length`` in bytes, ``sha256`` (hexadecimal) of the whole bundle."""

    length: int
    rma: str
    serial: str
    sha256: str
    filename: str

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Creation:
        """Raises :class:`Problem` (``bad-request``, ``too-large``)."""
        length = whole_number(headers, "upload-length")
        if length > MAX_BUNDLE:
            raise Problem("too-large", f"A bundle has at most {MAX_BUNDLE} bytes.")
        if length == 0:
            raise Problem("bad-request", "An empty file is no bundle.")
        metadata = _metadata(headers.get("upload-metadata", ""))
        missing = [name for name in ("rma", "serial", "sha256") if not metadata.get(name)]
        if missing:
            raise Problem("bad-request", f"Upload-Metadata lacks {', '.join(missing)}.")
        if not _SHA256.fullmatch(metadata["sha256"]):
            raise Problem("bad-request", "sha256 is 64 lower-case hexadecimal digits.")
        filename = metadata.get("filename", "")[:255]
        return cls(length, metadata["rma"], metadata["serial"], metadata["sha256"], filename)


def check_version(headers: Mapping[str, str]) -> None:
    """Raises :class:`Problem` (``unsupported-version``) when the client speaks another tus."""
    if headers.get("tus-resumable") != VERSION:
        raise Problem("unsupported-version", f"Tus-Resumable: {VERSION} is needed.", headers={"Tus-Version": VERSION})


def whole_number(headers: Mapping[str, str], name: str) -> int:
    """Raises :class:`Problem` (``bad-request``) when the header is missing or no number of at most 15 digits."""
    value = headers.get(name, "")
    if not _NUMBER.fullmatch(value):
        raise Problem("bad-request", f"The header {name} must be a whole number.")
    return int(value)


def checksum(headers: Mapping[str, str]) -> bytes | None:
    """The SHA-256 that the request's body must have, ``None`` when it is not said.

    Raises :class:`Problem` (``bad-request``) for another algorithm or a malformed digest.
    """
    value = headers.get("upload-checksum")
    if value is None:
        return None
    algorithm, _, encoded = value.partition(" ")
    digest = _base64(encoded.strip())
    if algorithm != CHECKSUM or digest is None or len(digest) != 32:
        raise Problem("bad-request", f"Upload-Checksum must be: {CHECKSUM}, a space, and the digest in base64.")
    return digest


def _metadata(header: str) -> dict[str, str]:
    if len(header) > METADATA_CAP:
        raise Problem("too-large", f"Upload-Metadata has at most {METADATA_CAP} bytes.")
    found: dict[str, str] = {}
    for pair in header.split(",") if header.strip() else []:
        key, _, encoded = pair.strip().partition(" ")
        value = _base64(encoded.strip())
        if not key or key in found or value is None:
            raise Problem("bad-request", "Upload-Metadata must be pairs of a key and a value in base64.")
        found[key] = value.decode("utf-8", "replace")
    return found


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
