"""Text files as strangers send them: with a byte order mark, in UTF-16 where Windows wrote them, quoted in a mail."""

from __future__ import annotations

import codecs
import re

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_QUOTE = re.compile(r"^(?:[ \t]{0,3}>)+ ?", re.MULTILINE)


def plain_text(data: bytes) -> str:
    """The text without its byte order mark and the ``>`` of a mail that quotes it, lines ended as they were. Never
    raises: what is not of its encoding (UTF-8 where no mark tells another) is replaced.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _unquoted(data[len(mark) :].decode(encoding, "replace"))
    return _unquoted(data.decode("utf-8", "replace"))


def _unquoted(text: str) -> str:
    """Only a text whose first line is quoted is a quotation: elsewhere ``>`` may stand for itself."""
    return _QUOTE.sub("", text) if _QUOTE.match(text.lstrip("\r\n")) else text
