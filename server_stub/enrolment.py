"""Which key speaks for which unit: the first one that is presented, until staff say otherwise."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub.cases import find_by_serial, note
from server_stub.clock import now
from server_stub.db import Case, DeviceKey, Nonce
from server_stub.db.models import KeyState
from server_stub.problems import Problem, unknown_case
from server_stub.settings import BODY_CAP
from uploader import dsse
from uploader.keys import PublicKey
from uploader.strict_json import Malformed, exactly, field, loads

PAYLOAD_TYPE = "application/vnd.hibertek.aiodiag.enrolment+json"
_PROTECTIONS = ("file", "tpm")


@dataclass(frozen=True, slots=True)
class Request:
    """An enrolment whose signature was verified with the key that it brings: its sender holds that key."""

    rma: str
    serial: str
    key: PublicKey
    protection: str

    @classmethod
    def verify(cls, envelope: bytes) -> Request:
        """Raises :class:`Problem` (``bad-request``) for anything else. The time in it is the device's: not used."""
        try:
            asserted = cls._decode(dsse.peek(envelope, PAYLOAD_TYPE, max_size=BODY_CAP))
            return cls._decode(dsse.verify(envelope, PAYLOAD_TYPE, asserted.key, max_size=BODY_CAP))
        except (dsse.EnvelopeRejected, Malformed) as error:
            raise Problem("bad-request", f"This is no enrolment: {error}"[:300]) from error

    @classmethod
    def _decode(cls, payload: bytes) -> Request:
        data = loads(payload, max_size=BODY_CAP, max_depth=4)
        exactly(data, ("rma", "serial", "key", "key_protection", "time"))
        protection = field(data, "key_protection", str)
        if protection not in _PROTECTIONS:
            raise Malformed("'key_protection' is neither file nor tpm")
        key = PublicKey.from_json(field(data, "key", dict))
        return cls(field(data, "rma", str), field(data, "serial", str), key, protection)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of an enrolment; no ``nonce`` when the key was put into quarantine."""

    state: KeyState
    nonce: str | None


def enrol(session: Session, rma: str, request: Request) -> Enrolled:
    """Enrol a key for the unit of a case, or put it into quarantine when another one is.

    Raises :class:`Problem` (``unknown-case``) when the case and the serial do not belong together.
    """
    case = find_by_serial(session, rma, request.serial)
    if case is None or find_by_serial(session, request.rma, request.serial) is not case:
        raise unknown_case()
    key = _row(session, case, request)
    key.last_seen = now()
    if key.state is not KeyState.ENROLLED:
        return Enrolled(key.state, None)
    nonce = Nonce(value=secrets.token_hex(16), case_id=case.id, key_id=key.id, issued=now(), bundle_id=None)
    session.add(nonce)
    return Enrolled(key.state, nonce.value)


def enrolled_key(session: Session, case: Case) -> DeviceKey | None:
    """The key that speaks for the unit of a case."""
    return session.scalar(
        select(DeviceKey).where(DeviceKey.unit_id == case.unit_id, DeviceKey.state == KeyState.ENROLLED)
    )


def _row(session: Session, case: Case, request: Request) -> DeviceKey:
    known = session.scalar(
        select(DeviceKey).where(DeviceKey.unit_id == case.unit_id, DeviceKey.keyid == request.key.keyid)
    )
    if known is not None:
        return known
    state = KeyState.ENROLLED if enrolled_key(session, case) is None else KeyState.QUARANTINED
    row = DeviceKey(
        unit_id=case.unit_id,
        keyid=request.key.keyid,
        public=request.key.to_json(),
        protection=request.protection,
        state=state,
        first_seen=now(),
        last_seen=now(),
    )
    session.add(row)
    session.flush()
    note(session, case, f"key-{state.value}", keyid=row.keyid, protection=row.protection)
    return row
