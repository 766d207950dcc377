"""The firmware's tables as structures: from the text that ``dmidecode`` prints, or from their bytes.

For probes that need what sysfs does not export (memory modules, slots), and for tables that were captured elsewhere.
Source of the layout: dmidecode(8) and ``dmidecode.c``; of types and fields: SMBIOS (DMTF DSP0134), section 7.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

from agent.model import Evidence
from agent.probes._smbios import parse_smbios
from agent.probes._structure import Structure

TABLES = ("dmidecode", "dmidecode-text", "smbios")
"""The kinds of evidence that hold the firmware's tables: text of dmidecode, and bytes."""

_HANDLE = re.compile(r"\s*Handle (0x[0-9A-Fa-f]{1,8})(?:, DMI type ([0-9]{1,3}), [0-9]+ bytes\.?)?\s*")
_TYPE = re.compile(r"\s*DMI type ([0-9]{1,3}), [0-9]+ bytes\.?\s*")
_TITLES = {
    "BIOS Information": 0,
    "System Information": 1,
    "Base Board Information": 2,
    "Chassis Information": 3,
    "Processor Information": 4,
    "System Slot Information": 9,
    "Physical Memory Array": 16,
    "Memory Device": 17,
    "TPM Device": 43,
}
"""Titles of ``dmidecode -q``, which leaves out handles and types, of the structures that somebody here reads."""


def tables(evidence: Evidence) -> Sequence[Structure]:
    """The structures in evidence of one of :data:`TABLES`, in order; none in any other. Never raises."""
    if evidence.kind == "smbios":
        return parse_smbios(evidence.data)
    return parse_dmidecode(evidence.text()) if evidence.kind in TABLES else ()


@functools.lru_cache(maxsize=1)  # of a captured text several probes ask for the same
def parse_dmidecode(text: str) -> tuple[Structure, ...]:
    """The structures of dmidecode's output, in order; of versions from 2.0, which indents more, to 3.6, and of
    ``dmidecode -q``, whose structures are numbered here in place of their handles.

    Never raises: text that is no dmidecode output has no structures, one that was cut off ends with what it had.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    if not any(_HANDLE.fullmatch(line) for line in lines):
        return tuple(_quiet(lines))
    found: list[Structure] = []
    block: list[str] = []
    for line in [*lines, "Handle 0x0"]:
        if _HANDLE.fullmatch(line):
            found.extend(_structure(block))
            block = []
        block.append(line)
    return tuple(found)


def _quiet(lines: list[str]) -> list[Structure]:
    """Without handles a title is what stands at the margin, and its fields are the indented lines below it."""
    found: list[Structure] = []
    block: list[str] = []
    for line in [*lines, "end"]:
        if not line[:1].isspace() and line:
            title = block[0].strip() if block else ""
            if title in _TITLES and len(block) > 1:
                found.append(Structure(len(found), _TITLES[title], title, _fields(block[1:])))
            block = []
        if line.strip():
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
        below = _depth(line) - depth
        if below > 0:
            if groups:
                groups[-1][2].append(line.strip())
        elif below == 0:
            name, _, value = line.strip().partition(":")
            groups.append((name, value.strip(), []))
        else:
            break
    return groups


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
