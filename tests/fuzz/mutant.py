"""What the mutations share: what they begin with, what they make of it, and where a bundle's headers lie."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from uploader.bundle.container import Entry, read_entries
from uploader.keys import SigningKey

Parts = list[tuple[bytes, bytes]]
"""Names and contents, in the order of the archive. A name is whatever bytes an attacker likes."""


@dataclass(frozen=True)
class Seed:
    """One sealed bundle. ``serial`` is its unit's, ``key`` what sealed it, ``stranger`` a key that nobody enrolled."""

    name: str
    data: bytes
    rma: str
    serial: str
    key: SigningKey
    stranger: SigningKey
    entries: tuple[Entry, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", tuple(read_entries(io.BytesIO(self.data))))

    @property
    def parts(self) -> Parts:
        """The entries as they were sealed."""
        return [(e.name.encode(), self.data[e.data_offset : e.end]) for e in self.entries]

    @property
    def central(self) -> int:
        """Where the central directory begins."""
        return self.entries[-1].end


@dataclass(frozen=True)
class Mutant:
    """``by_unit`` says that the unit's own key signed what was changed: it may then be believed, for what it says."""

    how: str
    data: bytes
    by_unit: bool = False


Mutation = Callable[[random.Random, Seed, Sequence[Seed]], Mutant]
"""Makes a mutant of a seed; the others are there to be spliced in."""

NUMBERS = (0, 1, 2, 4, 7, 8, 19, 20, 45, 127, 128, 255, 256, 2000, 2001, 32767, 32768, 65534, 65535)
WIDE = (*NUMBERS, 65536, (1 << 20) + 1, (256 << 20) + 1, 512 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def pack(parts: Parts) -> bytes:
    """A canonical container, but for names that no bundle may have."""
    out, central = bytearray(), bytearray()
    for name, content in parts:
        crc, size, offset = zlib.crc32(content), len(content), len(out)
        out += struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 33, crc, size, size, len(name) & 0xFFFF, 0)
        out += name + content
        central += struct.pack(
            "<4s6H3I5H2I",
            b"PK\x01\x02",
            *(3 << 8 | 20, 20, 0, 0, 0, 33, crc, size, size, len(name) & 0xFFFF),
            *(0, 0, 0, 0, 0o100644 << 16, offset),
        )
        central += name
    count = len(parts) & 0xFFFF
    return bytes(out + central + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(central), len(out), 0))
