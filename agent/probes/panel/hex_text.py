"""EDIDs in texts: the ways in which people's programs print the bytes. Pure, and for texts of any origin.

``edid-decode``, ``xrandr --verbose``, Xorg's log, plain digits with or without spaces, ``xxd``, ``hexdump``, ``od``,
``i2cdump``, C arrays, exports of the Windows registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agent.probes.panel.edid import HEADER, resembles

_XORG = re.compile(r"^(?:\[ *[0-9.]+\] )?\(II\) [\w-]+\([^)]{1,16}\):")
_OUTPUT = re.compile(r"([A-Za-z][\w-]{0,31}) (?:connected|disconnected)\b")
_LABEL = re.compile(r"[^=:]{0,40}\bedid\w*\b[^=:]{0,20}[:=][\s:=]*(?:hex:)?", re.IGNORECASE)
_OFFSET = re.compile(r"(?:0x)?(?:([0-9A-Fa-f]{2,8}):|([0-9A-Fa-f]{6,8}))(?:\s+(?=[0-9A-Fa-fX]{2})|$)")
_COLUMNS = re.compile(r"(?:(?:[0-9A-Fa-f]{2}){1,2}(?:[ \t]{1,2}|-|$)){1,16}")
_ACROSS = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2}){128,}(?![0-9A-Za-z])")
_WORDS = bytes(HEADER[at ^ 1] for at in range(8))
"""What hexdump makes of a header: words whose bytes are swapped."""
_LINE = 16
_BETWEEN = str.maketrans("", "", ":,;{}\\-'\"")
"""What stands between the bytes, beside ``0x`` and white space: to be taken out."""
_DIGITS = {16: set("0123456789abcdefABCDEF"), 8: set("01234567")}
_MOST = 1024
"""Bytes that a dump may leave out as alike; ours, eight blocks."""


class Found(NamedTuple):
    """The bytes of one dump, and the name of the video output above it (``eDP-1``), ``""`` where none is named."""

    output: str
    data: bytes


def from_hex(text: str) -> bytes:
    """The first EDID of a text; where none has a header, the longest dump, as its header may be what is damaged. Empty
    when there is none.
    """
    longest = b""
    for found in _dumps(text):
        if resembles(found.data):
            return found.data
        longest = max(longest, found.data, key=len)
    return longest


def has_edid(text: str) -> bool:
    """Whether a text has an EDID; it is read no further than to the end of the first."""
    return any(resembles(found.data) for found in _dumps(text))


def edids(text: str) -> list[Found]:
    """The EDIDs of a text, in order; of several with one name, or without any, the first: programs print the same bytes
    again in other ways.
    """
    named: dict[str, Found] = {}
    for found in _dumps(text):
        if resembles(found.data):
            named.setdefault(found.output, found)
    return list(named.values())


def _dumps(text: str) -> Iterator[Found]:
    output = ""
    run = bytearray()
    squeezed = False
    base = 16
    for line in (_XORG.sub("", raw).strip() for raw in [*text.removeprefix("\ufeff").splitlines(), "end"]):
        if line == "*" and run:  # as hexdump and od write for lines that are like the one before
            squeezed = True
            continue
        label = _LABEL.match(line) if "edid" in line.lower() else None
        rest = line[label.end() :].strip() if label else line
        offset = _OFFSET.match(rest)
        if squeezed:
            run += _repeated(offset, run, base)
            squeezed = False
        base = _base(offset, len(run)) or base
        data = _bytes(rest, offset, len(run))
        if (label or (data is None and rest)) and run:
            yield Found(output, _in_order(bytes(run)))
            run.clear()
            data = _bytes(rest, offset, 0)
        run += data or b""
        if data is None and (named := _OUTPUT.match(line)):
            output = named[1]


def _base(offset: re.Match[str] | None, position: int) -> int | None:
    """The base of an offset, which od writes in octal; ``None`` where none fits."""
    if offset is None:
        return None
    digits = offset[1] or offset[2]
    fitting = [base for base in (16, 8) if set(digits) <= _DIGITS[base] and int(digits, base) == position]
    return fitting[0] if fitting else None


def _repeated(offset: re.Match[str] | None, run: bytearray, base: int) -> bytes:
    """What was left out before a line with a later offset."""
    digits = (offset[1] or offset[2]) if offset else "x"
    start = int(digits, base) if set(digits) <= _DIGITS[base] else 0
    missing = min(start - len(run), _MOST)
    return (bytes(run[-_LINE:]) * (missing // _LINE + 1))[:missing] if missing > 0 else b""


def _in_order(data: bytes) -> bytes:
    if not data.startswith(_WORDS):
        return data
    return b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))


def _bytes(line: str, offset: re.Match[str] | None, position: int) -> bytes | None:
    """The bytes in a line; ``None`` where it has anything else. ``position`` is how many came before it, by which what
    looks like an ``offset`` at its start is told from bytes.
    """
    if offset and _base(offset, position):
        columns = _COLUMNS.match(line, offset.end())
        if columns is None:  # an offset alone ends a dump
            return None
        return bytes.fromhex(re.sub(r"[\s-]", "", columns[0]))[:_LINE]
    compact = "".join(line.replace("0x", "").split()).translate(_BETWEEN)
    if compact and len(compact) % 2 == 0 and not compact.strip("0123456789abcdefABCDEF"):
        return bytes.fromhex(compact)
    across = _ACROSS.search(line)
    return bytes.fromhex(across[0]) if across else None
