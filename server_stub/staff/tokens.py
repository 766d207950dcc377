"""Tokens with which programs of integrators call the receiver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub.audit import of_token, record
from server_stub.clock import now
from server_stub.db import Database
from server_stub.db.accounts import ApiToken
from server_stub.staff.roles import Scope
from server_stub.staff.secret_words import digest_of, new_word

PREFIX = "aiodiag_"
"""What a token begins with, so that it is recognised where it was put by mistake (a log, a repository)."""

LONGEST_DAYS = 366
"""A token that is never renewed is one that nobody remembers. Ours."""

_TOUCH = timedelta(minutes=1)
"""The time of last use is written this often at most."""


def add(session: Session, name: str, scopes: Iterable[Scope], days: int) -> tuple[ApiToken, str]:
    """Make a token that holds for ``days`` (1 to ``LONGEST_DAYS``); gives the only copy of its word besides. Raises
    ``ValueError``.
    """
    chosen = sorted(set(scopes))
    if not chosen:
        raise ValueError("a token needs a scope")
    if not 1 <= days <= LONGEST_DAYS:
        raise ValueError(f"a token holds for 1 to {LONGEST_DAYS} days")
    word = PREFIX + new_word()
    token = ApiToken(
        name=name[:100],
        digest=digest_of(word),
        scopes=" ".join(chosen),
        created=now(),
        expires=now() + timedelta(days=days),
        revoked=None,
        last_used=None,
    )
    session.add(token)
    session.flush()
    record(session, "token-made", of_token(token.id), name=token.name, scopes=token.scopes)
    return token, word


def find(db: Database, word: str) -> ApiToken | None:
    """The token with this word, while it holds."""
    if not word.startswith(PREFIX):
        return None
    with db.read() as session:
        token = session.scalar(select(ApiToken).where(ApiToken.digest == digest_of(word)))
    time = now()
    if token is None or token.revoked is not None or token.expires <= time:
        return None
    if token.last_used is None or time - token.last_used > _TOUCH:
        with db.write() as session:
            session.get_one(ApiToken, token.id).last_used = time
    return token


def revoke(session: Session, token_id: int) -> ApiToken:
    """It opens nothing from now on; raises ``ValueError`` when there is none, or it was revoked before."""
    token = session.get(ApiToken, token_id)
    if token is None:
        raise ValueError(f"there is no token {token_id}")
    if token.revoked is not None:
        raise ValueError(f"token {token_id} is revoked already")
    token.revoked = now()
    record(session, "token-revoked", of_token(token.id), name=token.name)
    return token


def all_tokens(session: Session) -> Sequence[ApiToken]:
    """Every token, also those that hold no more, in the order in which they were made."""
    return session.scalars(select(ApiToken).order_by(ApiToken.id)).all()
