"""Numbers as smartctl prints them for people."""

from __future__ import annotations

import re

_GROUPED = re.compile(r"\s*(0x[0-9a-fA-F]{1,16}|[0-9](?:[0-9.,'\u2019\u00a0\u202f\ufffd ]*[0-9])?)")


def number(text: str) -> int | None:
    """The number that ``text`` begins with: hexadecimal after ``0x``, else decimal with its groups of digits parted by
    whatever a locale parts them (a comma, a point, a blank, or what became of an unbreakable one); ``None`` when it
    begins with none. Fractions are no numbers here: they would be taken for groups.
    """
    match = _GROUPED.match(text)
    if match is None:
        return None
    if match[1].startswith("0x"):
        return int(match[1], 16)
    digits = re.sub(r"[^0-9]", "", match[1])
    return int(digits[:60])


def percent_in(text: str) -> int | None:
    """The number before a ``%``."""
    match = re.match(r"\s*([0-9]{1,3}) ?%", text)
    return int(match[1]) if match else None


def celsius_in(text: str) -> int | None:
    """The whole number that ``text`` begins with, which may be below zero."""
    match = re.match(r"\s*(-?[0-9]{1,3})\b", text)
    return int(match[1]) if match else None
