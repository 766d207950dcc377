"""Which unit a TPM belongs to: the first that proves a key in it, until staff say otherwise."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub import audit
from server_stub.clock import now
from server_stub.db import DeviceKey, ProvenTpm, Unit
from server_stub.db.models import KeyLevel, KeyState
from server_stub.db.tpm import Holding
from server_stub.key_levels import believe


def take(session: Session, key: DeviceKey, ek: str, certificate: str) -> Unit | None:
    """``key`` was proven to be in the TPM with ``ek``. Where that is another unit's, it is contested, and that unit is
    given back; else the TPM is this unit's, and the key's level says so.
    """
    holder = _holder(session, ek)
    owner = session.get_one(DeviceKey, holder.key_id).unit_id if holder else key.unit_id
    row = _row(session, key, ek)
    if row is None:
        row = ProvenTpm(ek=ek, certificate=certificate, key_id=key.id, holding=Holding.CONTESTED, time=now())
        session.add(row)
    row.certificate = certificate
    if owner != key.unit_id:
        row.holding = Holding.CONTESTED
        session.flush()
        return session.get_one(Unit, owner)
    _hold(session, key, row, holder)
    return None


def settle(session: Session, key: DeviceKey) -> None:
    """Staff let ``key`` speak for its unit: so the TPM that it was proven to be in is this unit's. What spoke for
    another unit from within that TPM speaks for it no longer: it is not there any more.
    """
    rows = select(ProvenTpm).where(ProvenTpm.key_id == key.id, ProvenTpm.holding != Holding.HELD)
    for row in session.scalars(rows).all():
        holder = _holder(session, row.ek)
        before = session.get_one(DeviceKey, holder.key_id) if holder else None
        _hold(session, key, row, holder)
        if before is not None and before.unit_id != key.unit_id:
            if before.state is KeyState.ENROLLED:
                before.state = KeyState.REPLACED
                session.flush()
            serials = [session.get_one(Unit, each.unit_id).serial for each in (before, key)]
            for serial in serials:
                detail = {"ek": row.ek, "from": serials[0], "to": serials[1]}
                audit.record(session, "tpm-moved", audit.of_unit(serial), **detail)


def _hold(session: Session, key: DeviceKey, row: ProvenTpm, holder: ProvenTpm | None) -> None:
    if holder is not None and holder is not row:
        holder.holding = Holding.RELEASED
        session.flush()  # before the other: at no moment are there two
    row.holding = Holding.HELD
    key.unproven = ""
    session.flush()
    believe(session, key, KeyLevel.TPM_EK, f"endorsement key {row.ek}, certificate {row.certificate}")


def _holder(session: Session, ek: str) -> ProvenTpm | None:
    return session.scalar(select(ProvenTpm).where(ProvenTpm.ek == ek, ProvenTpm.holding == Holding.HELD))


def _row(session: Session, key: DeviceKey, ek: str) -> ProvenTpm | None:
    return session.scalar(select(ProvenTpm).where(ProvenTpm.ek == ek, ProvenTpm.key_id == key.id))
