"""The audit log: its table, and what makes the database itself refuse to have it rewritten."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Text, event
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

_SQLITE = """
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END;;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END;;
CREATE TRIGGER audit_next_only BEFORE INSERT ON audit
WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END
"""
_POSTGRESQL = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit log is only ever added to'; END $$;;
CREATE FUNCTION audit_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM audit) THEN
        RAISE EXCEPTION 'the audit log is only ever added to';
    END IF;
    RETURN NEW;
END $$;;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse();;
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();;
CREATE TRIGGER audit_next_only BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_next()
"""


def guards(dialect: str) -> list[str]:
    """The statements that make a database of this kind (``sqlite``, ``postgresql``) refuse a change, and a link that
    is not the next one. SQLite's ``INSERT OR REPLACE`` deletes without its triggers for that: the last one stops it.
    """
    script = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}[dialect]
    return [statement.strip() for statement in script.split(";;")]


def _guard(_table: Any, connection: Connection, **_: Any) -> None:
    for statement in guards(connection.dialect.name):
        connection.exec_driver_sql(statement)


def _first_head(table: Any, connection: Connection, **_: Any) -> None:
    connection.execute(table.insert().values(id=HEAD_ID, sequence=0, hash=GENESIS))


event.listen(AuditRow.__table__, "after_create", _guard)
event.listen(AuditHead.__table__, "after_create", _first_head)
