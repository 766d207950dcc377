"""COSE_Sign1 (RFC 9052, section 4.2): a small signed message, where a DSSE envelope would not fit into a picture.

Only what is signed and verified is ours: the signature is securesystemslib's (of a key in a file, or wherever its
signer keeps it), the encoding cbor2's. The algorithm follows from the kind of the key. One spelling: deterministic CBOR
(RFC 8949, section 4.2) with tag 18, the algorithm as the only header, nothing unprotected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature, Signer, SSlibKey

from uploader import p256
from uploader.strict_json import Malformed

_TAG = b"\xd2"
"""Tag 18, COSE_Sign1 (RFC 9052, section 2), as it is encoded."""
_ALG = 1
_CONTEXT = "Signature1"
_SIGNATURE = 64
"""Bytes of a signature, of either algorithm (RFC 9053, 2.1 and 2.2)."""
_MAX_DEPTH = 3


class Unsigned(Exception):
    """The message is not signed by the expected key."""


@dataclass(frozen=True, slots=True)
class _Algorithm:
    """A COSE algorithm, and how its signatures differ from securesystemslib's."""

    number: int
    to_cose: Callable[[bytes], bytes]
    from_cose: Callable[[bytes], bytes]


def _p256_to_cose(der: bytes) -> bytes:
    r, s = decode_dss_signature(p256.canonical(der))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _p256_from_cose(raw: bytes) -> bytes:
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    if s > p256.ORDER // 2:  # (r, -s) would verify as well: one of the two is the one spelling
        raise Unsigned("the signature is not in its one spelling")
    return encode_dss_signature(r, s)


_ALGORITHMS: Mapping[str, _Algorithm] = {
    "ed25519": _Algorithm(-8, bytes, bytes),
    "ecdsa-sha2-nistp256": _Algorithm(-7, _p256_to_cose, _p256_from_cose),
}
"""securesystemslib's scheme -> EdDSA and ES256 (RFC 9053)."""


def sign(payload: bytes, signer: Signer) -> bytes:
    """The message. Raises ``KeyError`` for a key of a kind that is not in the table."""
    import cbor2

    algorithm = _ALGORITHMS[signer.public_key.scheme]
    signature = bytes.fromhex(signer.sign(_to_be_signed(algorithm, payload)).signature)
    return _TAG + cbor2.dumps([_protected(algorithm), {}, payload, algorithm.to_cose(signature)])


def peek(message: bytes) -> bytes:
    """The payload *unverified*: only to read whose it says it is. Raises :class:`Malformed` and nothing else."""
    return _parse(message)[1]


def verify(message: bytes, key: SSlibKey) -> bytes:
    """The payload, when ``key`` signed it. Raises :class:`Malformed` or :class:`Unsigned`, and nothing else."""
    protected, payload, raw = _parse(message)
    algorithm = _ALGORITHMS.get(key.scheme)
    if algorithm is None or protected != _protected(algorithm):
        raise Unsigned("signed by a key of another kind")
    try:
        signature = Signature(key.keyid, algorithm.from_cose(raw).hex())
        key.verify_signature(signature, _to_be_signed(algorithm, payload))
    except (UnverifiedSignatureError, VerificationError) as error:
        raise Unsigned("not signed by this key") from error
    return payload


def decode(data: bytes) -> Any:
    """Deterministic CBOR of numbers, texts, byte strings, arrays and maps, without tags; raises :class:`Malformed`."""
    import cbor2

    try:
        value = cbor2.loads(
            data,
            max_depth=_MAX_DEPTH,
            allow_indefinite=False,
            semantic_decoders=dict.fromkeys(_BUILT_IN, _no_tags),
            tag_hook=_no_tags,
        )
        if cbor2.dumps(value, canonical=True) == data:
            return value
    except (cbor2.CBORError, Malformed, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Malformed(f"not CBOR: {error}"[:200]) from error
    raise Malformed("the CBOR is not in its one spelling")


_BUILT_IN = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)
"""Tags that cbor2 would make something of: regular expressions, huge decimal fractions. Nothing here needs them."""


def _no_tags(*_: object) -> NoReturn:
    raise Malformed("a tag that has no place here")


def _parse(message: bytes) -> tuple[bytes, bytes, bytes]:
    if message[:1] != _TAG:
        raise Malformed("not tagged as COSE_Sign1")
    parts = decode(message[1:])
    if not isinstance(parts, list) or len(parts) != 4 or parts[1] != {}:
        raise Malformed("not the four parts of COSE_Sign1")
    protected, _, payload, signature = parts
    if not all(type(part) is bytes for part in (protected, payload, signature)) or len(signature) != _SIGNATURE:
        raise Malformed("not the four parts of COSE_Sign1")
    if protected not in {_protected(algorithm) for algorithm in _ALGORITHMS.values()}:
        raise Malformed("another header than the algorithm")
    return protected, payload, signature


def _protected(algorithm: _Algorithm) -> bytes:
    import cbor2

    return cbor2.dumps({_ALG: algorithm.number})


def _to_be_signed(algorithm: _Algorithm, payload: bytes) -> bytes:
    import cbor2

    return cbor2.dumps([_CONTEXT, _protected(algorithm), b"", payload])
