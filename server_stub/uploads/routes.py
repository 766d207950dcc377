"""tus 1.0 over HTTP: core, creation, checksum, termination."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from server_stub.limits import admit
from server_stub.problems import Problem
from server_stub.receiver import Here, Receiver
from server_stub.settings import API
from server_stub.uploads import described, headers
from server_stub.uploads.behind import Behind
from server_stub.uploads.writer import Writer, check_offset

IDLE_S = 60.0
"""Seconds without a byte after which a PATCH counts as broken off. Ours."""

_HEARD_BYTES = 64 << 20
_HEARD_S = 10.0
"""How much is still read, and for how long, of a part that is refused. Ours: twice the largest part of our uploader."""

_PIECE = 256 * 1024
"""Bytes gathered before they are worth a thread and a system call. Ours."""


def _version(request: Request) -> None:
    headers.check_version(request.headers)


router = APIRouter(prefix=f"{API}/uploads", default_response_class=Response)
_VERSIONED = [Depends(_version)]


@router.options("", operation_id="options", **described.OPTIONS)
@router.options("/{upload_id}", operation_id="options_of_upload", **described.OPTIONS_OF_UPLOAD)
def options() -> Response:
    """What of tus is spoken here."""
    return Response(status_code=204, headers=headers.OPTIONS)


@router.post("", dependencies=_VERSIONED, **described.CREATE)
async def create(request: Request, here: Here) -> Response:
    """Announce a bundle; the same one again gives the same upload."""
    wanted = headers.Creation.from_headers(request.headers)
    upload = await here.in_upload_thread(here.uploads.create, wanted, partial(admit, here.limits))
    location = f"{API}/uploads/{upload.id}"
    return Response(status_code=201, headers={"Location": location, "Upload-Offset": str(upload.offset)})


@router.head("/{upload_id}", dependencies=_VERSIONED, **described.OFFSET)
def offset(upload_id: str, here: Here) -> Response:
    """How much of an upload is safely here."""
    upload = here.uploads.get(upload_id)
    state = {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.length)}
    return Response(headers={**state, "Cache-Control": "no-store"})


@router.patch("/{upload_id}", dependencies=_VERSIONED, **described.APPEND)
async def append(upload_id: str, request: Request, here: Here) -> Response:
    """Add bytes at the offset; with the last one the bundle is verified."""
    try:
        return await _append(upload_id, request, here)
    except Exception:
        await _read_out(request)
        raise


@router.delete("/{upload_id}", dependencies=_VERSIONED, **described.TERMINATE)
def terminate(upload_id: str, here: Here) -> Response:
    """Give an upload up."""
    here.uploads.remove(upload_id)
    return Response(status_code=204)


@router.post("/{upload_id}", dependencies=_VERSIONED, **described.OVERRIDE)
async def override(upload_id: str, request: Request, here: Here) -> Response:
    """For clients behind something that lets no PATCH or DELETE through (tus 1.0, X-HTTP-Method-Override)."""
    method = request.headers.get("x-http-method-override", "").upper()
    if method == "PATCH":
        return await append(upload_id, request, here)
    if method == "DELETE":
        return await run_in_threadpool(terminate, upload_id, here)
    raise Problem("method-not-allowed", headers={"Allow": "HEAD, PATCH, DELETE, OPTIONS"})


async def _append(upload_id: str, request: Request, here: Receiver) -> Response:
    if request.headers.get("content-type", "").lower() != headers.CONTENT_TYPE:
        raise Problem("unsupported-media-type", f"Content-Type: {headers.CONTENT_TYPE} is needed.")
    start = headers.whole_number(request.headers, "upload-offset")
    checksum = headers.checksum(request.headers)
    upload = await here.in_upload_thread(here.uploads.get, upload_id)
    check_offset(upload, start)
    if "content-length" in request.headers:
        declared = headers.whole_number(request.headers, "content-length")
        if start + declared > upload.length:
            raise Problem("too-large", f"The upload was declared to have {upload.length} bytes.")
    if upload.offset == upload.length:
        return _at(upload.offset)
    writer = await here.in_upload_thread(Writer.begin, here.uploads, upload_id, start, checksum)
    async with Behind(here, writer) as behind:
        return _at(await _receive(request, here, behind, upload_id))


async def _read_out(request: Request) -> None:
    """A client that still sends hears no answer: where the connection is closed on it, that is all that it is told."""
    left = _HEARD_BYTES
    try:
        async with asyncio.timeout(_HEARD_S):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return
    except (ClientDisconnect, TimeoutError, RuntimeError):  # the last one: all of it was read before
        return


async def _receive(request: Request, here: Receiver, behind: Behind, upload_id: str) -> int:
    gathered = bytearray()
    try:
        async with asyncio.timeout(IDLE_S) as limit:
            async for chunk in request.stream():
                gathered += chunk
                if len(gathered) >= _PIECE:
                    piece, gathered = gathered, bytearray()
                    # A turn that the receiver keeps it waiting for is no silence of the sender's.
                    limit.reschedule(None)
                    await behind.write(piece)
                limit.reschedule(asyncio.get_running_loop().time() + IDLE_S)
    except (ClientDisconnect, TimeoutError) as error:
        await behind.write(gathered)
        await behind.then(behind.writer.abandon)
        raise Problem("bad-request", "The request broke off.") from error
    await behind.write(gathered)
    position = await behind.then(behind.writer.finish)
    if behind.writer.whole:
        await here.in_upload_thread(here.intake.settle, upload_id, behind.writer.token)
    return position


def _at(position: int) -> Response:
    return Response(status_code=204, headers={"Upload-Offset": str(position)})
