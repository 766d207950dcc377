"""The statement by which a key hands over to another one (``docs/protocol.md``)."""

from __future__ import annotations

from dataclasses import dataclass

from server_stub.settings import BODY_CAP
from uploader import dsse
from uploader.keys import PublicKey
from uploader.strict_json import exactly, field, loads

PAYLOAD_TYPE = "application/vnd.hibertek.aiodiag.rotation+json"


@dataclass(frozen=True, slots=True)
class Rotation:
    """``new`` shall speak for the unit instead of ``old``, whose signature over this was verified."""

    serial: str
    old: PublicKey
    new: PublicKey

    @classmethod
    def verify(cls, envelope: str) -> Rotation:
        """Raises ``uploader.dsse.EnvelopeRejected`` and ``uploader.strict_json.Malformed``."""
        data = envelope.encode()
        asserted = cls._decode(dsse.peek(data, PAYLOAD_TYPE, max_size=BODY_CAP))
        return cls._decode(dsse.verify(data, PAYLOAD_TYPE, asserted.old, max_size=BODY_CAP))

    @classmethod
    def _decode(cls, payload: bytes) -> Rotation:
        data = loads(payload, max_size=BODY_CAP, max_depth=4)
        exactly(data, ("serial", "old", "new"))
        return cls(
            field(data, "serial", str),
            PublicKey.from_json(field(data, "old", dict)),
            PublicKey.from_json(field(data, "new", dict)),
        )
