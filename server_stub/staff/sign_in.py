"""Signing in with a password, and how guesses are slowed down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server_stub.clock import now
from server_stub.db import Database
from server_stub.db.accounts import Account, SignInAttempts
from server_stub.staff import accounts
from server_stub.staff.passwords import matches
from server_stub.staff.secret_words import digest_of

FREE = {"account": 5, "address": 20}
"""Attempts that cost no waiting; NIST SP 800-63B allows at most 100 in a row. An address may be an office. Ours."""

FIRST_WAIT_S = 30.0
"""Seconds after the last free attempt; each further one doubles them. Ours."""

LONGEST_WAIT_S = 900.0
"""Seconds; longer, and strangers could keep staff out of their own accounts by guessing badly. Ours."""

FORGOTTEN = timedelta(hours=24)
"""After this long without an attempt counting begins anew. Ours: 5 guesses a day, not 5 000, for a patient guesser."""


class TooManyAttempts(Exception):
    """Nothing was looked at; come back in ``wait_s`` seconds (whole, 1 or more)."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many attempts; wait {wait_s} s")
        self.wait_s = wait_s


def authenticate(db: Database, name: str, password: str, address: str) -> Account | None:
    """The account with this name and password, unless it is disabled; ``address`` is that of
    :func:`server_stub.limits.address.address_of`. Raises :class:`TooManyAttempts`.

    An attempt counts before it is looked at, so that guesses sent side by side are counted like those one by one. A
    name that does not exist counts and takes as long as one that does.
    """
    keys = _keys(name, address)
    try:
        with db.write() as session:
            wait = max(_wait(_row(session, key), kind) for kind, key in keys)
            if wait > 0:
                raise TooManyAttempts(math.ceil(wait))
            for _, key in keys:
                _count(session, key)
            account = accounts.find(session, name)
            stored = account.password if account else ""
    except IntegrityError as error:  # two first attempts at the same moment: a person makes one
        raise TooManyAttempts(1) from error
    if not matches(password, stored) or account is None or account.disabled:
        return None
    with db.write() as session:
        _forgive(session, keys)
    return account


def _keys(name: str, address: str) -> Sequence[tuple[str, str]]:
    tidy = name.strip().lower()[:100]
    return [(kind, f"{kind}:{digest_of(what)}") for kind, what in (("account", tidy), ("address", address))]


def _wait(row: SignInAttempts | None, kind: str) -> float:
    """Seconds until the next attempt is looked at."""
    if row is None or row.count < FREE[kind]:
        return 0.0
    held = min(FIRST_WAIT_S * 2.0 ** min(row.count - FREE[kind], 16), LONGEST_WAIT_S)
    return held - (now() - row.last).total_seconds()


def _row(session: Session, key: str) -> SignInAttempts | None:
    """Held until the transaction ends, where the database holds rows."""
    return session.get(SignInAttempts, key, with_for_update=True)


def _count(session: Session, key: str) -> None:
    time = now()
    row = _row(session, key)
    if row is None:
        session.execute(delete(SignInAttempts).where(SignInAttempts.last < time - FORGOTTEN))
        session.add(SignInAttempts(key=key, count=1, last=time))
        session.flush()
    else:
        row.count = row.count + 1 if time - row.last < FORGOTTEN else 1
        row.last = time


def _forgive(session: Session, keys: Sequence[tuple[str, str]]) -> None:
    """The right password: the account's count ends. The address gets back this one attempt only, or somebody with an
    account of their own could guess at others for ever.
    """
    for kind, key in keys:
        row = _row(session, key)
        if row is not None and kind == "account":
            session.delete(row)
        elif row is not None:
            row.count = max(row.count - 1, 0)
