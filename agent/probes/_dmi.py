"""The text that ``dmidecode`` prints, as structures.

For probes that need what sysfs does not export (memory modules, slots). Source of the layout: dmidecode(8) and
``dmidecode.c``; of types and fields: SMBIOS (DMTF DSP0134), section 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_HANDLE = re.compile(r"\s*Handle (0x[0-9A-Fa-f]{1,8})(?:, DMI type ([0-9]{1,3}), [0-9]+ bytes\.?)?\s*")
_TYPE = re.compile(r"\s*DMI type ([0-9]{1,3}), [0-9]+ bytes\.?\s*")


class Structure(NamedTuple):
    """One SMBIOS structure.

    ``type`` is its number (16 physical memory array, 17 memory device, ...), ``title`` dmidecode's name for it. A field
    with lines below it (``Characteristics``) is the list of these lines, every other one the text as printed, without
    surrounding white space: placeholders such as ``Not Specified`` stay.
    """

    handle: int
    type: int
    title: str
    fields: Mapping[str, str | list[str]]

    def text(self, name: str) -> str:
        """The field's text; ``""`` when the structure has no such field or it is a list."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else ""

    def lines(self, name: str) -> list[str]:
        """The field's lines; empty when the structure has no such field or it is a text."""
        value = self.fields.get(name, [])
        return value if isinstance(value, list) else []


def parse_dmidecode(text: str) -> list[Structure]:
    """The structures of dmidecode's output, in order; of versions from 2.6, which indents more, to 3.6.

    Never raises: text that is no dmidecode output has no structures, one that was cut off ends with what it had.
    """
    found: list[Structure] = []
    block: list[str] = []
    for line in [*text.splitlines(), "Handle 0x0"]:
        if _HANDLE.fullmatch(line):
            found.extend(_structure(block))
            block = []
        block.append(line)
    return found


def _structure(block: list[str]) -> Iterable[Structure]:
    head = _HANDLE.fullmatch(block[0]) if block else None
    if head is None:
        return
    body = [line for line in block[1:] if line.strip()]
    number = head[2]
    if number is None and body and (apart := _TYPE.fullmatch(body[0])):
        number, body = apart[1], body[1:]
    if number is None:
        return
    title = body[0].strip() if body else ""
    yield Structure(int(head[1], 16), int(number), title, _fields(body[1:]))


def _fields(body: list[str]) -> dict[str, str | list[str]]:
    """The lines below the title: those at the first one's depth are fields, deeper ones belong to the field above and
    are its value. Of a name that comes again the first stays.
    """
    fields: dict[str, str | list[str]] = {}
    depth = _depth(body[0]) if body else 0
    for name, value, below in _grouped(body, depth):
        fields.setdefault(name, below or value)
    return fields


def _grouped(body: list[str], depth: int) -> list[tuple[str, str, list[str]]]:
    groups: list[tuple[str, str, list[str]]] = []
    for line in body:
        if _depth(line) > depth:
            if groups:
                groups[-1][2].append(line.strip())
        elif _depth(line) == depth:
            name, _, value = line.strip().partition(":")
            groups.append((name, value.strip(), []))
        else:
            break
    return groups


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
