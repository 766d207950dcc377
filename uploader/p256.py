"""P-256 as it travels: one spelling of a public key and one of a signature, so that nobody can make a second of either.

A key is the point (SEC 1, 2.3.3, uncompressed: 04, X, Y) inside, and in JSON the PEM text that securesystemslib writes.
A signature is DER (RFC 3279, 2.2.3) with the lower of the two values of ``s`` that verify: of ``(r, s)`` anybody can
make ``(r, n - s)`` without the key (BIP 146 has the same rule for the same reason).
"""

from __future__ import annotations

import base64
import re

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from uploader.strict_json import Malformed

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""``n`` of P-256 (FIPS 186-4, D.1.2.3)."""

POINT_HEX = re.compile(r"04[0-9a-f]{128}")

_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""What stands before the point in a SubjectPublicKeyInfo of P-256 (RFC 5480, 2)."""
_PEM = re.compile(
    r"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/]{64})\n([A-Za-z0-9+/]{58}==|[A-Za-z0-9+/]{59}=|[A-Za-z0-9+/]{60})\n"
    r"-----END PUBLIC KEY-----\n"
)


def load(point_hex: str) -> EllipticCurvePublicKey:
    """The key of a point in lower-case hexadecimal; raises :class:`Malformed`, also for one that is off the curve."""
    if not POINT_HEX.fullmatch(point_hex):
        raise Malformed("a P-256 public key is an uncompressed point: 04 and 128 lower-case hexadecimal digits")
    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), bytes.fromhex(point_hex))
    except ValueError as error:
        raise Malformed("the point is not on P-256") from error


def point_of_pem(text: str) -> str:
    """The point in a PEM text; raises :class:`Malformed` for any other spelling than securesystemslib's."""
    match = _PEM.fullmatch(text)
    der = base64.b64decode(match[1] + match[2]) if match else b""
    if match is None or not der.startswith(_SPKI) or base64.b64encode(der).decode() != match[1] + match[2]:
        raise Malformed("this is not the PEM text of a P-256 public key")
    return der[len(_SPKI) :].hex()


def canonical(signature: bytes) -> bytes:
    """The one spelling of a DER signature; raises :class:`Malformed` for what is none."""
    try:
        r, s = decode_dss_signature(signature)
    except ValueError as error:
        raise Malformed("this is not an ECDSA signature") from error
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise Malformed("this is not an ECDSA signature of P-256")
    return encode_dss_signature(r, min(s, ORDER - s))
