"""Making text from strangers harmless to look at.

HTML is escaped by the templates. What is left are characters that change what a person sees without being seen:
control characters (ANSI escapes among them), marks that turn the direction of text around, zero-width ones, lone
surrogates (which no UTF-8 page can hold); and strings of megabytes.
"""

from __future__ import annotations

import unicodedata

CAP = 2000
"""Characters of one value that a page shows. Ours."""

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(value: object, cap: int = CAP) -> str:
    """``value`` as text: hidden characters as symbols (``␛``) or ``\\u202e``, cut after ``cap`` characters with its
    length said. Never raises.
    """
    try:
        text = value if isinstance(value, str) else str(value)
    except (ValueError, RecursionError):
        return "…"
    shown = "".join(_shown(c) for c in text[:cap])
    return shown if len(text) <= cap else f"{shown}… ({len(text)} characters)"


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if unicodedata.category(character) in _HIDDEN:
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return character
