"""Passwords, as argon2 hashes."""

from __future__ import annotations

import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
"""Characters of a password. NIST SP 800-63B asks for 8 at least; without a second factor 12 is ours."""

LONGEST = 256
"""Characters; hashing megabytes would be a way to keep the receiver busy. NIST asks for 64 at least to be allowed."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""19 MiB, two rounds: the OWASP Password Storage Cheat Sheet's least for argon2id."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Two hashes at a time: guesses sent side by side must not take the receiver's memory or both its cores for long."""


def check_new(password: str) -> None:
    """Raises ``ValueError`` when this is no password to take."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters")


def hashed(password: str) -> str:
    """An argon2id hash with its salt and parameters."""
    with _AT_ONCE:
        return _HASHER.hash(_tidy(password))


def matches(password: str, stored: str) -> bool:
    """Whether ``stored`` is of this password; for ``""`` (no account, or no password) it is not, after the same work.

    An attacker sees in the answer's time neither which names exist nor which have a password.
    """
    with _AT_ONCE:
        try:
            return _HASHER.verify(stored or _nobody(), _tidy(password)) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobody() -> str:
    return _HASHER.hash("nobody")


def _tidy(password: str) -> bytes:
    """One spelling of a password, whichever keyboard it was typed on (NIST SP 800-63B: NFKC)."""
    return unicodedata.normalize("NFKC", password[:LONGEST]).encode("utf-8", "replace")
