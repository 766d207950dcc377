"""Seal a run directory into a bundle."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from agent.durable import creating
from agent.model import RunVerdict, Text
from agent.model.run_view import JOURNAL, RunView
from agent.model.utc import utc_text
from uploader import dsse
from uploader.bundle.container import Entry, total_size, trailer
from uploader.bundle.format import (
    ENVELOPE,
    FILE_SUFFIX,
    MANIFEST,
    MAX_BUNDLE,
    MAX_ENTRY,
    MAX_ENVELOPE,
    PAYLOAD_TYPE,
    TEST_RESULT,
    Manifest,
    ManifestEntry,
    Redacted,
    Run,
    Statement,
    Subject,
    Version,
)
from uploader.bundle.run_directory import RunDirectory
from uploader.bundle.test_result import encode_test_result
from uploader.clocks import Clocks, TpmClock
from uploader.keys import SigningKey
from uploader.strict_json import Malformed


class SealFailed(Exception):
    """No bundle was made. ``reason`` is for the person."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


class SealingKey(SigningKey, Protocol):
    """A key that counts its bundles and says how it is kept."""

    @property
    def protection(self) -> str:
        """``file`` or ``tpm``."""

    def next_sequence(self) -> int:
        """Count one more bundle, durably; gives its number, from 1."""

    def clock(self) -> TpmClock | None:
        """That of the TPM that the key is in; ``None`` where it is in none, or the TPM does not say."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a bundle is about: the statement's fields that neither the key nor the clock gives.

    ``rma`` and ``nonce`` are ``None`` for a bundle without a case or sealed without the receiver; ``boot_id`` is
    that of the run.
    """

    rma: str | None
    serial: str
    serial_source: str
    model: str
    nonce: str | None
    run_id: str
    boot_id: str
    tool: Version
    plan: Version
    verdict: RunVerdict


@dataclass(frozen=True, slots=True)
class Sealed:
    """The bundle on disk; ``sha256`` (hexadecimal) and ``size`` (bytes) are those of the whole file."""

    path: Path
    bundle_id: str
    sha256: str
    size: int


def seal(run_dir: Path, out_dir: Path, key: SealingKey, binding: Binding, redaction: Redacted | None = None) -> Sealed:
    """Write the bundle of a run into ``out_dir``, whole or not at all; it is on disk when this returns.

    Takes ``journal.jsonl`` and what lies in ``attachments/``, byte for byte; follows no link and changes nothing in
    ``run_dir``. ``redaction`` is what was done to the run before, for the manifest. Raises :class:`SealFailed` (and
    :class:`~uploader.keys.KeyUnusable`).
    """
    try:
        out_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with RunDirectory(run_dir) as run:
            return _seal(run, out_dir, key, binding, redaction)
    except Malformed as error:
        raise _failed(str(error)) from error
    except OSError as error:
        raise _failed(error.strerror or str(error)) from error


@dataclass(frozen=True, slots=True)
class _Part:
    """One entry to be; ``content`` is ``None`` for what is read from the run directory."""

    name: str
    size: int
    sha256: str
    crc32: int
    content: bytes | None = None

    @property
    def subject(self) -> Subject:
        return Subject(self.name, self.sha256)


def _seal(run: RunDirectory, out_dir: Path, key: SealingKey, binding: Binding, redaction: Redacted | None) -> Sealed:
    stored = [_measure(name, run.chunks(name)) for name in run.names()]
    outline = run.outline()
    bundle_id = str(uuid.uuid4())
    result = encode_test_result(stored[0].subject, outline, binding.plan, binding.verdict)
    listed = [_given(TEST_RESULT, dsse.sign(result, PAYLOAD_TYPE, key)), *stored]
    manifest = _given(MANIFEST, _manifest(bundle_id, binding, listed, outline, redaction).encode())
    subjects = tuple(part.subject for part in (manifest, *listed))
    statement = Statement(subjects, _run(bundle_id, binding, key))
    envelope = _given(ENVELOPE, dsse.sign(statement.encode(), PAYLOAD_TYPE, key))
    parts = [envelope, manifest, *listed]
    entries = _layout(parts)
    _check_caps(parts, entries)
    path = out_dir / f"{bundle_id}{FILE_SUFFIX}"
    with creating(path) as file:
        sha256 = _write(file, run, parts, entries)
    return Sealed(path, bundle_id, sha256, total_size(entries))


def _measure(name: str, chunks: Iterable[bytes]) -> _Part:
    size, digest, crc32 = 0, hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
        crc32 = zlib.crc32(chunk, crc32)
    return _Part(name, size, digest.hexdigest(), crc32)


def _given(name: str, content: bytes) -> _Part:
    return _Part(name, len(content), hashlib.sha256(content).hexdigest(), zlib.crc32(content), content)


def _run(bundle_id: str, binding: Binding, key: SealingKey) -> Run:
    return Run(
        rma=binding.rma,
        serial=binding.serial,
        serial_source=binding.serial_source,
        model=binding.model,
        nonce=binding.nonce,
        bundle_id=bundle_id,
        run_id=binding.run_id,
        boot_id=binding.boot_id,
        sequence=key.next_sequence(),
        clocks=Clocks.now(key.clock()),
        key_protection=key.protection,
        key=key.public,
        tool=binding.tool,
        plan=binding.plan,
        verdict=binding.verdict,
    )


def _manifest(
    bundle_id: str, binding: Binding, parts: list[_Part], outline: RunView, redaction: Redacted | None
) -> Manifest:
    described = {
        TEST_RESULT: ("application/json", "test result (in-toto)"),
        JOURNAL: ("application/jsonl", "journal (OCP Test & Validation output 2.0)"),
    }
    for file in (file for step in outline.steps.values() for file in step.files):
        described[str(file.get("uri"))] = (str(file.get("contentType", "")), str(file.get("displayName", "")))
    unknown = ("application/octet-stream", "")
    entries = tuple(ManifestEntry(p.name, p.size, p.sha256, *described.get(p.name, unknown)) for p in parts)
    return Manifest(bundle_id, binding.run_id, _now(), binding.tool, entries, redaction)


def _layout(parts: list[_Part]) -> list[Entry]:
    entries: list[Entry] = []
    for part in parts:
        entries.append(Entry(part.name, part.size, part.crc32, entries[-1].end if entries else 0))
    return entries


def _check_caps(parts: list[_Part], entries: list[Entry]) -> None:
    over = [part for part in parts if part.size > (MAX_ENTRY if part.content is None else MAX_ENVELOPE)]
    if over or total_size(entries) > MAX_BUNDLE:
        raise SealFailed(Text("the bundle is larger than allowed"))


def _write(file: BinaryIO, run: RunDirectory, parts: list[_Part], entries: list[Entry]) -> str:
    whole = hashlib.sha256()

    def put(data: bytes) -> None:
        file.write(data)
        whole.update(data)

    for part, entry in zip(parts, entries, strict=True):
        put(entry.local_header())
        digest = hashlib.sha256()
        for chunk in [part.content] if part.content is not None else run.chunks(part.name):
            digest.update(chunk)
            put(chunk)
        if digest.hexdigest() != part.sha256:
            raise SealFailed(Text("the run is still being written"))
    put(trailer(entries))
    return whole.hexdigest()


def _now() -> str:
    return utc_text(datetime.now(UTC))


def _failed(error: str) -> SealFailed:
    return SealFailed(Text("the bundle could not be made: {error}", {"error": error}))
