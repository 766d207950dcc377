"""Adding links to the chain, each in the transaction of what it tells."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import rfc8785
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from server_stub.audit.acting import actor
from server_stub.clock import now
from server_stub.db.audit import HEAD_ID, AuditHead, AuditRow

TEXT_CAP = 2000
"""Characters of one text in the detail; the reason of a rejection holds words of whoever made the bundle. Ours."""

_PENDING = "audit"


@dataclass(frozen=True, slots=True)
class _Told:
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


def of_case(rma: str) -> str:
    """The subject of what happens in a case."""
    return f"case:{rma}"


def of_unit(serial: str) -> str:
    """The subject of what happens to a unit's keys, whichever case it was in."""
    return f"unit:{serial}"


def of_account(name: str) -> str:
    """The subject of what happens to an account of staff."""
    return f"account:{name}"


def of_token(number: int) -> str:
    """The subject of what happens to a token of a program."""
    return f"token:{number}"


def record(session: Session, action: str, subject: str, **detail: Any) -> None:
    """Write down what is done in this transaction: it is done and told, or neither.

    The link is added right before the commit, so the lock on the head is the last one that a transaction takes (nothing
    can wait in a circle) and is held for a moment only. Not for savepoints that may be rolled back by themselves.
    """
    told: list[_Told] = session.info.setdefault(_PENDING, [])
    told.append(_Told(actor(), action, _tidy(subject).replace("\0", "\ufffd"), _tidy(detail)))


def link_hash(row: AuditRow, detail: dict[str, Any]) -> str:
    """SHA-256 (hexadecimal) over the row and the hash before it, as canonical JSON (RFC 8785)."""
    link = {
        "sequence": row.sequence,
        "time": row.time,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "detail": detail,
        "previous": row.previous,
    }
    return hashlib.sha256(canonical(link)).hexdigest()


def canonical(value: Any) -> bytes:
    """The spelling of RFC 8785; raises ``ValueError`` for what it has none for."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(str(error)) from error


def _append(session: Session) -> None:
    told: list[_Told] = session.info.pop(_PENDING, [])
    if not told:
        return
    session.flush()
    head = session.scalars(select(AuditHead).where(AuditHead.id == HEAD_ID).with_for_update()).one()
    for one in told:
        row = AuditRow(
            sequence=head.sequence + 1,
            time=now().isoformat(timespec="microseconds").replace("+00:00", "Z"),
            actor=one.actor,
            action=one.action,
            subject=one.subject,
            detail=canonical(one.detail).decode(),
            previous=head.hash,
        )
        row.hash = link_hash(row, one.detail)
        session.add(row)
        head.sequence, head.hash = row.sequence, row.hash
        session.flush()


def _tidy(value: Any) -> Any:
    """Texts that a database and RFC 8785 can hold, and no longer than ``TEXT_CAP``."""
    if isinstance(value, str):
        return value[:TEXT_CAP].encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _tidy(member) for key, member in value.items()}
    return value


event.listen(Session, "before_commit", _append)
