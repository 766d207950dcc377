"""Accounts of staff: made on the command line, or by the identity provider's word."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from server_stub.audit import of_account, record
from server_stub.clock import now
from server_stub.db.accounts import Account, Role, StaffSession
from server_stub.staff.passwords import check_new, hashed

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_OIDC = "oidc:"


def add(session: Session, name: str, role: Role, password: str) -> Account:
    """Make an account with a password; raises ``ValueError`` when the name is taken, or it or the password no good."""
    if not _NAME.fullmatch(name):
        raise ValueError("a name has up to 64 of the characters a-z 0-9 . _ - and begins with a letter or digit")
    if find(session, name) is not None:
        raise ValueError(f"there is an account {name} already")
    check_new(password)
    account = Account(
        name=name,
        shown=name,
        role=role,
        password=hashed(password),
        disabled=False,
        created=now(),
        last_sign_in=None,
    )
    session.add(account)
    session.flush()
    record(session, "account-added", of_account(name), role=role.value)
    return account


def find(session: Session, name: str) -> Account | None:
    """By the name as it was made; case does not count."""
    return session.scalar(select(Account).where(Account.name == name.strip().lower()[:100]))


def named(session: Session, name: str) -> Account:
    """The same; raises ``ValueError`` when there is none."""
    account = find(session, name) or session.scalar(select(Account).where(Account.name == name))
    if account is None:
        raise ValueError(f"there is no account {name[:100]}")
    return account


def everybody(session: Session) -> Sequence[Account]:
    """All accounts, by name."""
    return session.scalars(select(Account).order_by(Account.name)).all()


def count(session: Session) -> int:
    """How many accounts there are."""
    return session.scalar(select(func.count()).select_from(Account)) or 0


def set_password(session: Session, account: Account, password: str) -> None:
    """Every session of the account ends: whoever knew the earlier password is out. Raises ``ValueError``."""
    if account.name.startswith(_OIDC):
        raise ValueError("the identity provider keeps the password of this account")
    check_new(password)
    account.password = hashed(password)
    record(session, "password-set", of_account(account.name))
    end_sessions(session, account)


def disable(session: Session, account: Account) -> None:
    """Nobody signs in with it from now on, and its sessions end."""
    account.disabled = True
    record(session, "account-disabled", of_account(account.name))
    end_sessions(session, account)


def end_sessions(session: Session, account: Account) -> None:
    """Sign the account out everywhere."""
    session.execute(delete(StaffSession).where(StaffSession.account_id == account.id))


def from_provider(session: Session, issuer: str, subject: str, shown: str, role: Role) -> Account:
    """The account of somebody whom the identity provider vouches for; made at the first sign-in, with the role that the
    provider says now. No local name can be spelt like it.
    """
    name = f"{_OIDC}{issuer}#{subject}"
    account = session.scalar(select(Account).where(Account.name == name))
    if account is None:
        account = Account(name=name, password="", disabled=False, created=now(), last_sign_in=None)
        session.add(account)
    account.shown, account.role = shown[:100], role
    session.flush()
    return account
