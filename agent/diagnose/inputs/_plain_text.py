"""Text files as strangers send them: with a byte order mark, in UTF-16 where Windows wrote them, quoted in a mail,
copied from a web page or recorded in a terminal.
"""

from __future__ import annotations

import binascii
import codecs
import re

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_QUOTE = re.compile(r"^(?:[ \t]{0,3}>)+ ?", re.MULTILINE)
_ENCODED = re.compile(rb"^Content-Transfer-Encoding:[ \t]*quoted-printable", re.MULTILINE | re.IGNORECASE)
"""What a mail says that is stored as it was sent (RFC 2045, 6.7): its lines are broken, and ``=`` is ``=3D``."""
_CONTROL = re.compile(r"\x1b(?:\[[0-?]{0,32}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|[()][0-9A-B]|[=>])")
"""Control sequences of a terminal: colours and titles that script(1) records (ECMA-48, 5.4; xterm's OSC)."""


def plain_text(data: bytes) -> str:
    """The text without its byte order mark, the encoding of a mail and the ``>`` of one that quotes it, the colours of
    a terminal, blanks as plain ones, lines ended as they were. Never raises: what is not of its encoding (UTF-8 where
    no mark tells another) is replaced.
    """
    data = utf_8(data)
    if _ENCODED.search(data):
        data = binascii.a2b_qp(data)
    text = data.decode("utf-8", "replace").replace("\u00a0", " ")  # web pages keep columns apart so
    return _unquoted(_CONTROL.sub("", text) if "\x1b" in text else text)


def utf_8(data: bytes) -> bytes:
    """``data`` as UTF-8 without a byte order mark, from UTF-8 or, where its mark says so, UTF-16 (PowerShell's ``>``).
    What is neither stays as it is, byte for byte; half a character at a cut end is replaced.
    """
    if data.startswith(_UTF_16):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data.removeprefix(codecs.BOM_UTF8)


def _unquoted(text: str) -> str:
    """Only a text whose first line is quoted is a quotation: elsewhere ``>`` may stand for itself."""
    return _QUOTE.sub("", text) if _QUOTE.match(text.lstrip("\r\n")) else text
