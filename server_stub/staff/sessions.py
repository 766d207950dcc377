"""Sessions of staff in a browser. The cookie holds a random word and nothing else; all that it means is kept here."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, or_
from sqlalchemy.orm import Session

from server_stub.audit import of_account, record
from server_stub.clock import now
from server_stub.db import Database
from server_stub.db.accounts import Account, StaffSession
from server_stub.staff.secret_words import digest_of, new_word

IDLE = timedelta(minutes=30)
"""A browser that was left alone this long has to sign in again (OWASP: 15 to 30 minutes for work of little risk)."""

ABSOLUTE = timedelta(hours=12)
"""And any after this long: a working day. Ours."""

_TOUCH = timedelta(minutes=1)
"""The time of last use is written this often at most, so that looking at pages is not writing to the database."""


def begin(session: Session, account: Account, before: str) -> str:
    """Sign ``account`` in; gives the word for the cookie, always a new one. The session that the browser had
    (``before`` is its word, or ``""``) ends: a word that somebody planted there is worth nothing.
    """
    end(session, before)
    session.execute(delete(StaffSession).where(_over()))
    word = new_word()
    session.add(StaffSession(digest=digest_of(word), account_id=account.id, created=now(), last_used=now()))
    account.last_sign_in = now()
    record(session, "signed-in", of_account(account.name), role=account.role.value)
    return word


def find(db: Database, word: str) -> Account | None:
    """Who is signed in with this word, if the session still lives and the account is not disabled."""
    if not word:
        return None
    with db.read() as session:
        found = session.get(StaffSession, digest_of(word))
    if found is None or found.account.disabled:
        return None
    time = now()
    if time - found.last_used > IDLE or time - found.created > ABSOLUTE:
        return None
    if time - found.last_used > _TOUCH:
        with db.write() as session:
            again = session.get(StaffSession, found.digest)
            if again is None or again.account.disabled:
                return None
            again.last_used = time
    return found.account


def end(session: Session, word: str) -> None:
    """Sign out; a word that opens nothing is no error."""
    session.execute(delete(StaffSession).where(StaffSession.digest == digest_of(word)))


def _over() -> ColumnElement[bool]:
    return or_(StaffSession.last_used < now() - IDLE, StaffSession.created < now() - ABSOLUTE)
