"""The two calls of a proof."""

from __future__ import annotations

import base64

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from server_stub.body import small_body
from server_stub.clock import iso
from server_stub.openapi import ASKS_ENVELOPE, BASE64, TEXT, TIME, answers, members
from server_stub.problems import Problem
from server_stub.receiver import Here, Receiver
from server_stub.settings import API
from server_stub.tpm import proofs
from server_stub.tpm.refused import NotProven, Reason

router = APIRouter(prefix=API)


_PROBLEMS = ("bad-request", "not-enrolled", "not-proven", "unknown-case", "conflict", "too-large")


@router.post(
    "/cases/{rma}/tpm-challenge",
    openapi_extra=ASKS_ENVELOPE,
    **answers(members(challenge=TEXT, credential=BASE64, seed=BASE64, expires_at=TIME), *_PROBLEMS),
)
async def challenge(rma: str, request: Request, here: Here) -> dict[str, str]:
    """A secret that the TPM of the unit alone can read, and only while it holds the unit's key."""
    return await run_in_threadpool(_challenge, here, rma, await small_body(request))


@router.post(
    "/cases/{rma}/tpm-answer",
    openapi_extra=ASKS_ENVELOPE,
    **answers(members(status=TEXT), *_PROBLEMS, "quarantined"),
)
async def answer(rma: str, request: Request, here: Here) -> dict[str, str]:
    """The secret, read by the TPM: so the unit's key is in it."""
    return await run_in_threadpool(_answer, here, rma, await small_body(request))


def _challenge(here: Receiver, rma: str, envelope: bytes) -> dict[str, str]:
    with here.db.write() as session:
        made = proofs.challenge(session, here.makers, rma, envelope)
    if isinstance(made, NotProven):
        raise _problem(made)
    return {
        "challenge": made.id,
        "credential": base64.b64encode(made.credential.blob).decode(),
        "seed": base64.b64encode(made.credential.seed).decode(),
        "expires_at": iso(made.expires),
    }


def _answer(here: Receiver, rma: str, envelope: bytes) -> dict[str, str]:
    with here.db.write() as session:
        refusal = proofs.answer(session, rma, envelope)
    if refusal is not None:
        raise _problem(refusal)
    return {"status": "proven"}


def _problem(refusal: NotProven) -> Problem:
    if refusal.reason is Reason.OF_ANOTHER_UNIT:
        return Problem("quarantined", "This TPM is another unit's. Service staff can confirm it.")
    return Problem("not-proven", f"{refusal.reason}. {refusal.detail}".strip())
