"""tus 1.0: creation, and chunks with a checksum, from wherever the last one ended.

Source: https://tus.io/protocols/resumable-upload, version 1.0.0.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import BinaryIO

from uploader.http import Answer, Http, Refused, nonsense

_VERSION = {"Tus-Resumable": "1.0.0"}


class Upload:
    """One upload on the server, at ``url``. All methods raise :class:`~uploader.http.ReceiverError`."""

    def __init__(self, http: Http, url: str) -> None:
        self.url = http.url(url)
        self._http = http

    @classmethod
    def create(cls, http: Http, endpoint: str, size: int, metadata: Mapping[str, str]) -> Upload:
        """A new upload of ``size`` bytes, or the one that the server already has for it."""
        encoded = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in metadata.items())
        headers = {"Upload-Length": str(size), "Upload-Metadata": encoded}
        answer = http.call("POST", endpoint, headers={**_VERSION, **headers}, body=b"")
        location = answer.headers.get("location")
        if answer.status != 201 or not location:
            raise nonsense(http.base_url, f"status {answer.status} and Location {location!r}")
        return cls(http, location)

    def offset(self, size: int) -> int | None:
        """How many of the ``size`` bytes the server has; ``None`` when it knows no such upload (any more)."""
        try:
            answer = self._http.call("HEAD", self.url, headers=_VERSION)
        except Refused as error:
            if error.status in {403, 404, 410}:
                return None
            raise
        if answer.headers.get("upload-length") != str(size):
            raise nonsense(self._http.base_url, "the upload is of another size")
        return self._offset(answer, 0, size)

    def append(self, offset: int, chunk: bytes, body: Callable[[bytes], BinaryIO] = BytesIO) -> int:
        """Send the bytes at ``offset``, at least one, as the file that ``body`` makes of them; gives the offset after
        what the server took of them.
        """
        digest = base64.b64encode(hashlib.sha256(chunk).digest()).decode()
        headers = {
            **_VERSION,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {digest}",
        }
        answer = self._http.call("PATCH", self.url, headers=headers, body=chunk, as_file=body)
        return self._offset(answer, offset + 1, offset + len(chunk))

    def discard(self) -> None:
        """Tell the server to forget it."""
        self._http.call("DELETE", self.url, headers=_VERSION)

    def _offset(self, answer: Answer, least: int, most: int) -> int:
        text = answer.headers.get("upload-offset", "")
        if not text.isascii() or not text.isdigit() or len(text) > 15 or not least <= int(text) <= most:
            raise nonsense(self._http.base_url, f"Upload-Offset {text[:50]!r}")
        return int(text)
