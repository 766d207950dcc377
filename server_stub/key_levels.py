"""How well it is known that a key is its unit's."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub.clock import now
from server_stub.db import DeviceKey, KeyProof
from server_stub.db.models import KeyLevel


def believe(session: Session, key: DeviceKey, level: KeyLevel, why: str) -> None:
    """Take down why a key is believed to be its unit's."""
    if level is not KeyLevel.UNKNOWN:
        session.add(KeyProof(key_id=key.id, level=level, why=why, time=now()))


def level_of(session: Session, key: DeviceKey) -> KeyLevel:
    """The best that is known of a key."""
    found = set(session.scalars(select(KeyProof.level).where(KeyProof.key_id == key.id)))
    return next((level for level in KeyLevel if level in found), KeyLevel.UNKNOWN)
