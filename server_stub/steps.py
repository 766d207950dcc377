"""Moving a case through the steps of the RMA service: which step follows which, what has to be told, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from server_stub import audit
from server_stub.cases import note
from server_stub.db import Case, CaseStatus

NOTE_CAP = 1000
"""Characters of a note; ours."""
TRACKING_CAP = 64
"""Characters of a tracking number; ours. Those of the large carriers have up to 34 (USPS)."""


class Stale(Exception):
    """The case is at another step than whoever moves it saw."""


@dataclass(frozen=True, slots=True)
class Move:
    """From one step to another. ``told`` says that a note is needed: a report, or why the case does not simply go on;
    ``shipped`` that a tracking number is.
    """

    to: CaseStatus
    told: bool = False
    shipped: bool = False


MOVES: Mapping[CaseStatus, tuple[Move, ...]] = {
    CaseStatus.REQUEST: (Move(CaseStatus.APPROVAL), Move(CaseStatus.CLOSURE, told=True)),
    CaseStatus.APPROVAL: (Move(CaseStatus.REPAIR), Move(CaseStatus.CLOSURE, told=True)),
    CaseStatus.REPAIR: (Move(CaseStatus.SHIPPING), Move(CaseStatus.APPROVAL, told=True)),
    CaseStatus.SHIPPING: (
        Move(CaseStatus.QUALITY_CONTROL, told=True, shipped=True),
        Move(CaseStatus.REPAIR, told=True),
    ),
    CaseStatus.QUALITY_CONTROL: (Move(CaseStatus.FEEDBACK), Move(CaseStatus.REPAIR, told=True)),
    CaseStatus.FEEDBACK: (Move(CaseStatus.CLOSURE), Move(CaseStatus.REPAIR, told=True)),
    CaseStatus.CLOSURE: (Move(CaseStatus.FEEDBACK, told=True),),
}
"""Step -> where a case can go from there: on first; then refused, back for another repair, or opened again. Shipping
ends with the report of the repair and a tracking number."""


def move(session: Session, case: Case, *, seen: CaseStatus, to: CaseStatus, words: str, tracking: str, by: str) -> None:
    """Move a case from the step at which ``by`` saw it. On its timeline is who did it and what was told; in the audit
    log which step it left and which it reached, and no words of a person: nothing can be taken out there again.

    Raises :class:`Stale`, and ``ValueError`` when no such move is to be had or something is not told. Who may make it
    is for the caller to know (``server_stub.staff.roles``).
    """
    if case.status is not seen:
        raise Stale(f"the case is at {case.status.value} now")
    words, tracking = words.strip(), tracking.strip()
    chosen = next((one for one in MOVES[seen] if one.to is to), None)
    if chosen is None:
        raise ValueError(f"a case does not go from {seen.value} to {to.value}")
    if len(words) > NOTE_CAP or len(tracking) > TRACKING_CAP:
        raise ValueError(f"a note has at most {NOTE_CAP} characters, a tracking number {TRACKING_CAP}")
    if chosen.told and not words:
        raise ValueError("this move needs a note")
    if chosen.shipped != bool(tracking):
        raise ValueError("a tracking number belongs to what was shipped, and to nothing else")
    case.status = to
    note(session, case, "case-moved", step=to.value, note=words, tracking=tracking, by=by)
    with audit.acting(by):
        audit.record(session, "case-moved", audit.of_case(case.rma), **{"from": seen.value, "to": to.value})
