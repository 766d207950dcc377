"""Text files as people send them: UTF-8, or what Windows makes of redirected output."""

from __future__ import annotations

import codecs

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def utf_8(data: bytes) -> bytes:
    """``data`` as UTF-8 without a byte order mark, from UTF-8 or, where its mark says so, UTF-16 (PowerShell's ``>``).
    What is neither stays as it is, byte for byte; half a character at a cut end is replaced.
    """
    if data.startswith(_UTF_16):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data.removeprefix(codecs.BOM_UTF8)
