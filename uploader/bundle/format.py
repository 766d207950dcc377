"""What a bundle is made of (``docs/protocol.md``): names, caps, and the two texts that describe its entries.

Parsing is strict about what it reads and, as in-toto asks of consumers, passes over members that it does not know.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from agent.model import RunVerdict
from agent.model.run_view import JOURNAL
from uploader import strict_json
from uploader.clocks import Clocks
from uploader.keys import PublicKey
from uploader.strict_json import Malformed, exactly, field, optional_text

FILE_SUFFIX = ".aiodiag.zip"

ENVELOPE = "envelope.dsse.json"
MANIFEST = "manifest.json"
TEST_RESULT = "test-result.dsse.json"
ATTACHMENTS = "attachments/"

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
RUN_PREDICATE = "https://hibertek.com/aiodiag/run/v1"
TEST_RESULT_PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"

MAX_BUNDLE = 512 << 20
"""Bytes. This and the following caps: ours, ten times what a run of a day writes."""
MAX_ENTRY = 256 << 20
MAX_ENTRIES = 2000
MAX_ENVELOPE = 1 << 20
MAX_NAME = 255
MAX_DECOMPRESSED = 64 << 20
"""Bytes that reading one attachment gives at most."""

_MAX_DEPTH = 16
_NAME = re.compile(rf"[A-Za-z0-9._/-]{{1,{MAX_NAME}}}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_name(name: str) -> None:
    """Raises :class:`Malformed` unless ``name`` is one that an entry may have."""
    if not _NAME.fullmatch(name) or any(part in {"", ".", ".."} for part in name.split("/")):
        raise Malformed(f"{name[:MAX_NAME]!r} is no name for an entry")


@dataclass(frozen=True, slots=True)
class Subject:
    """One entry that the statement vouches for; ``sha256`` is hexadecimal."""

    name: str
    sha256: str

    def __post_init__(self) -> None:
        check_name(self.name)
        if not _SHA256.fullmatch(self.sha256):
            raise Malformed(f"{self.name} has no SHA-256")


@dataclass(frozen=True, slots=True)
class Version:
    """A named thing (the tool, the plan) and its version."""

    name: str
    version: str

    def to_json(self) -> dict[str, str]:
        """``{"name", "version"}``."""
        return {"name": self.name, "version": self.version}

    @classmethod
    def from_json(cls, data: Any) -> Version:
        """Raises :class:`Malformed`."""
        return cls(field(data, "name", str), field(data, "version", str))


@dataclass(frozen=True, slots=True)
class Run:
    """The predicate: which run of which unit this is, and for which case.

    ``rma`` is ``None`` for a bundle without a case, ``nonce`` for one sealed without the receiver. ``sequence`` counts
    the bundles of this device from 1. ``key_protection`` is ``file`` or ``tpm``.
    """

    rma: str | None
    serial: str
    serial_source: str
    model: str
    nonce: str | None
    bundle_id: str
    run_id: str
    boot_id: str
    sequence: int
    clocks: Clocks
    key_protection: str
    key: PublicKey
    tool: Version
    plan: Version
    verdict: RunVerdict

    def __post_init__(self) -> None:
        if self.sequence < 1:
            raise Malformed("'sequence' is below 1")
        if self.key_protection not in {"file", "tpm"}:
            raise Malformed("'key_protection' is neither file nor tpm")
        if not _is_uuid4(self.bundle_id):
            raise Malformed("'bundle_id' is no UUID of version 4")

    def to_json(self) -> dict[str, Any]:
        """The predicate of ``docs/protocol.md``."""
        return {
            "rma": self.rma,
            "serial": self.serial,
            "serial_source": self.serial_source,
            "model": self.model,
            "nonce": self.nonce,
            "bundle_id": self.bundle_id,
            "run_id": self.run_id,
            "boot_id": self.boot_id,
            "sequence": self.sequence,
            "clocks": self.clocks.to_json(),
            "key_protection": self.key_protection,
            "key": self.key.to_json(),
            "tool": self.tool.to_json(),
            "plan": self.plan.to_json(),
            "verdict": self.verdict.value,
        }

    @classmethod
    def from_json(cls, data: Any) -> Run:
        """Inverse of :meth:`to_json`; raises :class:`Malformed`."""
        verdict = field(data, "verdict", str)
        if verdict not in set(RunVerdict):
            raise Malformed("'verdict' is unknown")
        return cls(
            rma=optional_text(data, "rma"),
            serial=field(data, "serial", str),
            serial_source=field(data, "serial_source", str),
            model=field(data, "model", str),
            nonce=optional_text(data, "nonce"),
            bundle_id=field(data, "bundle_id", str),
            run_id=field(data, "run_id", str),
            boot_id=field(data, "boot_id", str),
            sequence=field(data, "sequence", int),
            clocks=Clocks.from_json(field(data, "clocks", dict)),
            key_protection=field(data, "key_protection", str),
            key=PublicKey.from_json(field(data, "key", dict)),
            tool=Version.from_json(field(data, "tool", dict)),
            plan=Version.from_json(field(data, "plan", dict)),
            verdict=RunVerdict(verdict),
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """The signed statement. The subjects are every entry but the envelope, in the order of the archive."""

    subjects: tuple[Subject, ...]
    run: Run

    def __post_init__(self) -> None:
        names = [subject.name for subject in self.subjects]
        if names[:3] != [MANIFEST, TEST_RESULT, JOURNAL]:
            raise Malformed("the subjects do not begin with manifest, test result and journal")
        if not all(name.startswith(ATTACHMENTS) for name in names[3:]):
            raise Malformed("a subject is no attachment")
        if len(set(names)) != len(names):
            raise Malformed("a subject is doubled")
        if len(names) >= MAX_ENTRIES:
            raise Malformed(f"more than {MAX_ENTRIES} entries")

    def encode(self) -> bytes:
        """The payload of the envelope."""
        return encode_statement(self.subjects, RUN_PREDICATE, self.run.to_json())

    @classmethod
    def decode(cls, payload: bytes) -> Statement:
        """Inverse of :meth:`encode`; raises :class:`Malformed` for anything else."""
        subjects, predicate = decode_statement(payload, RUN_PREDICATE)
        return cls(subjects, Run.from_json(predicate))


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One entry for people and scripts; ``size`` in bytes of the stored entry."""

    name: str
    size: int
    sha256: str
    content_type: str
    title: str

    def to_json(self) -> dict[str, Any]:
        """``{"name", "size", "sha256", "content_type", "title"}``."""
        return {
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "content_type": self.content_type,
            "title": self.title,
        }

    @classmethod
    def from_json(cls, data: Any) -> ManifestEntry:
        """Raises :class:`Malformed`."""
        return cls(
            name=field(data, "name", str),
            size=field(data, "size", int),
            sha256=field(data, "sha256", str),
            content_type=field(data, "content_type", str),
            title=field(data, "title", str),
        )


@dataclass(frozen=True, slots=True)
class Redacted:
    """That pseudonyms stand for what names a person, by which version of the rules, from 1, and which files of the run
    were left out because nobody could look into them.
    """

    rules: int
    left_out: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{"rules", "left_out"}``."""
        return {"rules": self.rules, "left_out": list(self.left_out)}

    @classmethod
    def from_json(cls, data: Any) -> Redacted:
        """Raises :class:`Malformed`."""
        left_out = field(data, "left_out", list)
        if not all(isinstance(name, str) for name in left_out):
            raise Malformed("'left_out' holds something that is no name")
        return cls(field(data, "rules", int), tuple(left_out))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` says. Its entries are all but the envelope and itself; ``created`` is ISO 8601, UTC.
    ``redaction`` is ``None`` where the run was sealed as it is.
    """

    bundle_id: str
    run_id: str
    created: str
    tool: Version
    entries: tuple[ManifestEntry, ...]
    redaction: Redacted | None = None

    def encode(self) -> bytes:
        """The entry's bytes."""
        return strict_json.canonical(
            {
                "schema": 1,
                "bundle_id": self.bundle_id,
                "run_id": self.run_id,
                "created": self.created,
                "tool": self.tool.to_json(),
                "redaction": self.redaction.to_json() if self.redaction else None,
                "entries": [entry.to_json() for entry in self.entries],
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Inverse of :meth:`encode`; raises :class:`Malformed` for anything else."""
        value = strict_json.loads(data, max_size=MAX_ENVELOPE, max_depth=_MAX_DEPTH)
        if field(value, "schema", int) != 1:
            raise Malformed("the manifest is of another schema")
        return cls(
            bundle_id=field(value, "bundle_id", str),
            run_id=field(value, "run_id", str),
            created=field(value, "created", str),
            tool=Version.from_json(field(value, "tool", dict)),
            entries=tuple(ManifestEntry.from_json(entry) for entry in field(value, "entries", list)),
            redaction=Redacted.from_json(value["redaction"]) if value.get("redaction") is not None else None,
        )


def encode_statement(subjects: tuple[Subject, ...], predicate_type: str, predicate: dict[str, Any]) -> bytes:
    """An in-toto Statement v1. Source: in-toto/attestation, spec/v1/statement.md."""
    return strict_json.canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": s.name, "digest": {"sha256": s.sha256}} for s in subjects],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def decode_statement(payload: bytes, predicate_type: str) -> tuple[tuple[Subject, ...], dict[str, Any]]:
    """Subjects and predicate of an in-toto Statement v1; raises :class:`Malformed` for anything else."""
    value = strict_json.loads(payload, max_size=MAX_ENVELOPE, max_depth=_MAX_DEPTH)
    if field(value, "_type", str) != STATEMENT_TYPE or field(value, "predicateType", str) != predicate_type:
        raise Malformed(f"no in-toto statement of type {predicate_type}")
    subjects = tuple(_subject(subject) for subject in field(value, "subject", list))
    return subjects, field(value, "predicate", dict)


def _subject(data: Any) -> Subject:
    exactly(data, ("name", "digest"))
    exactly(data["digest"], ("sha256",))
    return Subject(field(data, "name", str), field(data["digest"], "sha256", str))


def _is_uuid4(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4
    except ValueError:
        return False
