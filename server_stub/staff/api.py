"""The calls of programs that have a token: what staff see, as JSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select
from starlette.responses import Response

from server_stub import steps
from server_stub.audit import of_token
from server_stub.body import small_body
from server_stub.cases import LARGEST_ID, bundle_of, find
from server_stub.clock import iso
from server_stub.db import Bundle, Case, CaseStatus
from server_stub.openapi import ANYTHING, NUMBER, TEXT, TIME, answers, asks, members, perhaps, several
from server_stub.pages.routes import stored
from server_stub.problems import Problem
from server_stub.receiver import Here, Receiver
from server_stub.settings import API, BODY_CAP
from server_stub.staff.guard import MovesByToken, ReadsBundles, ReadsCases
from uploader.strict_json import exactly, field, loads

router = APIRouter(prefix=f"{API}/staff")

PAGE = 200
"""Cases of one answer. Ours."""

_TOKEN = ("unauthorised", "forbidden")
_CASE = {"rma": TEXT, "serial": TEXT, "model": TEXT, "status": TEXT, "opened": TIME}
_STEP = {"type": "string", "enum": [step.value for step in CaseStatus]}
_BUNDLE = members(
    number=NUMBER,
    bundle_id=perhaps(TEXT),
    sha256=TEXT,
    size=NUMBER,
    received=TIME,
    state=TEXT,
    reason=TEXT,
    verdict=TEXT,
    fresh={"type": "boolean"},
    findings=several(ANYTHING),
)


@router.get("/cases", **answers(members(cases=several(members(**_CASE)), next=perhaps(NUMBER)), "bad-request", *_TOKEN))
def cases(here: Here, _: ReadsCases, after: int = 0) -> dict[str, Any]:
    """The cases in the order in which they were opened; those after the one with the number ``after`` of ``next``."""
    with here.db.read() as session:
        wanted = select(Case).where(Case.id > max(0, min(after, LARGEST_ID))).order_by(Case.id).limit(PAGE + 1)
        found = session.scalars(wanted).all()
    shown = found[:PAGE]
    return {"cases": [_case(case) for case in shown], "next": shown[-1].id if len(found) > PAGE else None}


@router.get(
    "/cases/{rma}",
    **answers(members(**_CASE, symptom=TEXT, words=TEXT, bundles=several(_BUNDLE)), "not-found", *_TOKEN),
)
def one_case(rma: str, here: Here, _: ReadsCases) -> dict[str, Any]:
    """A case, and what its diagnoses found."""
    with here.db.read() as session:
        case = find(session, rma)
        if case is None:
            raise Problem("not-found")
        rows = session.scalars(select(Bundle).where(Bundle.case_id == case.id).order_by(Bundle.id)).all()
    return {**_case(case), "symptom": case.symptom, "words": case.words, "bundles": [_bundle(row) for row in rows]}


@router.get(
    "/cases/{rma}/bundles/{number}",
    response_class=Response,
    **answers(None, "bad-request", "not-found", *_TOKEN, media_type="application/zip"),
)
def bundle(rma: str, number: int, here: Here, _: ReadsBundles) -> Response:
    """A bundle, byte for byte as it came; ``number`` is the one that the case tells."""
    with here.db.read() as session:
        case = find(session, rma)
        row = bundle_of(session, case, number) if case is not None else None
    if row is None:
        raise Problem("not-found")
    return stored(here, row, f"{row.sha256}.zip")


@router.post(
    "/cases/{rma}/step",
    openapi_extra=asks(**{"from": _STEP, "to": _STEP, "note": TEXT, "tracking": TEXT}),
    **answers(members(**_CASE), "bad-request", "not-found", "conflict", "too-large", *_TOKEN),
)
async def move(rma: str, request: Request, here: Here, token: MovesByToken) -> dict[str, Any]:
    """Move a case: ``{"from", "to", "note", "tracking"}``, of which the last two may be ``""`` where the move needs
    none. Gives the case as it is then.
    """
    body = await small_body(request)
    return await run_in_threadpool(_move, here, rma, body, of_token(token.id))


def _move(here: Receiver, rma: str, body: bytes, by: str) -> dict[str, Any]:
    try:
        told = loads(body, max_size=BODY_CAP, max_depth=1)
        exactly(told, ("from", "to", "note", "tracking"))
        wanted = {name: field(told, name, str) for name in told}
        seen, to = CaseStatus(wanted["from"]), CaseStatus(wanted["to"])
    except ValueError as error:
        raise Problem("bad-request", str(error)[:200]) from error
    with here.db.write() as session:
        case = find(session, rma)
        if case is None:
            raise Problem("not-found")
        try:
            steps.move(session, case, seen=seen, to=to, words=wanted["note"], tracking=wanted["tracking"], by=by)
        except steps.Stale as error:
            raise Problem("conflict", str(error)) from error
        except ValueError as error:
            raise Problem("bad-request", str(error)) from error
        return _case(case)


def _case(case: Case) -> dict[str, Any]:
    return {
        "rma": case.rma,
        "serial": case.unit.serial,
        "model": case.unit.model,
        "status": case.status.value,
        "opened": iso(case.created),
    }


def _bundle(row: Bundle) -> dict[str, Any]:
    return {
        "number": row.id,
        "bundle_id": row.bundle_id,
        "sha256": row.sha256,
        "size": row.size,
        "received": iso(row.received),
        "state": row.state.value,
        "reason": row.reason,
        "verdict": row.verdict,
        "fresh": row.fresh,
        "findings": row.findings,
    }
