"""Pictures without what cameras and programs write beside them: EXIF (place, time, serial number of a telephone), XMP,
comments, thumbnails, and whatever follows the picture. The picture itself stays, to the byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from agent.redaction.content import Content, content_of


class NoImage(ValueError):
    """Not a picture that can be taken apart."""


def without_metadata(data: bytes) -> bytes:
    """A JPEG or PNG without metadata. Raises :class:`NoImage` for anything else, or a broken one."""
    content = content_of(data)
    try:
        if content is Content.JPEG:
            return b"".join(_jpeg(data))
        if content is Content.PNG:
            return b"".join(_png(data))
    except (struct.error, IndexError) as e:
        raise NoImage("cut off") from e
    raise NoImage("neither JPEG nor PNG")


_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_RESTARTS = range(0xD0, 0xD8)
_KEPT_MARKERS = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xEE} - {0xC8})
"""Frames, tables, scans (ITU-T T.81, table B.1), and Adobe's transformation of colours (APP14), without which they are
wrong.
"""


def _jpeg(data: bytes) -> Iterator[bytes]:
    """The segments that make the picture. Source: ITU-T T.81, annex B."""
    yield data[:2]
    at = 2
    while True:
        if data[at] != 0xFF:
            raise NoImage("no marker")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == _EOI:
            yield b"\xff\xd9"
            return
        (length,) = struct.unpack_from(">H", data, at)
        end = at + length
        if length < 2 or end > len(data):
            raise NoImage("cut off")
        if marker in _KEPT_MARKERS:
            yield bytes((0xFF, marker)) + data[at:end]
        if marker == _SOS:
            scan = _end_of_scan(data, end)
            yield data[end:scan]
            end = scan
        at = end


def _end_of_scan(data: bytes, at: int) -> int:
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise NoImage("cut off")
        following = data[at + 1]
        if following != 0 and following not in _RESTARTS:
            return at
        at += 2


_KEPT_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"}


def _png(data: bytes) -> Iterator[bytes]:
    """The chunks that make the picture. Source: W3C Portable Network Graphics, section 5."""
    yield data[:8]
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise NoImage("cut off")
        if kind in _KEPT_CHUNKS or kind == b"IEND":
            yield data[at:end]
        if kind == b"IEND":
            return
        at = end
