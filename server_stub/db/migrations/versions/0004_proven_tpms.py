"""TPMs in which keys were proven to be, and the secrets that prove it. Of no key that is there it was ever asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Up to ``revision``, on either database."""
    op.add_column("device_keys", sa.Column("unproven", sa.String(), server_default="", nullable=False))
    op.create_table(
        "proven_tpms",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("ek", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("key_id", sa.Integer(), sa.ForeignKey("device_keys.id"), nullable=False),
        sa.Column("holding", sa.String(length=32), nullable=False),
        sa.Column("time", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_proven_tpms_key_id", "proven_tpms", ["key_id"])
    op.create_index("one_row_per_tpm_and_key", "proven_tpms", ["ek", "key_id"], unique=True)
    held = sa.text("holding = 'held'")
    op.create_index("one_holder_of_a_tpm", "proven_tpms", ["ek"], unique=True, sqlite_where=held, postgresql_where=held)
    op.create_table(
        "tpm_challenges",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("nonce", sa.String(), nullable=False, unique=True),
        sa.Column("case_id", sa.Integer(), sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("key_id", sa.Integer(), sa.ForeignKey("device_keys.id"), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("ek", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("answered", sa.DateTime()),
    )
