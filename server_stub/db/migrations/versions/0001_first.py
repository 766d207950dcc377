"""The tables as they were before there were migrations.

A database of that time has them, and no version. So what is there is left as it is; what is not (there were fewer
tables once) is made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server_stub.db.only_added import only_added

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Up to ``revision``, on either database."""
    _table(
        "units",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("serial", sa.String(), nullable=False, unique=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("board", sa.String(), nullable=False),
        sa.Column("shipped", sa.Date()),
    )
    _table(
        "cases",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("rma", sa.String(), nullable=False, unique=True),
        sa.Column("unit_id", sa.Integer(), sa.ForeignKey("units.id"), nullable=False),
        sa.Column("symptom", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("claim_sha256", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
    )
    _index("ix_cases_unit_id", "cases", "unit_id")
    _table(
        "device_keys",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("unit_id", sa.Integer(), sa.ForeignKey("units.id"), nullable=False),
        sa.Column("keyid", sa.String(), nullable=False),
        sa.Column("public", sa.JSON(), nullable=False),
        sa.Column("protection", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("first_seen", sa.DateTime(), nullable=False),
        sa.Column("last_seen", sa.DateTime(), nullable=False),
    )
    _index("one_row_per_key", "device_keys", "unit_id", "keyid", unique=True)
    _index("one_enrolled_key", "device_keys", "unit_id", unique=True, where="state = 'enrolled'")
    _table(
        "key_proofs",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("key_id", sa.Integer(), sa.ForeignKey("device_keys.id"), nullable=False),
        sa.Column("level", sa.String(length=32), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("time", sa.DateTime(), nullable=False),
    )
    _index("ix_key_proofs_key_id", "key_proofs", "key_id")
    _table(
        "uploads",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("case_id", sa.Integer(), sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("offset", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("lease", sa.String()),
        sa.Column("lease_until", sa.DateTime()),
        sa.Column("created", sa.DateTime(), nullable=False),
    )
    _index("one_upload_per_digest", "uploads", "case_id", "sha256", unique=True, where="state <> 'mismatched'")
    _table(
        "bundles",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("case_id", sa.Integer(), sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("upload_id", sa.String(), sa.ForeignKey("uploads.id"), nullable=False, unique=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("received", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("bundle_id", sa.String()),
        sa.Column("statement", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("fresh", sa.Boolean(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
    )
    _index("ix_bundles_case_id", "bundles", "case_id")
    _index("ix_bundles_sha256", "bundles", "sha256")
    _index("accepted_once", "bundles", "bundle_id", unique=True, where="state = 'accepted'")
    _table(
        "nonces",
        sa.Column("value", sa.String(), primary_key=True),
        sa.Column("case_id", sa.Integer(), sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("key_id", sa.Integer(), sa.ForeignKey("device_keys.id"), nullable=False),
        sa.Column("issued", sa.DateTime(), nullable=False),
        sa.Column("bundle_id", sa.Integer(), sa.ForeignKey("bundles.id")),
    )
    _table(
        "events",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("case_id", sa.Integer(), sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("time", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
    )
    _index("ix_events_case_id", "events", "case_id")
    only_added("events")


def _table(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(name, *columns, if_not_exists=True)


def _index(name: str, table: str, *columns: str, unique: bool = False, where: str = "") -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        name,
        table,
        list(columns),
        unique=unique,
        if_not_exists=True,
        sqlite_where=condition,
        postgresql_where=condition,
    )
