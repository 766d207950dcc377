"""Keys that anybody can sign for. OpenSSL takes them, so the first test shows what would happen."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from uploader import ed25519
from uploader.keys import PublicKey
from uploader.strict_json import Malformed

P = 2**255 - 19
NEUTRAL = (1).to_bytes(32, "little")
BY_NOBODY = NEUTRAL + bytes(32)
"""A signature that no secret was needed for: R is the neutral element, S is 0."""
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
"""All eight, computed as the multiples of a point of order 8."""
OTHER_SPELLINGS = [
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    *((P + n | sign << 255).to_bytes(32, "little").hex() for n in range(19) for sign in (0, 1)),
]


def verifies(raw: str, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(raw)).verify(BY_NOBODY, message)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("raw", SMALL_ORDER)
def test_a_key_that_anybody_can_sign_for_is_none(raw: str) -> None:
    messages = [hashlib.sha256(b"%d" % number).digest() for number in range(200)]
    assert any(verifies(raw, message) for message in messages)
    with pytest.raises(Malformed, match="anybody"):
        PublicKey(raw)


@pytest.mark.parametrize("raw", OTHER_SPELLINGS)
def test_another_spelling_of_a_key_is_none(raw: str) -> None:
    with pytest.raises(Malformed):
        PublicKey(raw)


@given(st.binary(min_size=32, max_size=32))
def test_every_key_that_somebody_has_is_one(seed: bytes) -> None:
    ed25519.check(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
