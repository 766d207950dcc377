"""Which key speaks for which unit: the first one that is presented, until it hands over or staff say otherwise."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server_stub import audit
from server_stub.cases import find_by_serial, note
from server_stub.clock import now
from server_stub.db import Case, DeviceKey, Nonce
from server_stub.db.models import KeyLevel, KeyState
from server_stub.key_levels import believe, level_of
from server_stub.problems import Problem, unknown_case
from server_stub.rotation import Rotation
from server_stub.settings import BODY_CAP
from server_stub.units import tidy_serial
from uploader import dsse
from uploader.keys import PublicKey
from uploader.strict_json import Malformed, exactly, field, loads

PAYLOAD_TYPE = "application/vnd.hibertek.aiodiag.enrolment+json"
_PROTECTIONS = ("file", "tpm")


@dataclass(frozen=True, slots=True)
class Request:
    """An enrolment whose signature was verified with the key that it brings: its sender holds that key. ``rotation``
    is the earlier key's word for it, if there is one.
    """

    rma: str
    serial: str
    key: PublicKey
    protection: str
    rotation: Rotation | None

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
        vouched = isinstance(data, dict) and "rotation" in data
        exactly(data, ("rma", "serial", "key", "key_protection", "time", *(("rotation",) if vouched else ())))
        field(data, "time", str)
        protection = field(data, "key_protection", str)
        if protection not in _PROTECTIONS:
            raise Malformed("'key_protection' is neither file nor tpm")
        key = PublicKey.from_json(field(data, "key", dict))
        serial = field(data, "serial", str)
        rotation = Rotation.verify(field(data, "rotation", str)) if vouched else None
        if rotation is not None and (rotation.serial, rotation.new) != (serial, key):
            raise Malformed("'rotation' is about another unit or key")
        return cls(field(data, "rma", str), serial, key, protection, rotation)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of an enrolment; no ``nonce`` when the key was put into quarantine. ``could_be_proven`` is whether the
    key says that it is in a TPM and nothing better is known of it than that it came first.
    """

    state: KeyState
    nonce: str | None
    could_be_proven: bool = False


def enrol(session: Session, rma: str, request: Request, most_waiting: int | None = None) -> Enrolled:
    """Enrol a key for the unit of a case, or put it into quarantine when another one is.

    Raises :class:`Problem`: ``unknown-case`` when the case and the serial do not belong together, ``too-many-keys``
    when more than ``most_waiting`` keys of the unit would wait for a decision.
    """
    case = find_by_serial(session, rma, request.serial)
    if case is None or find_by_serial(session, request.rma, request.serial) is not case:
        raise unknown_case()
    key = _row(session, case, request)
    if key.state is KeyState.QUARANTINED and most_waiting is not None and _waiting(session, key) > most_waiting:
        raise Problem("too-many-keys", f"{most_waiting} keys of this unit wait for service staff to look at them.")
    key.last_seen = now()
    if key.state is not KeyState.ENROLLED:
        return Enrolled(key.state, None)
    nonce = Nonce(value=secrets.token_hex(16), case_id=case.id, key_id=key.id, issued=now(), bundle_id=None)
    session.add(nonce)
    return Enrolled(key.state, nonce.value, could_be_proven(session, key))


def could_be_proven(session: Session, key: DeviceKey) -> bool:
    """Whether a proof by its TPM would let more be known of a key."""
    return key.protection == "tpm" and level_of(session, key) in {KeyLevel.TOFU, KeyLevel.UNKNOWN}


def _waiting(session: Session, key: DeviceKey) -> int:
    """How many keys of the unit wait for a decision with this one, if it is the newest; none when it waited before."""
    waiting = select(func.count()).select_from(DeviceKey)
    of_unit = waiting.where(DeviceKey.unit_id == key.unit_id, DeviceKey.state == KeyState.QUARANTINED)
    return session.scalar(of_unit.where(DeviceKey.id <= key.id)) or 0


def enrolled_key(session: Session, unit_id: int) -> DeviceKey | None:
    """The key that speaks for a unit."""
    return session.scalar(select(DeviceKey).where(DeviceKey.unit_id == unit_id, DeviceKey.state == KeyState.ENROLLED))


def has_keys(session: Session, unit_id: int) -> bool:
    """Whether any key ever asked to speak for a unit, whatever became of it."""
    return session.scalar(select(DeviceKey.id).where(DeviceKey.unit_id == unit_id).limit(1)) is not None


def key_of_unit(session: Session, unit_id: int, keyid: str) -> DeviceKey | None:
    """The key with this id, whatever became of it, if it ever asked to speak for the unit."""
    return session.scalar(select(DeviceKey).where(DeviceKey.unit_id == unit_id, DeviceKey.keyid == keyid))


def add_key(session: Session, unit_id: int, key: PublicKey, protection: str, state: KeyState) -> DeviceKey:
    """Take a key down that was not known of this unit yet."""
    row = DeviceKey(
        unit_id=unit_id,
        keyid=key.keyid,
        public=key.to_json(),
        protection=protection,
        state=state,
        first_seen=now(),
        last_seen=now(),
    )
    session.add(row)
    session.flush()
    return row


def replace_enrolled(session: Session, row: DeviceKey) -> None:
    """Let ``row`` speak for its unit; whichever key did before is replaced."""
    current = enrolled_key(session, row.unit_id)
    if current is not None:
        current.state = KeyState.REPLACED
        session.flush()  # before the other: at no moment are there two
    row.state = KeyState.ENROLLED
    session.flush()


def _row(session: Session, case: Case, request: Request) -> DeviceKey:
    """The key that is presented, as it stands after that. A unit's first key ever is believed; where that one was
    revoked, the next is not a first one.
    """
    row = key_of_unit(session, case.unit_id, request.key.keyid)
    if row is None:
        first = not has_keys(session, case.unit_id)
        state = KeyState.ENROLLED if first else KeyState.QUARANTINED
        row = add_key(session, case.unit_id, request.key, request.protection, state)
        if first:
            believe(session, row, KeyLevel.TOFU, "first use")
        elif not _handed_over(session, case, row, request.rotation):
            note(session, case, "key-quarantined", keyid=row.keyid, protection=row.protection)
            _audit(session, case, "key-quarantined", keyid=row.keyid, protection=row.protection)
            return row
    elif row.state in {KeyState.ENROLLED, KeyState.REVOKED} or not _handed_over(session, case, row, request.rotation):
        return row
    note(session, case, "key-enrolled", keyid=row.keyid, protection=row.protection)
    level = level_of(session, row).value
    _audit(session, case, "key-enrolled", keyid=row.keyid, protection=row.protection, level=level)
    return row


def _handed_over(session: Session, case: Case, row: DeviceKey, rotation: Rotation | None) -> bool:
    """Whether the key that speaks for the unit has handed over to ``row``: then that one does."""
    current = enrolled_key(session, case.unit_id)
    if rotation is None or current is None or PublicKey.from_json(current.public) != rotation.old:
        return False
    if tidy_serial(rotation.serial) != case.unit.serial:
        return False
    replace_enrolled(session, row)
    known = level_of(session, current)
    # Where the new key is kept, the earlier one cannot know: that has to be proven anew.
    level = KeyLevel.TOFU if known is KeyLevel.TPM_EK else known
    believe(session, row, level, f"handed over by {current.keyid}")
    note(session, case, "key-replaced", keyid=current.keyid, by=row.keyid)
    _audit(session, case, "key-replaced", keyid=current.keyid, by=row.keyid)
    return True


def _audit(session: Session, case: Case, action: str, **detail: str) -> None:
    audit.record(session, action, audit.of_unit(case.unit.serial), rma=case.rma, **detail)
