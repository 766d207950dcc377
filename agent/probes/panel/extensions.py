"""The extension blocks of an EDID, as far as they can complete a base block that says too little."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from agent.probes.panel.timing import Mode, Timing, detailed_timing, displayid_timing

CTA_861 = 0x02
DISPLAYID = 0x70


class Extension(NamedTuple):
    """What one extension block adds. Sizes are in mm, 0 where it does not say."""

    preferred: Timing | None = None
    width_mm: float = 0.0
    height_mm: float = 0.0
    descriptors: tuple[bytes, ...] = ()
    """18-byte descriptors like those of the base block: some displays keep their serial number here."""


def read_extension(block: bytes) -> Extension:
    """A 128-byte extension block; one that adds nothing when it is of an unknown kind or makes no sense."""
    if block[:1] == bytes([CTA_861]):
        return _cta(block)
    if block[:1] == bytes([DISPLAYID]):
        return _displayid(block)
    return Extension()


def _cta(block: bytes) -> Extension:
    """Source: CTA-861-G section 7.5: byte 2 says where detailed timings start; data blocks lie from byte 4 to there."""
    timings_at = block[2]
    videos: list[int] = []
    at = 4
    while at < min(timings_at, 127):
        kind, length = block[at] >> 5, block[at] & 0x1F
        payload = block[at + 1 : min(at + 1 + length, timings_at)]
        if kind == 2:
            videos.extend(payload)
        at += 1 + length
    descriptors: tuple[bytes, ...] = ()
    if timings_at >= 4:
        descriptors = tuple(block[at : at + 18] for at in range(timings_at, 110, 18))
    detailed = (timing for timing in map(detailed_timing, descriptors) if timing)
    short = (Timing(mode) for mode in map(_video_mode, videos) if mode)
    preferred = next(chain(detailed, short), None)
    return Extension(preferred=preferred, descriptors=descriptors)


def _video_mode(svd: int) -> Mode | None:
    """The mode of a short video descriptor. Codes 1 to 64 may carry a "native" flag in bit 7 (CTA-861-G table 59)."""
    code = svd & 0x7F if 129 <= svd <= 192 else svd
    return _VIDEO_MODES.get(code)


_VIDEO_MODES = {
    4: Mode(1280, 720, 60.0),
    16: Mode(1920, 1080, 60.0),
    19: Mode(1280, 720, 50.0),
    31: Mode(1920, 1080, 50.0),
    63: Mode(1920, 1080, 120.0),
    90: Mode(2560, 1080, 60.0),
    95: Mode(3840, 2160, 30.0),
    96: Mode(3840, 2160, 50.0),
    97: Mode(3840, 2160, 60.0),
    102: Mode(4096, 2160, 60.0),
}
"""Those of CTA-861-G table 3 that a built-in panel may prefer; televisions have a detailed timing for the others."""


def _displayid(block: bytes) -> Extension:
    """Source: VESA DisplayID 1.3 section 4 (display parameters 0x01, timings 0x03), 2.0 section 4 (0x21, 0x22)."""
    timings: list[tuple[bool, Timing]] = []
    width_mm = height_mm = 0.0
    for tag, revision, payload in _displayid_blocks(block):
        if tag in {0x01, 0x21} and len(payload) >= 4:
            unit_mm = 1.0 if tag == 0x21 and revision & 0x80 else 0.1
            width_mm = int.from_bytes(payload[0:2], "little") * unit_mm
            height_mm = int.from_bytes(payload[2:4], "little") * unit_mm
        elif tag in {0x03, 0x22}:
            unit_hz = 10_000 if tag == 0x03 else 1_000
            for at in range(0, len(payload) - 19, 20):
                timing = displayid_timing(payload[at : at + 20], unit_hz)
                if timing:
                    timings.append((bool(payload[at + 3] & 0x80), timing))
    flagged = [timing for preferred, timing in timings if preferred]
    first = next(iter(flagged or [timing for _, timing in timings]), None)
    return Extension(preferred=first, width_mm=width_mm, height_mm=height_mm)


def _displayid_blocks(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Tag, revision and payload of each data block in a DisplayID section."""
    at, end = 5, min(5 + block[2], 126)
    while at + 3 <= end:
        tag, revision, length = block[at : at + 3]
        if at + 3 + length > end or (tag, length) == (0, 0):
            return
        yield tag, revision, block[at + 3 : at + 3 + length]
        at += 3 + length
