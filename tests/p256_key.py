"""A P-256 key in memory, which signs as a TPM's does: for what need not know where a key lives."""

from __future__ import annotations

from itertools import count

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner, Signature

from uploader import p256
from uploader.clocks import TpmClock
from uploader.keys import PublicKey


class _Signer(CryptoSigner):
    """securesystemslib's, but of the two signatures that verify the one that counts here."""

    def sign(self, payload: bytes) -> Signature:
        signature = super().sign(payload)
        return Signature(signature.keyid, p256.canonical(bytes.fromhex(signature.signature)).hex())


class P256Key:
    """A sealing key."""

    protection = "tpm"

    def __init__(self) -> None:
        self.private: EllipticCurvePrivateKey = generate_private_key(SECP256R1())
        self.signer = _Signer(self.private)
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = PublicKey(point.hex())
        self._count = count(1)

    def next_sequence(self) -> int:
        return next(self._count)

    def clock(self) -> TpmClock:
        return TpmClock(clock_ms=1000, reset_count=3, restart_count=0, safe=True)

    def sign(self, data: bytes) -> bytes:
        """DER, in either spelling."""
        return self.private.sign(data, ECDSA(SHA256()))
