"""Open a bundle and believe nothing of it that is not signed.

A bundle is read in one pass from its first byte to its last: headers must be canonical, contents must have the signed
digests, and so no byte of the file can differ from what was sealed. Memory does not grow with the bundle.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from agent.model import Text
from agent.model.run_view import JOURNAL
from uploader import dsse
from uploader.bundle.container import Entry, read_entries, read_exactly, total_size, trailer
from uploader.bundle.format import (
    ENVELOPE,
    MANIFEST,
    MAX_DECOMPRESSED,
    MAX_ENVELOPE,
    PAYLOAD_TYPE,
    TEST_RESULT,
    TEST_RESULT_PREDICATE,
    Manifest,
    Statement,
    decode_statement,
)
from uploader.keys import PublicKey
from uploader.strict_json import Malformed

_CHUNK = 1 << 20
_MAX_LINE = 8 << 20


class BundleRejected(Exception):
    """A bundle that is not to be believed. ``reason`` is for the person, ``detail`` for an engineer."""

    def __init__(self, reason: Text, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class VerifiedBundle:
    """A bundle whose every byte was found to be what ``key`` signed. Close it, or use it as a context manager.

    ``self_asserted`` says that ``key`` was taken from the bundle itself: it is then whole, but whose it is, only the
    receiver's enrolment knows. ``size`` is in bytes and ``sha256`` hexadecimal, both of the whole file. Not safe to be
    read by several threads at once.
    """

    def __init__(
        self,
        file: BinaryIO,
        entries: list[Entry],
        statement: Statement,
        manifest: Manifest,
        *,
        sha256: str,
        self_asserted: bool,
        owns_file: bool,
    ) -> None:
        self.statement = statement
        self.manifest = manifest
        self.key = statement.run.key
        self.self_asserted = self_asserted
        self.sha256 = sha256
        self.size = total_size(entries)
        self._file = file
        self._owns_file = owns_file
        self._entries = {entry.name: entry for entry in entries}
        self._digests = {subject.name: subject.sha256 for subject in statement.subjects}

    @property
    def names(self) -> tuple[str, ...]:
        """The signed entries, in the order of the archive."""
        return tuple(self._digests)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The stored bytes of an entry, piece by piece; raises ``KeyError`` for a name that is not in ``names``.

        The digest is checked again while reading, since the file may have been changed after it was opened:
        :class:`BundleRejected` is then raised after the last piece.
        """
        expected, digest = self._digests[name], hashlib.sha256()
        try:
            for chunk in _contents(self._file, self._entries[name]):
                digest.update(chunk)
                yield chunk
        except (Malformed, OSError) as error:
            raise _changed(f"{name}: {error}") from error
        if digest.hexdigest() != expected:
            raise _changed(f"{name} changed while it was read")

    def read(self, name: str) -> bytes:
        """The stored bytes of an entry of at most 64 MiB; raises like :meth:`chunks`."""
        if name in self._digests and self._entries[name].size > MAX_DECOMPRESSED:
            raise _too_large(f"{name} has {self._entries[name].size} bytes")
        return b"".join(self.chunks(name))

    def read_attachment(self, name: str) -> bytes:
        """Like :meth:`read`, decompressed when the name ends in ``.gz``; at most 64 MiB of either."""
        data = self.read(name)
        return _gunzip(name, data) if name.endswith(".gz") else data

    def journal(self) -> Iterator[dict[str, Any]]:
        """The journal's records. A line that is no JSON object is passed over: a cut-off last line is no offence."""
        for line in _lines(self.chunks(JOURNAL)):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                yield record

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owns_file:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_bundle(file: BinaryIO | Path, *, key: PublicKey | None = None) -> VerifiedBundle:
    """Verify a bundle against ``key``, or against the key that it says was its sealer's when ``key`` is ``None``.

    ``file`` is a path, or a seekable binary file that stays open while the bundle is read. Raises
    :class:`BundleRejected` and nothing else, whatever the file holds.
    """
    if not isinstance(file, Path):
        return _verify(file, key, owns_file=False)
    stream = _open(file)
    try:
        return _verify(stream, key, owns_file=True)
    except BaseException:
        stream.close()
        raise


def _open(path: Path) -> BinaryIO:
    try:
        # Not blocking, so that a named pipe is refused instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise BundleRejected(Text("this is not a bundle"), "not a regular file")
        return os.fdopen(descriptor, "rb")
    except OSError as error:
        raise _unreadable(error) from error


def _verify(file: BinaryIO, key: PublicKey | None, *, owns_file: bool) -> VerifiedBundle:
    try:
        entries = read_entries(file)
    except Malformed as error:
        raise BundleRejected(Text("this is not a bundle"), str(error)) from error
    except OSError as error:
        raise _unreadable(error) from error
    if entries[0].name != ENVELOPE or entries[0].size > MAX_ENVELOPE:
        raise BundleRejected(Text("this is not a bundle"), "the first entry is no envelope")
    try:
        return _verify_entries(file, entries, key, owns_file=owns_file)
    except dsse.EnvelopeRejected as error:
        raise BundleRejected(error.reason, error.detail) from error
    except Malformed as error:
        raise _changed(str(error)) from error
    except OSError as error:
        raise _unreadable(error) from error


def _verify_entries(file: BinaryIO, entries: list[Entry], key: PublicKey | None, *, owns_file: bool) -> VerifiedBundle:
    reading = _Reading(file)
    envelope, _ = reading.entry(entries[0], keep=True)
    statement = _read_statement(envelope, key)
    if [entry.name for entry in entries[1:]] != [subject.name for subject in statement.subjects]:
        raise Malformed("the entries are not those of the statement")
    kept: dict[str, bytes] = {}
    for entry, subject in zip(entries[1:], statement.subjects, strict=True):
        small = entry.name in {MANIFEST, TEST_RESULT}
        if small and entry.size > MAX_ENVELOPE:
            raise Malformed(f"{entry.name} has more than {MAX_ENVELOPE} bytes")
        kept[entry.name], sha256 = reading.entry(entry, keep=small)
        if sha256 != subject.sha256:
            raise Malformed(f"{entry.name} is not what was signed")
    reading.trailer(entries)
    manifest = _check_manifest(kept[MANIFEST], entries, statement)
    _check_test_result(kept[TEST_RESULT], statement)
    return VerifiedBundle(
        file,
        entries,
        statement,
        manifest,
        sha256=reading.whole.hexdigest(),
        self_asserted=key is None,
        owns_file=owns_file,
    )


def _read_statement(envelope: bytes, key: PublicKey | None) -> Statement:
    if key is None:
        key = Statement.decode(dsse.peek(envelope, PAYLOAD_TYPE, max_size=MAX_ENVELOPE)).run.key
    statement = Statement.decode(dsse.verify(envelope, PAYLOAD_TYPE, key, max_size=MAX_ENVELOPE))
    if statement.run.key != key:
        raise Malformed("the statement names another key than the one that signed it")
    return statement


class _Reading:
    """The one pass over the file; ``whole`` digests what was read, in the order of the file."""

    def __init__(self, file: BinaryIO) -> None:
        self.whole = hashlib.sha256()
        self._file = file

    def entry(self, entry: Entry, *, keep: bool) -> tuple[bytes, str]:
        """Check header and CRC-32 of an entry; gives its content (empty unless it is to be kept) and SHA-256."""
        header = entry.local_header()
        self._file.seek(entry.offset)
        if read_exactly(self._file, len(header)) != header:
            raise Malformed(f"the header of {entry.name} is not canonical")
        self.whole.update(header)
        digest, crc32, kept = hashlib.sha256(), 0, bytearray()
        for chunk in _contents(self._file, entry):
            self.whole.update(chunk)
            digest.update(chunk)
            crc32 = zlib.crc32(chunk, crc32)
            if keep:
                kept += chunk
        if crc32 != entry.crc32:
            raise Malformed(f"the CRC-32 of {entry.name} is wrong")
        return bytes(kept), digest.hexdigest()

    def trailer(self, entries: list[Entry]) -> None:
        """What :func:`read_entries` already compared."""
        self.whole.update(trailer(entries))


def _check_manifest(data: bytes, entries: list[Entry], statement: Statement) -> Manifest:
    manifest = Manifest.decode(data)
    run = statement.run
    if (manifest.bundle_id, manifest.run_id, manifest.tool) != (run.bundle_id, run.run_id, run.tool):
        raise Malformed("the manifest is of another bundle than the statement")
    sizes = {entry.name: entry.size for entry in entries}
    signed = [(subject.name, sizes[subject.name], subject.sha256) for subject in statement.subjects[1:]]
    if [(entry.name, entry.size, entry.sha256) for entry in manifest.entries] != signed:
        raise Malformed("the entries of the manifest are not those of the statement")
    return manifest


def _check_test_result(envelope: bytes, statement: Statement) -> None:
    payload = dsse.verify(envelope, PAYLOAD_TYPE, statement.run.key, max_size=MAX_ENVELOPE)
    subjects, _ = decode_statement(payload, TEST_RESULT_PREDICATE)
    if subjects != tuple(subject for subject in statement.subjects if subject.name == JOURNAL):
        raise Malformed("the test result is not about the journal of this bundle")


def _contents(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    position = entry.data_offset
    while position < entry.data_offset + entry.size:
        file.seek(position)  # each time: somebody else may have read from the same file meanwhile
        chunk = read_exactly(file, min(_CHUNK, entry.data_offset + entry.size - position))
        position += len(chunk)
        yield chunk


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > _MAX_LINE:
            raise _too_large(f"a line of {JOURNAL} has more than {_MAX_LINE} bytes")
    yield rest


def _gunzip(name: str, data: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = stream.decompress(data, MAX_DECOMPRESSED)
        if not stream.eof and stream.unconsumed_tail and stream.decompress(stream.unconsumed_tail, 1):
            raise _too_large(f"{name} has more than {MAX_DECOMPRESSED} bytes")
    except zlib.error as error:
        raise _changed(f"{name}: {error}") from error
    if not stream.eof or stream.unused_data:
        raise _changed(f"{name} is not one whole gzip member")
    return plain


def _changed(detail: str) -> BundleRejected:
    return BundleRejected(Text("the bundle is damaged, or was changed after it was sealed"), detail)


def _too_large(detail: str) -> BundleRejected:
    return BundleRejected(Text("the bundle is larger than allowed"), detail)


def _unreadable(error: OSError) -> BundleRejected:
    return BundleRejected(Text("could not be read: {error}", {"error": error.strerror or str(error)}), str(error))
