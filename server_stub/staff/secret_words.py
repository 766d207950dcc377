"""Random words that open something, and the only form in which the receiver keeps them."""

from __future__ import annotations

import hashlib
import hmac
import secrets

BYTES = 32
"""Random bytes of a word: 256 bits, of which nobody guesses any (OWASP asks for 64 bits of a session's)."""


def new_word() -> str:
    """A word for a cookie, a header or an address: 43 characters of base 64 (URL-safe)."""
    return secrets.token_urlsafe(BYTES)


def digest_of(word: str) -> str:
    """SHA-256 (hex): enough for 256 random bits, which no dictionary holds. Looking the digest up tells by its time
    nothing about the word.
    """
    return hashlib.sha256(word.encode("utf-8", "replace")).hexdigest()


def form_word(word: str) -> str:
    """What the forms of a page carry for the browser whose cookie is ``word``: another site can make the browser send
    the cookie, but read neither.
    """
    return hmac.new(word.encode("utf-8", "replace"), b"form", hashlib.sha256).hexdigest()


def is_form_word(shown: str, word: str) -> bool:
    """Whether a form came from a page that was made for the browser with this cookie; ``""`` is no cookie."""
    return bool(word) and hmac.compare_digest(form_word(word), shown.encode("ascii", "replace").decode())
