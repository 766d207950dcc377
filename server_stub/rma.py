"""RMA numbers and claim codes: what a customer is given when a case is opened."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import date

from agent.model.check_digit import check_digit, is_rma_number

_CLAIM_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("OIL", "011")
_CLAIM_LENGTH = 12


def new_rma(today: date) -> str:
    """``HBYY-NNNNNN-C``: year, six random digits (numbers in sequence would tell how many cases there are), and
    Damm's check digit over the eight digits before it.
    """
    year, number = f"{today.year % 100:02d}", f"{secrets.randbelow(10**6):06d}"
    return f"HB{year}-{number}-{check_digit(year + number)}"


def tidy_rma(typed: str) -> str:
    """What somebody typed, as an RMA number; ``""`` when it is none (shape or check digit)."""
    text = typed.strip().upper()
    return text if is_rma_number(text) else ""


def new_claim() -> str:
    """``XXXX-XXXX-XXXX`` in Crockford's base 32: 60 random bits, and no letter that reads like a digit."""
    code = "".join(secrets.choice(_CLAIM_ALPHABET) for _ in range(_CLAIM_LENGTH))
    return "-".join(code[i : i + 4] for i in range(0, _CLAIM_LENGTH, 4))


def claim_hash(rma: str, typed: str) -> str:
    """The hash (hex) of a claim code as it was typed, for the case with this number: case, dashes and look-alikes do
    not count.

    scrypt (RFC 7914) with 2 MiB and the number as its salt, some milliseconds: whoever has read the database still
    has to try 2^59 codes of each case at that price, not at that of a SHA-256 for all of them together.
    """
    code = typed[:100].upper().replace("-", "").replace(" ", "").translate(_LOOKALIKES)
    once = hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
    return hashlib.scrypt(once.encode(), salt=rma.encode("utf-8", "replace"), n=2**11, r=8, p=1, dklen=32).hex()


def same(one: str, other: str) -> bool:
    """Compare in a time that does not tell how much of it was right."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
