"""DSSE envelopes with one signature (Ed25519 or P-256): made and verified by securesystemslib, checked strictly before.

Source: https://github.com/secure-systems-lab/dsse (protocol.md, envelope.md). Narrower than the standard where it
leaves a choice: exactly one signature, with its key id, and one spelling (compact JSON in the order ``payload``,
``payloadType``, ``signatures``; standard base64), so that no byte of an envelope can be changed unnoticed.
"""

from __future__ import annotations

from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError

from agent.model import Text
from uploader import strict_json
from uploader.keys import PublicKey, SigningKey
from uploader.strict_json import Malformed, exactly, field

_MAX_DEPTH = 3


class EnvelopeRejected(Exception):
    """An envelope that is not to be believed. ``reason`` is for the person, ``detail`` for an engineer."""

    def __init__(self, reason: Text, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def sign(payload: bytes, payload_type: str, key: SigningKey) -> bytes:
    """The envelope, as JSON."""
    envelope = Envelope(payload, payload_type, {})
    envelope.sign(key.signer)
    return strict_json.canonical(envelope.to_dict())


def verify(envelope: bytes, payload_type: str, key: PublicKey, *, max_size: int) -> bytes:
    """The payload, when ``key`` signed it as ``payload_type`` and the envelope has at most ``max_size`` bytes.

    Raises :class:`EnvelopeRejected` and nothing else, whatever ``envelope`` holds.
    """
    parsed = _parse(envelope, payload_type, max_size)
    try:
        parsed.verify([key.sslib], 1)
        key.check_spelling(bytes.fromhex(parsed.signatures[key.keyid].signature))
    except (VerificationError, Malformed) as error:
        raise EnvelopeRejected(Text("the signature is not that of the expected key"), str(error)) from error
    return bytes(parsed.payload)


def peek(envelope: bytes, payload_type: str, *, max_size: int) -> bytes:
    """The payload *unverified*: only to read which key it says it was signed by. Raises like :func:`verify`."""
    return bytes(_parse(envelope, payload_type, max_size).payload)


def _parse(data: bytes, payload_type: str, max_size: int) -> Envelope:
    try:
        envelope = _envelope(strict_json.loads(data, max_size=max_size, max_depth=_MAX_DEPTH))
        if envelope.payload_type != payload_type:
            raise Malformed(f"the payload is not of type {payload_type}")
        if strict_json.canonical(envelope.to_dict()) != data:
            raise Malformed("the envelope is not in its one spelling")
    except ValueError as error:
        raise EnvelopeRejected(Text("this is not a signed envelope"), str(error)) from error
    return envelope


def _envelope(data: Any) -> Envelope:
    """Raises ``ValueError``. What goes on to securesystemslib is a fresh object, because it empties its argument."""
    exactly(data, ("payload", "payloadType", "signatures"))
    signatures = field(data, "signatures", list)
    if len(signatures) != 1:
        raise Malformed("exactly one signature was expected")
    exactly(signatures[0], ("keyid", "sig"))
    signature = {"keyid": field(signatures[0], "keyid", str), "sig": field(signatures[0], "sig", str)}
    return Envelope.from_dict(
        {
            "payload": field(data, "payload", str),
            "payloadType": field(data, "payloadType", str),
            "signatures": [signature],
        }
    )
