"""RMA cases: opening and finding them, and their timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub import audit
from server_stub.clock import now
from server_stub.db import Bundle, Case, CaseStatus, Event
from server_stub.rma import claim_hash, new_claim, new_rma, same, tidy_rma
from server_stub.units import take_unit, tidy_serial

_NOBODY = "0" * 64
LARGEST_ID = 2**31 - 1
"""The largest number of a row that PostgreSQL's ``integer`` holds; it refuses to look for a larger one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A new case, and the only time at which its claim code is known."""

    case: Case
    claim: str

    @property
    def path(self) -> str:
        """The customer's page of the case."""
        return f"/cases/{self.case.rma}?claim={self.claim}"


def open_case(
    session: Session,
    *,
    serial: str,
    symptom: str = "",
    words: str = "",
    model: str = "",
    shipped: date | None = None,
) -> Opened:
    """Open a case for the unit with this serial; raises ``ValueError`` when it cannot be a serial."""
    tidy = tidy_serial(serial)
    if not tidy:
        raise ValueError("this cannot be a serial number")
    unit = take_unit(session, tidy, model=model, shipped=shipped)
    rma = new_rma(now().date())
    while session.scalar(select(Case.id).where(Case.rma == rma)) is not None:
        rma = new_rma(now().date())
    claim = new_claim()
    case = Case(
        rma=rma,
        unit=unit,
        symptom=symptom,
        words=words,
        status=CaseStatus.REQUEST,
        claim_hash=claim_hash(rma, claim),
        created=now(),
    )
    session.add(case)
    session.flush()
    note(session, case, "case-opened", symptom=symptom)
    audit.record(session, "case-opened", audit.of_case(rma), serial=tidy, symptom=symptom)
    return Opened(case, claim)


def find(session: Session, rma: str) -> Case | None:
    """By its number alone: for the receiver itself and its staff, for whom that is no secret."""
    return session.scalar(select(Case).where(Case.rma == tidy_rma(rma)))


def bundle_of(session: Session, case: Case, number: int) -> Bundle | None:
    """The bundle of a case with this number, which may be any that somebody typed."""
    if not 0 < number <= LARGEST_ID:
        return None
    return session.scalar(select(Bundle).where(Bundle.case_id == case.id, Bundle.id == number))


def find_by_serial(session: Session, rma: str, serial: str) -> Case | None:
    """The case when RMA number and serial belong together. Equally slow whichever of them is wrong."""
    case = find(session, rma)
    matches = same(tidy_serial(serial), case.unit.serial if case else _NOBODY)
    return case if matches else None


def find_by_claim(session: Session, rma: str, claim: str) -> Case | None:
    """The case when RMA number and claim code belong together. Equally slow whichever of them is wrong."""
    case = find(session, rma)
    matches = same(claim_hash(tidy_rma(rma), claim), case.claim_hash if case else _NOBODY)
    return case if matches else None


def all_cases(session: Session) -> Sequence[Case]:
    """Every case, the newest first."""
    return session.scalars(select(Case).order_by(Case.created.desc(), Case.id.desc())).all()


def note(session: Session, case: Case, kind: str, **details: Any) -> None:
    """Add a line to the timeline of a case."""
    session.add(Event(case_id=case.id, time=now(), kind=kind, details=details))


def timeline(session: Session, case: Case) -> Sequence[Event]:
    """What happened in a case, in order."""
    return session.scalars(select(Event).where(Event.case_id == case.id).order_by(Event.id)).all()
