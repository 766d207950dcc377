"""What is known of units' TPMs, and secrets that are under way to them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from server_stub.db.models import Base, unique_where


class Holding(StrEnum):
    """Whose a TPM is, of the keys that were proven to be in it."""

    HELD = "held"
    CONTESTED = "contested"
    """It was another unit's when this key was proven; staff decide."""
    RELEASED = "released"
    """Staff let it become another unit's."""


class ProvenTpm(Base):
    """A TPM in which a key was proven to be. ``ek`` is the SHA-256 (hex) of the endorsement key's SubjectPublicKeyInfo,
    ``certificate`` that of its certificate. A TPM is one unit's.
    """

    __tablename__ = "proven_tpms"

    id: Mapped[int] = mapped_column(primary_key=True)
    ek: Mapped[str]
    certificate: Mapped[str]
    key_id: Mapped[int] = mapped_column(ForeignKey("device_keys.id"), index=True)
    holding: Mapped[Holding]
    time: Mapped[datetime]

    __table_args__ = (
        Index("one_row_per_tpm_and_key", "ek", "key_id", unique=True),
        unique_where("one_holder_of_a_tpm", "ek", condition="holding = 'held'"),
    )


class TpmChallenge(Base):
    """A secret that only the TPM with ``ek`` can read, and only while it holds the key. Of the secret its SHA-256 (hex)
    is kept: it has 256 random bits. One for each nonce that an enrolment gave.
    """

    __tablename__ = "tpm_challenges"

    id: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str] = mapped_column(unique=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    key_id: Mapped[int] = mapped_column(ForeignKey("device_keys.id"))
    secret_sha256: Mapped[str]
    ek: Mapped[str]
    certificate: Mapped[str]
    created: Mapped[datetime]
    answered: Mapped[datetime | None]
