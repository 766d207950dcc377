"""The tables of who may do what: accounts of staff, their sessions, tokens of programs, and links for customers.

Of everything that opens a door only a hash is kept: who reads the database cannot walk in.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server_stub.db.models import Base


class Role(StrEnum):
    """What somebody works as; ``server_stub.staff.roles`` says what each may do."""

    SUPPORT = "support"
    RD = "rd"
    QC = "qc"
    ADMIN = "admin"


class Account(Base):
    """Somebody of the staff. ``name`` is typed at sign-in; for somebody from an identity provider it is made of the
    provider and its subject, which nobody can type. ``password`` is an argon2 hash, or ``""``: no password opens it.
    """

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    shown: Mapped[str]
    role: Mapped[Role]
    password: Mapped[str]
    disabled: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime]
    last_sign_in: Mapped[datetime | None]


class StaffSession(Base):
    """A browser that somebody signed in with; ``digest`` is the SHA-256 (hex) of its token."""

    __tablename__ = "staff_sessions"

    digest: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    created: Mapped[datetime]
    last_used: Mapped[datetime]

    account: Mapped[Account] = relationship(lazy="joined")


class SignInAttempts(Base):
    """How often somebody failed to sign in of late: one row an account (``account:…``) and one an address
    (``address:…``), each by the SHA-256 of its name.
    """

    __tablename__ = "sign_in_attempts"

    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    last: Mapped[datetime]


class OidcSignIn(Base):
    """A sign-in that is under way at the identity provider. ``state`` and ``browser`` are SHA-256 (hex): of what the
    provider sends back, and of what the browser alone has.
    """

    __tablename__ = "oidc_sign_ins"

    state: Mapped[str] = mapped_column(primary_key=True)
    browser: Mapped[str]
    nonce: Mapped[str]
    verifier: Mapped[str]
    target: Mapped[str]
    created: Mapped[datetime]


class ApiToken(Base):
    """What a program signs in with; ``scopes`` are words with a blank between them, ``digest`` the SHA-256 (hex)."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[str]
    created: Mapped[datetime]
    expires: Mapped[datetime]
    revoked: Mapped[datetime | None]
    last_used: Mapped[datetime | None]


class CaseLink(Base):
    """A link that a unit asked for, for its owner: ``digest`` is the SHA-256 (hex) of the word in it, ``visit`` that of
    the cookie of the one browser that opened it.
    """

    __tablename__ = "case_links"

    digest: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str] = mapped_column(unique=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    key_id: Mapped[int] = mapped_column(ForeignKey("device_keys.id"))
    created: Mapped[datetime]
    opened: Mapped[datetime | None]
    visit: Mapped[str | None] = mapped_column(unique=True)
