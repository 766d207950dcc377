"""TPM2_MakeCredential without a TPM (TPM 2.0 Library, part 1, 24 and 11.4.10; part 3, 12.6): a secret that one TPM
alone can read, and only while it holds the object with a given name.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric.ec import ECDH, SECP256R1, EllipticCurvePublicKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server_stub.tpm.areas import POINT_BYTES, EkPublic

SECRET_BYTES: Final = 32
"""As many as a name algorithm of SHA-256 lets a credential hold."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What the unit's TPM is given: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET."""

    blob: bytes
    seed: bytes


def make_credential(ek: EkPublic, name: bytes, secret: bytes) -> Credential:
    """``secret`` (at most 32 bytes) for the TPM with the endorsement key ``ek`` (templates L-1 and L-2: SHA-256,
    AES-128-CFB), to be told only while it holds the object ``name``.
    """
    seed, wrapped = _ecc_seed(ek) if isinstance(ek, EllipticCurvePublicKey) else _rsa_seed(ek)
    cipher = Cipher(AES128(kdfa(seed, b"STORAGE", name, 128)), CFB(bytes(16))).encryptor()
    identity = cipher.update(tpm2b(secret)) + cipher.finalize()
    integrity = hmac.digest(kdfa(seed, b"INTEGRITY", b"", 256), identity + name, "sha256")
    return Credential(tpm2b(tpm2b(integrity) + identity), tpm2b(wrapped))


def kdfa(key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """KDFa with HMAC-SHA-256 (part 1, 11.4.10.2) for at most 256 bits; one context is enough here."""
    message = b"\0\0\0\x01" + label + b"\0" + context + bits.to_bytes(4, "big")
    return hmac.digest(key, message, "sha256")[: bits // 8]


def kdfe(shared_x: bytes, label: bytes, ephemeral_x: bytes, static_x: bytes) -> bytes:
    """KDFe with SHA-256 (part 1, 11.4.10.3): 256 bits."""
    return hashlib.sha256(b"\0\0\0\x01" + shared_x + label + b"\0" + ephemeral_x + static_x).digest()


def tpm2b(content: bytes) -> bytes:
    """With 16 bits of its size before it."""
    return len(content).to_bytes(2, "big") + content


def _rsa_seed(ek: RSAPublicKey) -> tuple[bytes, bytes]:
    """A seed, and how it travels (part 1, B.10.3): the label's NUL is part of it."""
    seed = secrets.token_bytes(32)
    return seed, ek.encrypt(seed, OAEP(MGF1(SHA256()), SHA256(), b"IDENTITY\0"))


def _ecc_seed(ek: EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    """The same by a key that is made for this once (part 1, C.6.3)."""
    once = generate_private_key(SECP256R1())
    ephemeral, static = _coordinates(once.public_key()), _coordinates(ek)
    seed = kdfe(once.exchange(ECDH(), ek), b"IDENTITY", ephemeral[0], static[0])
    return seed, tpm2b(ephemeral[0]) + tpm2b(ephemeral[1])


def _coordinates(key: EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return point[1 : 1 + POINT_BYTES], point[1 + POINT_BYTES :]
