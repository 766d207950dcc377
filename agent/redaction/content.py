"""What bytes are: a text that can be looked into, a picture, or something else."""

from __future__ import annotations

import re
from enum import StrEnum

_ODD_MOST = 0.1
"""Share of control characters and invalid bytes above which something is no text; ours: a log with some bytes that a
faulty memory made is one, a compressed file (a third and more) is none.
"""
_WIDE_LEAST = 0.3
"""Share of zero bytes, all at even or all at odd places, from which on a text is one of UTF-16; ours: half of it in
Western languages.
"""
_ODD = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f\udc80-\udcff]")
_FREE = re.compile(rb"\0{16,}")  # blocks of a file that were allocated and never written


class Content(StrEnum):
    """Kinds of bytes; the values of texts are their encodings."""

    TEXT = "utf-8"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"
    JPEG = "jpeg"
    PNG = "png"
    OTHER = "other"


def content_of(data: bytes) -> Content:
    """What ``data`` is, by what is in it."""
    if data.startswith(b"\xff\xd8\xff"):
        return Content.JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Content.PNG
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) and len(data) % 2 == 0:
        return Content.UTF_16_LE if data[0] == 0xFF else Content.UTF_16_BE
    zeros = data.count(0)
    if zeros and len(data) % 2 == 0 and zeros >= _WIDE_LEAST * len(data):
        low, high = data[0::2].count(0), data[1::2].count(0)
        if (not low or not high) and _is_text(data.decode("utf-16-le" if high else "utf-16-be", "replace")):
            return Content.UTF_16_LE if high else Content.UTF_16_BE
    written = _FREE.sub(b"", data) if zeros else data
    text = written.decode("utf-8", "surrogateescape")
    few_zeros = not zeros or written.count(0) <= _ODD_MOST * len(written)
    return Content.TEXT if few_zeros and _is_text(text) else Content.OTHER


def _is_text(text: str) -> bool:
    return len(_ODD.findall(text)) + text.count("\ufffd") <= _ODD_MOST * len(text)


def is_of_hardware(path: str) -> bool:
    """Whether a file's bytes are those of the hardware or its firmware: all that the kernel shows in sysfs (EDID, pages
    of drives, tables and variables of the firmware), but for what it kept of an earlier session.
    """
    return path.startswith("/sys/") and not path.startswith("/sys/fs/")
