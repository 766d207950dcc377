"""Walking the chain from its first link to its head, and saying where it is broken."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub.audit.chain import canonical, link_hash, of_case, of_unit
from server_stub.cases import find
from server_stub.db import AuditHead, AuditRow
from server_stub.db.audit import GENESIS, HEAD_ID
from uploader import strict_json

_AT_ONCE = 1000
_DETAIL_CAP = 1 << 20
_MAX_DEPTH = 8


class AuditBroken(ValueError):
    """The log is not what was written. ``sequence`` is that of the first link that cannot be believed."""

    def __init__(self, sequence: int, why: str) -> None:
        super().__init__(f"the audit log is broken at row {sequence}: {why}")
        self.sequence = sequence


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link; ``sequence`` 0 where there is none yet."""

    sequence: int
    hash: str


def head(session: Session) -> Head:
    """What the database says that the newest link is. Only :func:`verify` says whether that is so."""
    found = session.execute(select(AuditHead.sequence, AuditHead.hash).where(AuditHead.id == HEAD_ID)).one_or_none()
    if found is None:
        raise AuditBroken(0, "its head is gone")
    return Head(found.sequence, found.hash)


def verify(session: Session, earlier: Head | None = None) -> Head:
    """Walk the whole chain; gives its newest link. Raises :class:`AuditBroken` for the first that is wrong.

    ``earlier`` is a head that was kept elsewhere: whatever somebody made of the database since, up to there it must be
    the same chain. Others may add links meanwhile.
    """
    anchors = [head(session), *([earlier] if earlier is not None else [])]
    last = Head(0, GENESIS)
    with closing(rows(session)) as walked:
        for row in walked:
            _check(row, last)
            last = Head(row.sequence, row.hash)
            if any(anchor.sequence == last.sequence and anchor != last for anchor in anchors):
                raise AuditBroken(last.sequence, "it is another one than when the head was taken")
    for anchor in anchors:
        if anchor.sequence > last.sequence:
            raise AuditBroken(last.sequence + 1, f"the rows end before it, and there were {anchor.sequence}")
    if last.sequence > anchors[0].sequence:  # added since the head was read, if the head says so by now
        after = head(session)
        if after.sequence < last.sequence or (after.sequence == last.sequence and after != last):
            raise AuditBroken(after.sequence + 1, "the head does not know of it")
    return last


def rows(session: Session, subjects: Sequence[str] | None = None) -> Generator[AuditRow]:
    """The links in order, without holding all of them in memory; those about ``subjects`` only, where given."""
    wanted = select(AuditRow).order_by(AuditRow.sequence).execution_options(yield_per=_AT_ONCE)
    if subjects is not None:
        wanted = wanted.where(AuditRow.subject.in_(subjects))
    with closing(session.scalars(wanted)) as found:  # PostgreSQL's cursor, too, when somebody stops in the middle
        yield from found


def subjects_of(session: Session, rma: str) -> list[str]:
    """The case, and its unit; raises ``ValueError`` when there is no such case."""
    case = find(session, rma)
    if case is None:
        raise ValueError(f"there is no case {rma}")
    return [of_case(case.rma), of_unit(case.unit.serial)]


def _check(row: AuditRow, last: Head) -> None:
    """Raises :class:`AuditBroken` unless ``row`` is the link after ``last``."""
    expected = last.sequence + 1
    if row.sequence != expected:
        raise AuditBroken(min(row.sequence, expected), f"row {row.sequence} stands where {expected} belongs")
    if row.previous != last.hash:
        raise AuditBroken(row.sequence, "it does not follow from the one before it")
    try:
        detail = strict_json.loads(row.detail.encode(), max_size=_DETAIL_CAP, max_depth=_MAX_DEPTH)
        spelling, right = canonical(detail).decode(), link_hash(row, detail)
    except (ValueError, AttributeError) as error:  # SQLite gives back a number or bytes where somebody put them
        raise AuditBroken(row.sequence, f"it cannot be read ({error})") from error
    if spelling != row.detail or right != row.hash:
        raise AuditBroken(row.sequence, "its hash is not that of what it says")
