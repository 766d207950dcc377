"""Links that a unit gives its owner, to see on another screen what it sent. The unit's signature stands for the claim
code, and for no more than the unit knows itself: whoever opens the link sees what was sealed with its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server_stub.body import small_body
from server_stub.clock import iso, now
from server_stub.db import Case, DeviceKey
from server_stub.db.accounts import CaseLink
from server_stub.db.models import KeyState
from server_stub.openapi import ASKS_ENVELOPE, TEXT, TIME, answers, members
from server_stub.problems import Problem
from server_stub.receiver import Here, Receiver
from server_stub.rma import tidy_rma
from server_stub.settings import API
from server_stub.staff.secret_words import digest_of, new_word
from server_stub.unit_word import asked, check_fresh, sender

PAYLOAD_TYPE = "application/vnd.hibertek.aiodiag.link+json"

TO_OPEN = timedelta(minutes=15)
"""For a person to open the link. Ours."""

VISIT = timedelta(hours=1)
"""For which the browser that opened it sees the case. Ours."""

router = APIRouter(prefix=API)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who opened a unit's link: the case, and the id of the key whose bundles they see."""

    case: Case
    keyid: str


@router.post(
    "/cases/{rma}/link",
    openapi_extra=ASKS_ENVELOPE,
    **answers(
        members(url=TEXT, expires_at=TIME), "bad-request", "not-enrolled", "unknown-case", "conflict", "too-large"
    ),
)
async def make_link(rma: str, request: Request, here: Here) -> dict[str, str]:
    """A link for the owner of the unit that signed the request with its enrolled key, over a nonce of ours."""
    word, until = await run_in_threadpool(_make, here, rma, await small_body(request))
    return {"url": f"{here.public_base(request)}/open/{word}", "expires_at": iso(until)}


def open_link(session: Session, word: str) -> tuple[Case, str] | None:
    """Open a link, which works once: the case, and the word for the browser's cookie; ``None`` if it opens nothing."""
    link = session.get(CaseLink, digest_of(word), with_for_update=True)
    if link is None or link.opened is not None or now() - link.created > TO_OPEN:
        return None
    visit = new_word()
    link.opened, link.visit = now(), digest_of(visit)
    return session.get_one(Case, link.case_id), visit


def visit_of(session: Session, rma: str, word: str) -> Visit | None:
    """What the browser with this cookie may see of the case with this number, while its unit's key is not revoked."""
    found = session.execute(
        select(CaseLink, Case, DeviceKey)
        .join(Case, Case.id == CaseLink.case_id)
        .join(DeviceKey, DeviceKey.id == CaseLink.key_id)
        .where(CaseLink.visit == digest_of(word), Case.rma == tidy_rma(rma), DeviceKey.state != KeyState.REVOKED)
    ).first()
    if found is None or found[0].opened is None or now() - found[0].opened > VISIT:
        return None
    return Visit(found[1], found[2].keyid)


def _make(here: Receiver, rma: str, envelope: bytes) -> tuple[str, datetime]:
    with here.db.write() as session:
        said = asked(envelope, PAYLOAD_TYPE, rma, ("nonce",))
        case, key = sender(session, envelope, PAYLOAD_TYPE, rma, said["serial"])
        nonce = said["nonce"]
        check_fresh(session, nonce, case, key)
        if session.scalar(select(CaseLink.digest).where(CaseLink.nonce == nonce)) is not None:
            raise Problem("conflict", "A link was made with this nonce already.")
        session.execute(delete(CaseLink).where(CaseLink.created < now() - TO_OPEN - VISIT))
        word, time = new_word(), now()
        session.add(
            CaseLink(
                digest=digest_of(word),
                nonce=nonce,
                case_id=case.id,
                key_id=key.id,
                created=time,
                opened=None,
                visit=None,
            )
        )
        return word, time + TO_OPEN
