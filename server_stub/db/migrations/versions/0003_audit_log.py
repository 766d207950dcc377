"""The audit log, and its head: rows are only ever added, and each is the next one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server_stub.db.only_added import only_added

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Up to ``revision``, on either database."""
    op.create_table(
        "audit",
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("time", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
    )
    op.create_index("ix_audit_subject", "audit", ["subject"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "hash": "0" * 64}])
    only_added("audit")
    _next_only()


def _next_only() -> None:
    """SQLite's ``INSERT OR REPLACE`` deletes without the triggers for that: a row that is not the next one is none."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER audit_next_only BEFORE INSERT ON audit "
            "WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM audit) "
            "BEGIN SELECT RAISE(ABORT, 'audit are only ever added'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION audit_next_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM audit) THEN "
        "RAISE integrity_constraint_violation USING MESSAGE = 'audit are only ever added'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute("CREATE TRIGGER audit_next_only BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_next_only()")
