"""Accounts of staff, tokens of programs and links of units; and claim codes by a slow hash.

Of a claim code its SHA-256 was kept. The slow hash is one of that (``server_stub.rma.claim_hash``), so the codes that
customers have stay good.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Up to ``revision``, on either database."""
    op.execute("ALTER TABLE cases RENAME COLUMN claim_sha256 TO claim_hash")
    _slow_hashes(op.get_bind())
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False, unique=True),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("password", sa.String(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("last_sign_in", sa.DateTime()),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("account_id", sa.Integer(), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("last_used", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_staff_sessions_account_id", "staff_sessions", ["account_id"])
    op.create_table(
        "sign_in_attempts",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "oidc_sign_ins",
        sa.Column("state", sa.String(), primary_key=True),
        sa.Column("browser", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("verifier", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False, unique=True),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("expires", sa.DateTime(), nullable=False),
        sa.Column("revoked", sa.DateTime()),
        sa.Column("last_used", sa.DateTime()),
    )
    op.create_table(
        "case_links",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("nonce", sa.String(), nullable=False, unique=True),
        sa.Column("case_id", sa.Integer(), sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("key_id", sa.Integer(), sa.ForeignKey("device_keys.id"), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("opened", sa.DateTime()),
        sa.Column("visit", sa.String(), unique=True),
    )


def _slow_hashes(connection: sa.Connection) -> None:
    cases = sa.table("cases", sa.column("id"), sa.column("rma"), sa.column("claim_hash"))
    for number, rma, once in connection.execute(sa.select(cases.c.id, cases.c.rma, cases.c.claim_hash)).all():
        slow = hashlib.scrypt(once.encode(), salt=rma.encode(), n=2**11, r=8, p=1, dklen=32).hex()
        connection.execute(sa.update(cases).where(cases.c.id == number).values(claim_hash=slow))
