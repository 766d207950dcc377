"""What staff see: every case whole, and what waits for their decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from agent.texts import render
from server_stub import key_decisions, steps
from server_stub.cases import all_cases, bundle_of, find
from server_stub.db import Bundle, Case, CaseStatus, DeviceKey
from server_stub.db.models import KeyState
from server_stub.enrolment import could_be_proven
from server_stub.key_levels import level_of
from server_stub.pages import routes as customer
from server_stub.pages.labels import KEY_LEVEL, KEY_PROTECTION, KEY_STATE, ROLE, STATUS, UNPROVEN
from server_stub.pages.language import language
from server_stub.pages.render import link, page
from server_stub.problems import Problem
from server_stub.receiver import Here, Receiver
from server_stub.rma import tidy_rma
from server_stub.staff.guard import DecidesKeys, MovesCases, SeesCases, SeesEvidence
from server_stub.staff.roles import HANDS_ON, Action
from server_stub.tpm.refused import Reason

router = APIRouter(prefix="/staff", include_in_schema=False)

CASES_SHOWN = 500
"""Cases of the list, the newest first. Ours."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of a unit in words; ``waits`` when staff have to decide, ``unproven`` why it is not known to be in a
    TPM."""

    key: DeviceKey
    state: str
    level: str
    protection: str
    unproven: str
    waits: bool
    first_seen: datetime
    last_seen: datetime

    @property
    def may_accept(self) -> bool:
        """Whether the decision would change anything."""
        return self.key.state is not KeyState.ENROLLED

    @property
    def may_revoke(self) -> bool:
        """The same for the other one."""
        return self.key.state is not KeyState.REVOKED


@router.get("")
@router.get("/")
def home(_: SeesCases) -> Response:
    """There is one place to begin."""
    return RedirectResponse("/staff/cases", status_code=303)


@router.get("/cases")
def cases(request: Request, here: Here, staff: SeesCases) -> Response:
    """The cases, and those first whose unit has a key that waits."""
    lang = language(request)
    with here.db.read() as session:
        waiting = {unit.id for unit, _ in key_decisions.waiting(session)}
        found = all_cases(session)
    rows = sorted(found, key=lambda case: case.unit_id not in waiting)[:CASES_SHOWN]
    return page(
        request,
        "staff_cases.html",
        staff=staff,
        role=render(ROLE[staff.account.role.value], lang),
        rows=[
            (
                case,
                render(STATUS[case.status], lang),
                case.unit_id in waiting,
                link(request, f"/staff/cases/{case.rma}"),
            )
            for case in rows
        ],
        total=len(found),
    )


@router.get("/cases/{rma}")
def case_page(rma: str, request: Request, here: Here, staff: SeesCases, bundle: str = "") -> Response:
    """Everything that there is of a case."""
    lang = language(request)
    with here.db.read() as session:
        case = _case(session, rma)
        keys = [_key_row(session, key, bool(here.makers), lang) for key in _keys(session, case)]
    sees = staff.may(Action.SEE_EVIDENCE)
    return page(
        request,
        "staff_case.html",
        staff=staff,
        role=render(ROLE[staff.account.role.value], lang),
        keys=keys,
        decides=staff.may(Action.DECIDE_KEYS),
        sees_evidence=sees,
        moves=[(move, render(STATUS[move.to], lang)) for move in steps.MOVES[case.status]]
        if staff.account.role in HANDS_ON[case.status]
        else [],
        note_cap=steps.NOTE_CAP,
        tracking_cap=steps.TRACKING_CAP,
        path=f"/staff/cases/{case.rma}",
        **customer.case_context(request, here, case, bundle, f"/staff/cases/{case.rma}" if sees else ""),
    )


@router.post("/cases/{rma}/keys")
def decide(rma: str, request: Request, here: Here, staff: DecidesKeys) -> Response:
    """Let a key speak for the unit of a case, or refuse it."""
    decision, keyid = staff.fields.get("decision"), staff.fields.get("key", "")
    if decision not in {"accept", "revoke"}:
        raise Problem("bad-request")
    with here.db.write() as session:
        case = _case(session, rma)
        key = session.scalar(select(DeviceKey).where(DeviceKey.unit_id == case.unit_id, DeviceKey.keyid == keyid))
        if key is None:
            raise Problem("not-found")
        try:
            (key_decisions.accept if decision == "accept" else key_decisions.revoke)(session, key, staff.account.name)
        except ValueError as error:  # somebody else was quicker
            raise Problem("conflict", str(error)) from error
    if decision == "accept":
        here.intake.judge_again(case.unit_id)
    return RedirectResponse(link(request, f"/staff/cases/{case.rma}"), status_code=303)


@router.post("/cases/{rma}/step")
def move(rma: str, request: Request, here: Here, staff: MovesCases) -> Response:
    """Hand a case on to another step, or back."""
    told = staff.fields
    try:
        seen, to = CaseStatus(told.get("from", "")), CaseStatus(told.get("to", ""))
    except ValueError as error:
        raise Problem("bad-request") from error
    if staff.account.role not in HANDS_ON[seen]:
        raise Problem("forbidden", "This step is not your role's.")
    with here.db.write() as session:
        case = _case(session, rma)
        by, words, tracking = f"staff:{staff.account.name}", told.get("note", ""), told.get("tracking", "")
        try:
            steps.move(session, case, seen=seen, to=to, words=words, tracking=tracking, by=by)
        except steps.Stale as error:  # somebody else was quicker
            raise Problem("conflict", str(error)) from error
        except ValueError as error:
            raise Problem("bad-request", str(error)) from error
    return RedirectResponse(link(request, f"/staff/cases/{case.rma}"), status_code=303)


@router.get("/cases/{rma}/bundles/{bundle}/journal")
def journal(rma: str, bundle: str, request: Request, here: Here, _: SeesEvidence, page_number: int = 1) -> Response:
    """As the customer sees it."""
    return customer.journal_page(
        request, here, _accepted(here, rma, bundle), page_number, f"/staff/cases/{tidy_rma(rma)}"
    )


@router.get("/cases/{rma}/bundles/{bundle}/file")
def whole(rma: str, bundle: str, here: Here, _: SeesEvidence) -> Response:
    """An accepted bundle."""
    return customer.whole(here, _accepted(here, rma, bundle))


@router.get("/cases/{rma}/bundles/{bundle}/entries/{name:path}")
def entry(rma: str, bundle: str, name: str, here: Here, _: SeesEvidence, download: bool = False) -> Response:
    """A signed entry of an accepted one."""
    return customer.entry(name, here, _accepted(here, rma, bundle), download)


@router.get("/cases/{rma}/kept/{number}")
def kept(rma: str, number: int, here: Here, _: SeesEvidence) -> Response:
    """What came, byte for byte, whatever was thought of it."""
    with here.db.read() as session:
        case = _case(session, rma)
        row = bundle_of(session, case, number)
    if row is None:
        raise Problem("not-found")
    return customer.stored(here, row, f"{case.rma}-{row.id}.{row.state.value}.zip")


def _case(session: Session, rma: str) -> Case:
    case = find(session, rma)
    if case is None:
        raise Problem("not-found")
    return case


def _accepted(here: Receiver, rma: str, bundle: str) -> tuple[Case, Bundle]:
    with here.db.read() as session:
        return customer.accepted_of(session, _case(session, rma), bundle)


def _keys(session: Session, case: Case) -> Iterator[DeviceKey]:
    """Of the unit: those that wait first."""
    found = session.scalars(select(DeviceKey).where(DeviceKey.unit_id == case.unit_id).order_by(DeviceKey.id)).all()
    return iter(sorted(found, key=lambda key: key.state is not KeyState.QUARANTINED))


def _key_row(session: Session, key: DeviceKey, asks: bool, lang: str) -> KeyRow:
    why = key.unproven if asks or key.unproven else Reason.NO_MAKERS
    unproven = UNPROVEN[why] if could_be_proven(session, key) else None
    return KeyRow(
        key=key,
        state=render(KEY_STATE[key.state.value], lang),
        level=render(KEY_LEVEL[level_of(session, key).value], lang),
        protection=render(KEY_PROTECTION[key.protection], lang),
        unproven=render(unproven, lang) if unproven else "",
        waits=key.state is KeyState.QUARANTINED,
        first_seen=key.first_seen,
        last_seen=key.last_seen,
    )
