"""What a phone gets that read the code on a unit's screen: what the code says, and whether the unit signed it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from agent.texts import render
from server_stub.cases import find_by_serial
from server_stub.db import DeviceKey, Unit
from server_stub.db.models import KeyState
from server_stub.faults import named
from server_stub.pages.labels import VERDICT
from server_stub.pages.language import language
from server_stub.pages.render import link, page
from server_stub.pages.routes import steps_of
from server_stub.problems import Problem
from server_stub.receiver import Here
from server_stub.units import tidy_serial
from uploader.bundle import quick_code
from uploader.bundle.cose import Unsigned
from uploader.keys import PublicKey
from uploader.strict_json import Malformed

router = APIRouter(include_in_schema=False)


@router.get("/Q/{text}")
@router.get("/q/{text}")
def quick_page(text: str, request: Request, here: Here) -> Response:
    """Shows nothing that the code itself does not hold, but the coarse status of its case, which RMA number and serial
    show to anybody. One answer for a unit without a key here and for a code that its key did not sign: the page is no
    way of asking which units are known.
    """
    try:
        message = quick_code.message_of(text)
        told = quick_code.peek(message)
    except Malformed as error:
        raise Problem("bad-request") from error
    lang = language(request)
    with here.db.read() as session:
        verified = _verified(session, message, told.serial)
        case = find_by_serial(session, told.rma, told.serial) if verified and told.rma else None
    return page(
        request,
        "quick.html",
        status=200 if verified else 403,
        verified=verified,
        told=told,
        label=render(VERDICT[told.verdict.value], lang),
        faults=[named(fault, lang) for fault in told.faults],
        steps=steps_of(request, case) if case else [],
        status_link=link(request, "/", rma=told.rma, serial=told.serial) if case else "",
    )


def _verified(session: Session, message: bytes, serial: str) -> bool:
    """Whether the key that is enrolled for the unit signed it."""
    key = session.scalar(
        select(DeviceKey)
        .join(Unit, Unit.id == DeviceKey.unit_id)
        .where(Unit.serial == tidy_serial(serial), DeviceKey.state == KeyState.ENROLLED)
    )
    if key is None:
        return False
    try:
        quick_code.verify(message, PublicKey.from_json(key.public).sslib)
    except Unsigned:
        return False
    return True
