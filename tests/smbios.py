"""Firmware's tables as bytes, for tests (SMBIOS, DMTF DSP0134 3.7, sections 5.2.2 and 6.1)."""

from __future__ import annotations


def structure(kind: int, handle: int, body: bytes, *strings: str) -> bytes:
    """One structure; ``body`` is its formatted area after the four bytes of its head."""
    texts = b"".join(text.encode() + b"\0" for text in strings) or b"\0"
    return bytes([kind, 4 + len(body)]) + handle.to_bytes(2, "little") + body + texts + b"\0"


def dump(*structures: bytes) -> bytes:
    """A file as ``dmidecode --dump-bin`` writes it: an entry point of SMBIOS 3, and the table at 32."""
    table = b"".join(structures) + structure(127, 0x7F, b"")
    entry = bytearray(b"_SM3_\0\x18\x03\x07\0\x01\0" + len(table).to_bytes(4, "little") + (32).to_bytes(8, "little"))
    entry[5] = -sum(entry) % 256
    return bytes(entry).ljust(32, b"\0") + table
