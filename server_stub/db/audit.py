"""The audit log. The database itself refuses to have it rewritten (``migrations/versions/0002_audit_log.py``)."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from server_stub.db.models import Base


class AuditRow(Base):
    """One link of the chain, exactly as it was hashed: ``time`` is ISO 8601 (UTC, microseconds), ``detail`` a JSON
    object in the spelling of RFC 8785, ``previous`` and ``hash`` are SHA-256 in hexadecimal.
    """

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    detail: Mapped[str] = mapped_column(Text)
    previous: Mapped[str]
    hash: Mapped[str]


class AuditHead(Base):
    """The newest link, in one row. Whoever adds a link locks it first, so links are added one after another whatever
    the database does with everything else.
    """

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int]
    hash: Mapped[str]


HEAD_ID = 1
GENESIS = "0" * 64
"""What the first link says of the one before it."""
