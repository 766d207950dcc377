"""Public areas of TPM objects as they travel (TPM2B_PUBLIC; TPM 2.0 Library, part 2, 12.2): of the unit's key, and of
an endorsement key. Read in one way only: each field has the one value that is known here, or the area is refused.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server_stub.tpm.refused import NotProven, Reason
from uploader.keys import PublicKey

EkPublic = RSAPublicKey | EllipticCurvePublicKey
"""An endorsement key: RSA of 2048 bits, or P-256."""

_FIXED_TPM, _FIXED_PARENT, _SENSITIVE_DATA_ORIGIN = 1 << 1, 1 << 4, 1 << 5
_USER_WITH_AUTH, _NO_DA, _SIGN = 1 << 6, 1 << 10, 1 << 18
_MADE_IN_THE_TPM: Final = _FIXED_TPM | _FIXED_PARENT | _SENSITIVE_DATA_ORIGIN | _SIGN
"""TPMA_OBJECT (part 2, 8.3): it was made by the TPM, stays there, and signs. Neither ``decrypt`` nor ``restricted``."""
_HARMLESS: Final = _USER_WITH_AUTH | _NO_DA
"""Who may use the key does not change what it is."""

_ECC, _RSA, _SHA256 = "0023", "0001", "000b"
_KEY_HEAD: Final = bytes.fromhex(_ECC + _SHA256)
_KEY_REST: Final = bytes.fromhex(
    "0000"  # authPolicy: none
    "0010"  # symmetric: TPM_ALG_NULL
    "0018"
    + _SHA256  # scheme: TPM_ALG_ECDSA
    + "0003"  # curve: TPM_ECC_NIST_P256
    "0010"  # kdf: TPM_ALG_NULL
)

_EK_POLICY: Final = "0020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
"""TPM2_PolicySecret of the endorsement hierarchy: who has its password may use the key."""
_EK_ATTRIBUTES: Final = "000300b2"
"""``fixedTPM fixedParent sensitiveDataOrigin adminWithPolicy restricted decrypt``."""
_EK_TAIL: Final = _EK_ATTRIBUTES + _EK_POLICY + "000600800043" + "0010"  # AES-128-CFB; scheme: TPM_ALG_NULL
_EK_RSA: Final = bytes.fromhex(_RSA + _SHA256 + _EK_TAIL + "0800" + "00000000")  # 2048 bits, default exponent (65537)
_EK_ECC: Final = bytes.fromhex(_ECC + _SHA256 + _EK_TAIL + "0003" + "0010")  # P-256; kdf: TPM_ALG_NULL
"""Templates L-1 and L-2 (TCG EK Credential Profile for TPM Family 2.0, B.3.3 and B.3.4), up to ``unique``."""

RSA_BYTES: Final = 256
POINT_BYTES: Final = 32


def name_of_device_key(area: bytes, key: PublicKey) -> bytes:
    """The name (part 1, 16) of the object whose TPM2B_PUBLIC is ``area``, computed here.

    Raises :class:`NotProven` unless it is ``key`` (P-256), made in a TPM that it cannot leave, for signing only. That
    the area is true follows from the proof alone: a TPM opens the credential only for an object that it holds with
    that very name, private part included.
    """
    public = sized(area)
    head, attributes, rest = public[:4], int.from_bytes(public[4:8], "big"), public[8:]
    if head != _KEY_HEAD or attributes & ~_HARMLESS != _MADE_IN_THE_TPM or not rest.startswith(_KEY_REST):
        raise NotProven(Reason.NOT_FIXED)
    if len(key.raw_hex) != 130 or rest.removeprefix(_KEY_REST) != _point(bytes.fromhex(key.raw_hex)):
        raise NotProven(Reason.OTHER_KEY)
    return b"\0\x0b" + hashlib.sha256(public).digest()


def check_ek(area: bytes, certified: EkPublic) -> None:
    """Raises :class:`NotProven` unless ``area`` is the TPM2B_PUBLIC of the endorsement key ``certified``, made from one
    of the TCG's two templates that most TPMs have a certificate for.
    """
    public = sized(area)
    template = next((known for known in (_EK_RSA, _EK_ECC) if public.startswith(known)), None)
    if template is None:
        raise NotProven(Reason.OTHER_TEMPLATE)
    if public[len(template) :] != _unique(certified):
        raise NotProven(Reason.OTHER_TPM)


def sized(area: bytes) -> bytes:
    """What is in a TPM2B: 16 bits of its size before it, and nothing behind it."""
    if len(area) < 2 or int.from_bytes(area[:2], "big") != len(area) - 2:
        raise NotProven(Reason.NOT_FIXED, "The size of a public area is wrong.")
    return area[2:]


def _unique(key: EkPublic) -> bytes | None:
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        if key.key_size != 8 * RSA_BYTES or numbers.e != 65537:
            return None
        return RSA_BYTES.to_bytes(2, "big") + numbers.n.to_bytes(RSA_BYTES, "big")
    if not isinstance(key.curve, SECP256R1):
        return None
    return _point(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _point(uncompressed: bytes) -> bytes:
    """TPMS_ECC_POINT of an uncompressed point of P-256."""
    size = POINT_BYTES.to_bytes(2, "big")
    return size + uncompressed[1 : 1 + POINT_BYTES] + size + uncompressed[1 + POINT_BYTES :]
