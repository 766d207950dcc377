"""The calls of ``docs/protocol.md`` besides the upload itself."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select
from starlette.responses import Response

from agent import __version__
from server_stub import enrolment
from server_stub.body import small_body
from server_stub.cases import find_by_serial
from server_stub.db import Bundle, Case, Upload
from server_stub.db.models import BundleState, KeyLevel, KeyState, UploadState
from server_stub.limits.table import KEYS_WAITING
from server_stub.openapi import ANYTHING, ASKS_ENVELOPE, ENVELOPE, TEXT, answers, members, perhaps
from server_stub.problems import Problem, unknown_case
from server_stub.receipts import receipt, receipt_given
from server_stub.receiver import Here, Receiver
from server_stub.settings import API
from uploader.bundle.recipient import sign_recipient

router = APIRouter(prefix=API)


@router.get(
    "/receiver",
    **answers(members(name=TEXT, version=TEXT, key=ANYTHING, uploads=TEXT, recipient=ENVELOPE)),
)
def about(here: Here) -> dict[str, Any]:
    """Who this is, the key that its receipts are signed with, and, signed by it, whom a bundle on a stick is encrypted
    to.
    """
    return {
        "name": "aiodiag-server",
        "version": __version__,
        "key": here.key.public.to_json(),
        "uploads": f"{API}/uploads",
        "recipient": json.loads(sign_recipient(here.age.recipient, here.key)),
    }


@router.get("/cases/{rma}", **answers(members(rma=TEXT, status=TEXT), "bad-request", "unknown-case"))
def coarse_status(rma: str, serial: str, here: Here) -> dict[str, str]:
    """Where a case stands, for whoever knows its number and the serial."""
    with here.db.read() as session:
        case = find_by_serial(session, rma, serial)
    if case is None:
        raise unknown_case()
    return {"rma": case.rma, "status": case.status.value}


@router.post(
    "/cases/{rma}/enrolment",
    openapi_extra=ASKS_ENVELOPE,
    **answers(
        members(status=TEXT, nonce=TEXT, proof=perhaps(TEXT)),
        "bad-request",
        "quarantined",
        "too-many-keys",
        "unknown-case",
        "too-large",
    ),
)
async def enrol(rma: str, request: Request, here: Here) -> dict[str, str | None]:
    """Enrol the key of a unit, and issue a nonce for its next bundle."""
    envelope = await small_body(request)
    return await run_in_threadpool(_enrol, here, rma, envelope)


@router.get("/uploads/{upload_id}/receipt", **answers(ENVELOPE, "not-found", "conflict", "bundle-rejected"))
def get_receipt(upload_id: str, request: Request, here: Here) -> Response:
    """The receiver's word that it has a bundle and believes it."""
    case, bundle = _judged(here, upload_id)
    if bundle.state is BundleState.QUARANTINED:
        raise Problem("bundle-rejected", bundle.reason)
    given = receipt(here.key, case, bundle, here.public_base(request))
    receipt_given(here.db, case, bundle)
    return Response(given, media_type="application/json")


def _enrol(here: Receiver, rma: str, envelope: bytes) -> dict[str, str | None]:
    wanted = enrolment.Request.verify(envelope)
    with here.db.write() as session:
        enrolled = enrolment.enrol(session, rma, wanted, KEYS_WAITING)
    if enrolled.state is not KeyState.ENROLLED:
        raise Problem("quarantined", "This key does not speak for this unit. Service staff can confirm it.")
    asked = KeyLevel.TPM_EK.value if enrolled.could_be_proven and here.makers else None
    return {"status": enrolled.state.value, "nonce": enrolled.nonce, "proof": asked}


def _judged(here: Receiver, upload_id: str) -> tuple[Case, Bundle]:
    upload = here.uploads.get(upload_id)
    if upload.state is UploadState.RECEIVING:
        if upload.offset < upload.length:
            raise Problem("conflict", f"The upload is at {upload.offset} of {upload.length} bytes.")
        here.intake.settle_pending([upload_id])
        if here.uploads.get(upload_id).state is UploadState.RECEIVING:
            raise Problem("conflict", "The bundle is being verified.")
    with here.db.read() as session:
        bundle = session.scalars(select(Bundle).where(Bundle.upload_id == upload_id)).one()
        return session.get_one(Case, session.get_one(Upload, upload_id).case_id), bundle
