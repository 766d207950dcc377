"""The ZIP container in its one canonical form.

Every field of every header follows from name, size and CRC-32 of the entries, so a reader that writes the headers
again and compares has checked every byte that is not an entry's content. Nothing here needs ZIP64: the caps stay below
4 GiB and 65 535 entries. Source of the layouts: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from uploader.bundle.format import MAX_BUNDLE, MAX_ENTRIES, MAX_ENTRY, MAX_NAME, check_name
from uploader.strict_json import Malformed

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")

_VERSION = 20  # 2.0, the least that knows folders in names
_MADE_BY = 3 << 8 | _VERSION  # Unix, so that the permissions below are understood
_MODE = 0o100644 << 16
_TIME, _DATE = 0, 1 << 5 | 1  # 1980-01-01 00:00, the epoch of ZIP: times stand in the journal

_MAX_CENTRAL = MAX_ENTRIES * (_CENTRAL.size + MAX_NAME)


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored entry; ``offset`` is where its local header begins."""

    name: str
    size: int
    crc32: int
    offset: int

    @property
    def data_offset(self) -> int:
        """Where its content begins."""
        return self.offset + _LOCAL.size + len(self.name)

    @property
    def end(self) -> int:
        """Where the next entry begins."""
        return self.data_offset + self.size

    def local_header(self) -> bytes:
        """The bytes before its content."""
        name = self.name.encode("ascii")
        fields = (_VERSION, 0, 0, _TIME, _DATE, self.crc32, self.size, self.size, len(name), 0)
        return _LOCAL.pack(b"PK\x03\x04", *fields) + name

    def central_header(self) -> bytes:
        """Its line in the central directory."""
        name = self.name.encode("ascii")
        fields = (_MADE_BY, _VERSION, 0, 0, _TIME, _DATE, self.crc32, self.size, self.size, len(name))
        return _CENTRAL.pack(b"PK\x01\x02", *fields, 0, 0, 0, 0, _MODE, self.offset) + name


def trailer(entries: Sequence[Entry]) -> bytes:
    """Central directory and end record, which follow the last entry's content."""
    central = b"".join(entry.central_header() for entry in entries)
    end = entries[-1].end if entries else 0
    return central + _END.pack(b"PK\x05\x06", 0, 0, len(entries), len(entries), len(central), end, 0)


def total_size(entries: Sequence[Entry]) -> int:
    """Bytes of the whole file."""
    return (entries[-1].end if entries else 0) + len(trailer(entries))


def read_entries(file: BinaryIO) -> list[Entry]:
    """The entries, from the central directory, after it and the end record were found canonical.

    The entries then lie back to back from the first byte on and fill the file. Local headers and contents are not yet
    looked at. Raises :class:`Malformed` for anything else, ``OSError`` when the file cannot be read.
    """
    size = file.seek(0, 2)
    if size > MAX_BUNDLE:
        raise Malformed(f"{size} bytes are more than {MAX_BUNDLE}")
    if size < _END.size:
        raise Malformed("too short for a ZIP file")
    file.seek(size - _END.size)
    fields = _END.unpack(read_exactly(file, _END.size))
    count, central_size, central_offset = fields[4], fields[5], fields[6]
    if not 0 < count <= MAX_ENTRIES or central_size > _MAX_CENTRAL or central_offset > size:
        raise Malformed("no end record of a bundle")
    if central_offset + central_size + _END.size != size:
        raise Malformed("data before, between or after the entries")
    file.seek(central_offset)
    found = read_exactly(file, central_size + _END.size)
    entries = _parse_central(found[:central_size], count)
    if trailer(entries) != found:
        raise Malformed("the central directory is not canonical")
    return entries


def read_exactly(file: BinaryIO, size: int) -> bytes:
    """Raises :class:`Malformed` when the file ends before."""
    data = file.read(size)
    if len(data) != size:
        raise Malformed("the file ends too early")
    return data


def _parse_central(central: bytes, count: int) -> list[Entry]:
    entries: list[Entry] = []
    position = offset = 0
    for _ in range(count):
        if position + _CENTRAL.size > len(central):
            raise Malformed("the central directory ends too early")
        fields = _CENTRAL.unpack_from(central, position)
        crc32, size, name_size = fields[7], fields[9], fields[10]
        position += _CENTRAL.size
        name = central[position : position + name_size].decode("ascii", "replace")
        position += name_size
        check_name(name)
        if size > MAX_ENTRY:
            raise Malformed(f"{name} has more than {MAX_ENTRY} bytes")
        entries.append(Entry(name, size, crc32, offset))
        offset = entries[-1].end
    if len({entry.name for entry in entries}) != count:
        raise Malformed("an entry is doubled")
    return entries
