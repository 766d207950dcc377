"""A run as it may leave the device: a copy in which pseudonyms stand for what names a person, ready to be sealed.

What becomes of a file depends on what is in it, never on its name: text is redacted line by line (packed text too, and
packed again); pictures lose their metadata; anything else is left out, for nobody could say what is in it, and so is
what is damaged, or has a line that is longer than any of ours. Memory does not grow with the files.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from agent.model.run_view import JOURNAL
from agent.redaction import (
    Kind,
    Known,
    NoImage,
    Pseudonyms,
    Reading,
    Redactor,
    Replaced,
    Unfit,
    learn,
    redact_record,
    serials,
    unescaped,
    without_metadata,
)
from agent.redaction.content import Content, content_of, is_of_hardware
from uploader.bundle.format import ATTACHMENTS
from uploader.bundle.run_directory import RunDirectory
from uploader.strict_json import Malformed

LINE_MOST = 8 << 20
"""Bytes of one line (a tree of files is one); ours, twice the longest record of a journal."""
WHOLE_MOST = 32 << 20
"""Bytes of a picture, or of a text of two bytes for each character, which are taken as a whole; ours."""
_BLOCK = 1 << 20
_NAMES_MOST = 10_000
"""Names that are learnt from the evidence of one run; ours: a log of a busy network tells some hundred."""


@dataclass(frozen=True, slots=True)
class InFile:
    """How often something was replaced in one file of the run; ``file`` is its name on the device."""

    file: str
    replaced: Replaced
    times: int


@dataclass(slots=True)
class Redaction:
    """What was done to a run. ``stripped`` are pictures without their metadata, ``left_out`` the files that nobody can
    look into, by their names in the run with those that they have in the copy. ``mapping`` is what each pseudonym
    stands for.
    """

    found: list[InFile] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    stripped: list[str] = field(default_factory=list)
    mapping: list[Replaced] = field(default_factory=list)


def redact(run: RunDirectory, known: Iterable[Known], out: Path | None) -> Redaction:
    """Write the redacted copy of ``run`` into the new directory ``out``; with ``None`` only say what would be in it.

    Raises ``OSError``, and :class:`Malformed` for what no bundle can hold.
    """
    return _Redacting(run, known, out).done()


class _LeftOut(Exception):
    """A file that nobody can look into."""


@dataclass(slots=True)
class _Described:
    """What the journal says of a file: ``is_json``, ``columns`` where it is what ``journalctl`` printed, and
    ``of_hardware`` where it is of a file that the hardware made.
    """

    is_json: bool = False
    columns: bool = False
    of_hardware: bool = False


class _Redacting:
    """One pass over the run to learn names, and one to replace them."""

    def __init__(self, run: RunDirectory, known: Iterable[Known], out: Path | None) -> None:
        self._run = run
        self._out = out
        self._names = run.names()
        self._described = self._descriptions()
        kept = set(serials(run.records()))
        found = set(known)
        for name in self._names:
            self._learn(name, found)
        self._redactor = Redactor(found, kept, Pseudonyms())
        self._result = Redaction()
        self._taken: set[str] = set()

    def done(self) -> Redaction:
        if self._out is not None:
            (self._out / ATTACHMENTS).mkdir(mode=0o700, parents=True)
        changed = {name: self._attachment(name) for name in self._names if name != JOURNAL}
        self._journal({name: change for name, change in changed.items() if change})
        self._result.mapping = self._redactor.pseudonyms.mapping
        return self._result

    def _descriptions(self) -> dict[str, _Described]:
        found: dict[str, _Described] = {}
        for step in self._run.outline().steps.values():
            for file in step.files:
                metadata = file.get("metadata")
                source = str(metadata.get("source", "")) if isinstance(metadata, dict) else ""
                is_json = file.get("contentType") == "application/json"
                columns = source.startswith("journalctl ")
                found[str(file.get("uri"))] = _Described(is_json, columns, is_of_hardware(source))
        return found

    def _describe(self, name: str) -> _Described:
        return self._described.get(name) or _Described(is_json=name.removesuffix(".gz").endswith(".json"))

    def _learn(self, name: str, found: set[Known]) -> None:
        """Add the names that a file tells itself. A file that cannot be read as text tells none."""
        described = self._describe(name)
        try:
            for block in self._blocks(name):
                text = block.decode("utf-8", "surrogateescape")
                for part in (text, *unescaped(text)):
                    for new in learn(part, columns=described.columns):
                        if len(found) < _NAMES_MOST:
                            found.add(new)
        except _LeftOut:
            return

    def _blocks(self, name: str) -> Iterator[bytes]:
        """Whole lines of a file, some at a time; unpacked. Raises :class:`_LeftOut`."""
        chunks: Iterable[bytes] = self._run.chunks(name)
        whole = rest = b""  # the last block has the end of the file with it: what that is shows in company only
        for chunk in _unpacked(chunks) if name.endswith(".gz") else chunks:
            lines, newline, after = (rest + chunk).rpartition(b"\n")
            rest = after
            if newline:
                if whole:
                    yield whole
                whole = lines + newline
            if len(rest) > LINE_MOST:
                raise _LeftOut("a line is too long")
        if whole or rest:
            yield whole + rest

    def _attachment(self, name: str) -> dict[str, Any] | None:
        """Copy one file; what its record has to say of it now, ``None`` where it was left out."""
        self._redactor.pseudonyms.counts.clear()
        new_name = self._renamed(name)
        try:
            sink = _Sink(self._out / new_name if self._out else None, packed=name.endswith(".gz"))
            try:
                for piece in self._pieces(name):
                    sink.write(piece)
            finally:
                sink.close()
        except _LeftOut:
            if self._out is not None:
                (self._out / new_name).unlink()
            self._result.left_out[name] = new_name
            return None
        self._count(name)
        return {"uri": new_name, "sha256": sink.sha256, "size": sink.size}

    def _pieces(self, name: str) -> Iterator[bytes]:
        described = self._describe(name)
        first = True
        for block in self._blocks(name):
            content = content_of(block)
            if content is Content.TEXT:
                text = block.decode("utf-8", "surrogateescape")
                made = self._redactor.text(text, Reading(json=described.is_json))
                yield made.encode("utf-8", "surrogateescape")
            elif first:
                yield self._whole(name)
                return
            else:
                raise _LeftOut("not only text")
            first = False

    def _whole(self, name: str) -> bytes:
        """A file that is no text of lines, as a whole."""
        blocks: list[bytes] = []
        for block in self._blocks(name):
            blocks.append(block)
            if sum(map(len, blocks)) > WHOLE_MOST:
                raise _LeftOut("too large")
        data = b"".join(blocks)
        if content_of(data) in (Content.JPEG, Content.PNG):
            try:
                made = without_metadata(data)
            except NoImage as e:
                raise _LeftOut(str(e)) from e
            self._result.stripped.append(name)
            return made
        redacted = self._redactor.data(data, of_hardware=self._describe(name).of_hardware)
        if redacted is None:
            raise _LeftOut("not a text")
        return redacted

    def _renamed(self, name: str) -> str:
        """An attachment is named after what it is of, which may be a name of a person's."""
        folder, _, base = name.rpartition("/")
        words = free = self._redactor.file_name(base)
        number = 1
        while free.lower() in self._taken:
            number += 1
            stem, dot, ending = words.partition(".")
            free = f"{stem}-{number}{dot}{ending}"
        self._taken.add(free.lower())
        return f"{folder}/{free}"

    def _journal(self, changed: dict[str, dict[str, Any]]) -> None:
        self._redactor.pseudonyms.counts.clear()
        sink = _Sink(self._out / JOURNAL if self._out else None, packed=False)
        try:
            for block in self._blocks(JOURNAL):
                for line in block.splitlines(keepends=True):
                    sink.write(self._line(line, changed))
        except _LeftOut as e:
            raise Malformed(f"{JOURNAL}: {e}") from e
        finally:
            sink.close()
        self._count(JOURNAL)

    def _line(self, line: bytes, changed: dict[str, dict[str, Any]]) -> bytes:
        try:
            return redact_record(line, self._redactor, changed)
        except Unfit:  # a torn last line
            text = line.decode("utf-8", "surrogateescape")
            return self._redactor.text(text).encode("utf-8", "surrogateescape")

    def _count(self, name: str) -> None:
        counts: Counter[Replaced] = self._redactor.pseudonyms.counts
        self._result.found += [InFile(name, what, times) for what, times in sorted(counts.items(), key=_order)]


def _order(counted: tuple[Replaced, int]) -> tuple[Kind, str]:
    return counted[0].kind, counted[0].value


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                yield stream.decompress(rest, _BLOCK)
                rest = stream.unconsumed_tail
    except zlib.error as e:
        raise _LeftOut("damaged") from e
    if not stream.eof or stream.unused_data:
        raise _LeftOut("damaged")


class _Sink:
    """A new file of the copy, with digest and size of what is stored; with no path, only these."""

    def __init__(self, path: Path | None, *, packed: bool) -> None:
        self._file: BinaryIO | None = path.open("xb") if path else None
        # As agent.journal packs: the gzip holds no time, so it is the same each time.
        self._packer = zlib.compressobj(6, wbits=zlib.MAX_WBITS | 16) if packed else None
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Hexadecimal, of what was stored."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Store more."""
        self._store(self._packer.compress(data) if self._packer else data)

    def close(self) -> None:
        """All is stored; raises ``OSError``."""
        if self._packer:
            self._store(self._packer.flush())
        if self._file:
            self._file.close()

    def _store(self, stored: bytes) -> None:
        self.size += len(stored)
        self._digest.update(stored)
        if self._file:
            self._file.write(stored)
