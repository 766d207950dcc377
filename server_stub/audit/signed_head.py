"""The head of the log as a signed statement, to be kept where nobody who may touch the database can reach it."""

from __future__ import annotations

from server_stub.audit.walk import Head
from server_stub.clock import iso, now
from uploader import dsse, strict_json
from uploader.keys import PublicKey, SigningKey
from uploader.strict_json import Malformed, exactly, field

PAYLOAD_TYPE = "application/vnd.hibertek.aiodiag.audit-head+json"
MAX_HEAD = 64 << 10
"""Bytes of the envelope at most; ours, some 500 are needed."""


def sign_head(head: Head, key: SigningKey) -> bytes:
    """A DSSE envelope over ``{"sequence", "hash", "time"}``."""
    payload = {"sequence": head.sequence, "hash": head.hash, "time": iso(now())}
    return dsse.sign(strict_json.canonical(payload), PAYLOAD_TYPE, key)


def read_head(envelope: bytes, key: PublicKey) -> Head:
    """Raises ``ValueError`` when it is none that ``key`` signed."""
    try:
        payload = dsse.verify(envelope.strip(), PAYLOAD_TYPE, key, max_size=MAX_HEAD)
        data = strict_json.loads(payload, max_size=MAX_HEAD, max_depth=2)
        exactly(data, ("sequence", "hash", "time"))
        return Head(field(data, "sequence", int), field(data, "hash", str))
    except (dsse.EnvelopeRejected, Malformed) as error:
        raise ValueError(f"this is no head that this receiver signed: {error}") from error
