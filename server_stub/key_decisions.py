"""What staff decide of device keys: which one speaks for a unit, and which one must not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub import audit
from server_stub.cases import note
from server_stub.db import Case, DeviceKey, Unit
from server_stub.db.models import KeyLevel, KeyState
from server_stub.enrolment import add_key, enrolled_key, key_of_unit, replace_enrolled
from server_stub.key_levels import believe
from server_stub.tpm import holders
from server_stub.units import take_unit, tidy_serial
from uploader.bundle.format import Run

_LEAST_DIGITS = 8
"""Of a key id, when staff name a key; ours. Two keys of one unit that share 32 bits are told apart by more."""


def waiting(session: Session) -> Sequence[tuple[Unit, DeviceKey]]:
    """Keys that wait for a decision, the oldest first."""
    found = session.execute(
        select(Unit, DeviceKey)
        .join(DeviceKey, DeviceKey.unit_id == Unit.id)
        .where(DeviceKey.state == KeyState.QUARANTINED)
        .order_by(DeviceKey.first_seen, DeviceKey.id)
    )
    return [(unit, key) for unit, key in found]


def find(session: Session, serial: str, digits: str) -> DeviceKey:
    """The key of a unit by the first digits of its id; raises ``ValueError`` when that is not exactly one."""
    unit = session.scalar(select(Unit).where(Unit.serial == tidy_serial(serial)))
    if unit is None:
        raise ValueError(f"there is no unit {serial[:64]}")
    if len(digits) < _LEAST_DIGITS:
        raise ValueError(f"at least {_LEAST_DIGITS} digits of the key id are needed")
    keys = session.scalars(select(DeviceKey).where(DeviceKey.unit_id == unit.id)).all()
    found = [key for key in keys if key.keyid.startswith(digits.lower())]
    if len(found) != 1:
        raise ValueError(f"{len(found)} keys of {unit.serial} begin with {digits[:64]}")
    return found[0]


def accept(session: Session, key: DeviceKey, by: str = "") -> None:
    """Let a key speak for its unit instead of whichever did: a board was exchanged, a TPM cleared, a key lost. Staff's
    word makes no more of it than a first use would; a TPM that it was proven to be in is this unit's from now on.
    ``by`` is who decided, ``""`` on the command line.
    """
    if key.state is KeyState.ENROLLED:
        raise ValueError("this key speaks for the unit already")
    replace_enrolled(session, key)
    believe(session, key, KeyLevel.TOFU, "accepted by staff")
    holders.settle(session, key)
    _note(session, key, "key-accepted", by)


def revoke(session: Session, key: DeviceKey, by: str = "") -> None:
    """Refuse a key, or take one back: what it seals is quarantined from now on. When it spoke for the unit, no key does
    until staff accept one. ``by`` as above.
    """
    if key.state is KeyState.REVOKED:
        raise ValueError("this key is revoked already")
    key.state = KeyState.REVOKED
    session.flush()
    _note(session, key, "key-revoked", by)


def enrol_at_factory(session: Session, run: Run) -> DeviceKey:
    """Take the key down that sealed a bundle where the unit was made. Raises ``ValueError`` when another key speaks for
    the unit, or the bundle tells no serial.
    """
    serial = tidy_serial(run.serial)
    if not serial:
        raise ValueError("the bundle tells no serial number")
    unit = take_unit(session, serial, model=run.model, shipped=None)
    session.flush()
    current = enrolled_key(session, unit.id)
    key = key_of_unit(session, unit.id, run.key.keyid)
    if current is not None and current is not key:
        raise ValueError(f"another key speaks for {unit.serial}; accept or revoke first")
    if key is None:
        key = add_key(session, unit.id, run.key, run.key_protection, KeyState.ENROLLED)
    elif key.state is KeyState.REVOKED:
        raise ValueError(f"this key of {unit.serial} is revoked")
    else:
        replace_enrolled(session, key)
    believe(session, key, KeyLevel.FACTORY, f"bundle {run.bundle_id}")
    _note(session, key, "key-of-factory")
    return key


def _note(session: Session, key: DeviceKey, kind: str, by: str = "") -> None:
    """In the audit log, and on the timeline of every case of the unit; ``by`` is the account that is signed in."""
    unit = session.get_one(Unit, key.unit_id)
    with audit.acting(f"staff:{by}") if by else nullcontext():
        audit.record(session, kind, audit.of_unit(unit.serial), keyid=key.keyid, protection=key.protection)
    for case in session.scalars(select(Case).where(Case.unit_id == key.unit_id)):
        note(session, case, kind, keyid=key.keyid, protection=key.protection, by=by)
