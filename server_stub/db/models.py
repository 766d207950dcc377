"""The tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Dialect, Enum, ForeignKey, Index, String, TypeDecorator, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class CaseStatus(StrEnum):
    """The seven steps of the RMA service, in their order."""

    REQUEST = "request"
    APPROVAL = "approval"
    REPAIR = "repair"
    SHIPPING = "shipping"
    QUALITY_CONTROL = "quality-control"
    FEEDBACK = "customer-feedback"
    CLOSURE = "closure"


class KeyState(StrEnum):
    """Whether a device key speaks for its unit."""

    ENROLLED = "enrolled"
    QUARANTINED = "quarantined"
    """Another key spoke for the unit when it came; staff decide."""
    REPLACED = "replaced"
    """It spoke for the unit until another one took its place. What it sealed still counts."""
    REVOKED = "revoked"
    """Staff refused it, or took it back. What it sealed does not count from then on."""


class KeyLevel(StrEnum):
    """How well it is known that a key is its unit's: the best first."""

    FACTORY = "factory"
    """Taken down where the unit was made."""
    TPM_EK = "tpm-ek"
    """Proven to be in a TPM of a known maker."""
    TOFU = "tofu"
    """Trusted on first use, or on the word of staff."""
    UNKNOWN = "unknown"


class UploadState(StrEnum):
    """What became of an upload."""

    RECEIVING = "receiving"
    SETTLED = "settled"
    """Whole, and judged: there is a bundle."""
    MISMATCHED = "mismatched"
    """Whole, but not the bytes that were announced."""


class BundleState(StrEnum):
    """What the receiver thinks of a bundle. A quarantined one is kept as evidence."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone. SQLite forgets zones, so UTC goes in and comes out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """To the database."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """From the database."""
        return value.replace(tzinfo=UTC) if value else None


class AnyText(TypeDecorator[str]):
    """Text from strangers. What a database cannot hold (PostgreSQL: NUL; either: half of a surrogate pair) is replaced,
    as ``bytes.decode`` would; so a value with such a character is never found.
    """

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """To the database."""
        return value and value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def unique_where(name: str, *columns: str, condition: str) -> Index:
    """An index that holds rows apart that meet ``condition``, on either database."""
    where = text(condition)
    return Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: AnyText,
        datetime: UtcTime,
        dict[str, Any]: JSON,
        list[dict[str, Any]]: JSON,
        StrEnum: Enum(StrEnum, native_enum=False, length=32, values_callable=lambda kind: [m.value for m in kind]),
    }


class Unit(Base):
    """A unit that was shipped."""

    __tablename__ = "units"

    id: Mapped[int] = mapped_column(primary_key=True)
    serial: Mapped[str] = mapped_column(unique=True)
    model: Mapped[str] = mapped_column(default="")
    board: Mapped[str] = mapped_column(default="")
    shipped: Mapped[date | None]


class Case(Base):
    """An RMA case. Only the hash of its claim code is kept."""

    __tablename__ = "cases"

    id: Mapped[int] = mapped_column(primary_key=True)
    rma: Mapped[str] = mapped_column(unique=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"), index=True)
    symptom: Mapped[str]
    words: Mapped[str]
    status: Mapped[CaseStatus] = mapped_column(default=CaseStatus.REQUEST)
    claim_hash: Mapped[str]
    created: Mapped[datetime]

    unit: Mapped[Unit] = relationship(lazy="joined")


class DeviceKey(Base):
    """A key that somebody presented for a unit. At most one of a unit is enrolled: the index holds that against two
    first uses at the same moment.
    """

    __tablename__ = "device_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    keyid: Mapped[str]
    public: Mapped[dict[str, Any]]
    protection: Mapped[str]
    state: Mapped[KeyState]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    unproven: Mapped[str] = mapped_column(default="", server_default="")
    """Why its last proof to be in a TPM was not believed (``server_stub.tpm.refused``); ``""`` where none was given."""

    __table_args__ = (
        Index("one_row_per_key", "unit_id", "keyid", unique=True),
        unique_where("one_enrolled_key", "unit_id", condition="state = 'enrolled'"),
    )


class KeyProof(Base):
    """Why a key was believed to be its unit's; the best of them is its level. Only ever added."""

    __tablename__ = "key_proofs"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("device_keys.id"), index=True)
    level: Mapped[KeyLevel]
    why: Mapped[str]
    time: Mapped[datetime]


class Nonce(Base):
    """A number used once: a bundle that carries it was sealed after it was issued."""

    __tablename__ = "nonces"

    value: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    key_id: Mapped[int] = mapped_column(ForeignKey("device_keys.id"))
    issued: Mapped[datetime]
    bundle_id: Mapped[int | None] = mapped_column(ForeignKey("bundles.id"))


class Upload(Base):
    """A tus upload. ``offset`` counts the bytes that are safely on disk; whoever holds the lease may add to them."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    sha256: Mapped[str]
    length: Mapped[int]
    offset: Mapped[int] = mapped_column(default=0)
    filename: Mapped[str]
    state: Mapped[UploadState] = mapped_column(default=UploadState.RECEIVING)
    lease: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    created: Mapped[datetime]

    __table_args__ = (unique_where("one_upload_per_digest", "case_id", "sha256", condition="state <> 'mismatched'"),)


class Bundle(Base):
    """A whole bundle as it came. What the signed statement says is empty where it could not be trusted."""

    __tablename__ = "bundles"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id"), unique=True)
    sha256: Mapped[str] = mapped_column(index=True)
    size: Mapped[int]
    received: Mapped[datetime]
    state: Mapped[BundleState]
    reason: Mapped[str]
    bundle_id: Mapped[str | None]
    statement: Mapped[dict[str, Any]]
    verdict: Mapped[str]
    fresh: Mapped[bool]
    findings: Mapped[list[dict[str, Any]]]

    __table_args__ = (unique_where("accepted_once", "bundle_id", condition="state = 'accepted'"),)


class Event(Base):
    """One line of a case's timeline. Lines are only ever added: the database holds to that (``migrations``)."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    time: Mapped[datetime]
    kind: Mapped[str]
    details: Mapped[dict[str, Any]]
