"""The body of a request that is small: everything but a part of an upload."""

from __future__ import annotations

from fastapi import Request

from server_stub.problems import Problem
from server_stub.settings import BODY_CAP


async def small_body(request: Request) -> bytes:
    """At most :data:`BODY_CAP` bytes; raises :class:`Problem` (``too-large``) as soon as there are more."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_CAP:
            raise Problem("too-large", f"A body has at most {BODY_CAP} bytes here.")
    return bytes(body)
