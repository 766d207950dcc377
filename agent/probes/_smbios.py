"""The firmware's tables as bytes: what ``dmidecode --dump-bin`` writes, or ``/sys/firmware/dmi/tables/DMI``.

Gives the structures under the titles and field names of dmidecode, so that nothing else needs to know whether text or
bytes were captured; of the types and fields that somebody here reads. Source: SMBIOS (DMTF DSP0134 3.7), sections 5.2
(entry points), 6.1 (structures and their strings) and 7.1 to 7.4, 7.17, 7.18 and 7.44 (types 0 to 3, 16, 17 and 43).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import NamedTuple

from agent.probes._structure import Structure

_IN_DUMP = 32
"""Where dmidecode writes the table in a dump, and tells so in the entry point (dmidecode.c, ``dmi_table_dump``)."""
_END = 127

_TITLES = {
    0: "BIOS Information",
    1: "System Information",
    2: "Base Board Information",
    3: "Chassis Information",
    16: "Physical Memory Array",
    17: "Memory Device",
    43: "TPM Device",
}
_STRINGS = {
    0: {"Vendor": 0x04, "Version": 0x05, "Release Date": 0x08},
    1: {"Manufacturer": 0x04, "Product Name": 0x05, "Version": 0x06, "Serial Number": 0x07, "SKU Number": 0x19},
    2: {"Manufacturer": 0x04, "Product Name": 0x05, "Version": 0x06, "Serial Number": 0x07},
    3: {"Manufacturer": 0x04, "Version": 0x06, "Serial Number": 0x07},
    17: {
        "Locator": 0x10,
        "Bank Locator": 0x11,
        "Manufacturer": 0x17,
        "Serial Number": 0x18,
        "Part Number": 0x1A,
    },
}
"""Type -> field -> where the number of its string stands."""
_USES = {3: "System Memory", 4: "Video Memory", 5: "Flash Memory", 6: "Non-volatile RAM", 7: "Cache Memory"}
_MEMORY_TYPES = {
    0x03: "DRAM", 0x0F: "SDRAM", 0x12: "DDR", 0x13: "DDR2", 0x14: "DDR2 FB-DIMM", 0x18: "DDR3", 0x1A: "DDR4",
    0x1B: "LPDDR", 0x1C: "LPDDR2", 0x1D: "LPDDR3", 0x1E: "LPDDR4", 0x20: "HBM", 0x21: "HBM2", 0x22: "DDR5",
    0x23: "LPDDR5",
}  # fmt: skip
"""Of table 78; others (module types of before 2000) have no word here."""


class _Raw(NamedTuple):
    """One structure as it lies in the table: the formatted area, and the strings behind it."""

    data: bytes
    strings: list[bytes]

    def string(self, at: int) -> str | None:
        """The string whose number stands at an offset, in dmidecode's words where there is none; ``None`` where the
        structure ends before.
        """
        if at >= len(self.data):
            return None
        number = self.data[at]
        if number == 0:
            return "Not Specified"
        if number > len(self.strings):
            return "<BAD INDEX>"
        return "".join(chr(c) if 0x20 <= c < 0x7F else "." for c in self.strings[number - 1]).strip()

    def number(self, at: int, size: int) -> int | None:
        """A little-endian number; ``None`` where the structure ends before."""
        return int.from_bytes(self.data[at : at + size], "little") if at + size <= len(self.data) else None


def parse_smbios(data: bytes) -> list[Structure]:
    """The structures in a dump or a bare table, in order. Never raises: what is neither has none, and one that was cut
    off ends with what it had.
    """
    table, old_uuid = _table(data)
    return [
        Structure(int.from_bytes(raw.data[2:4], "little"), raw.data[0], _TITLES[raw.data[0]], _fields(raw, old_uuid))
        for raw in _walk(table)
        if raw.data[0] in _TITLES
    ]


def is_smbios(head: bytes) -> bool:
    """Whether a file that begins so is a dump, or a bare table that starts with sound structures, those of the BIOS or
    the system among the first. Pure; never raises.
    """
    if head.startswith((b"_SM_", b"_SM3_", b"_DMI_")):
        return len(head) > _IN_DUMP
    types: list[int] = []
    for raw in _walk(head):
        types.append(raw.data[0])
        sound = raw.data[0] <= 43 or raw.data[0] >= 126
        if not sound or not all(string.isascii() for string in raw.strings):
            return False
        if len(types) == 4:
            break
    return len(types) == 4 and bool({0, 1} & set(types))


def _table(data: bytes) -> tuple[bytes, bool]:
    """The table, and whether its UUIDs are of before 2.6, when all their bytes were in network order."""
    if data.startswith(b"_SM3_"):
        return data[_IN_DUMP:], False
    if data.startswith(b"_SM_"):
        return data[_IN_DUMP:], tuple(data[6:8]) < (2, 6)
    if data.startswith(b"_DMI_"):
        return data[_IN_DUMP:], True
    return data, False


def _walk(table: bytes) -> Iterator[_Raw]:
    at = 0
    while at + 4 <= len(table):
        kind, length = table[at], table[at + 1]
        end = table.find(b"\0\0", at + length)
        if length < 4 or at + length > len(table) or end < 0:
            return
        yield _Raw(table[at : at + length], table[at + length : end].split(b"\0") if end > at + length else [])
        if kind == _END:
            return
        at = end + 2


def _fields(raw: _Raw, old_uuid: bool) -> dict[str, str | list[str]]:
    kind = raw.data[0]
    found: dict[str, str | None] = {name: raw.string(at) for name, at in _STRINGS.get(kind, {}).items()}
    match kind:
        case 0:
            major, minor = raw.number(0x14, 1), raw.number(0x15, 1)
            found["BIOS Revision"] = f"{major}.{minor}" if major is not None and (major, minor) != (255, 255) else None
        case 1:
            found["UUID"] = _uuid(raw.data[8:24], old_uuid)
        case 3:
            found["Type"] = _or_none(raw.number(0x05, 1))
        case 16:
            found["Use"] = _USES.get(raw.number(0x05, 1) or 0)
        case 17:
            array = raw.number(0x04, 2)
            found |= {
                "Array Handle": f"0x{array:04X}" if array is not None else None,
                "Size": _size(raw),
                "Type": _MEMORY_TYPES.get(raw.number(0x12, 1) or 0),
                "Speed": _speed(raw, 0x15, 0x54),
                "Configured Memory Speed": _speed(raw, 0x20, 0x58),
            }
        case 43:
            major, minor = raw.number(0x08, 1), raw.number(0x09, 1)
            found["Specification Version"] = f"{major}.{minor}" if minor is not None else None
    return {name: text for name, text in found.items() if text is not None}


def _or_none(number: int | None) -> str | None:
    return None if number is None else str(number)


def _uuid(data: bytes, old: bool) -> str | None:
    if len(data) != 16:
        return None
    return str(uuid.UUID(bytes=data) if old else uuid.UUID(bytes_le=data))


def _size(raw: _Raw) -> str | None:
    size, extended = raw.number(0x0C, 2), raw.number(0x1C, 4)
    if size is None:
        return None
    if size == 0x7FFF and extended is not None:
        return f"{extended & 0x7FFFFFFF} MB"
    if size in (0, 0xFFFF):
        return "No Module Installed" if size == 0 else "Unknown"
    return f"{size & 0x7FFF} kB" if size & 0x8000 else f"{size} MB"


def _speed(raw: _Raw, at: int, extended_at: int) -> str | None:
    speed = raw.number(at, 2)
    if speed == 0xFFFF:
        speed = raw.number(extended_at, 4)
    return f"{speed} MT/s" if speed else None
