"""Video timings as EDID and DisplayID write them down."""

from __future__ import annotations

from typing import NamedTuple


class Mode(NamedTuple):
    """Pixels across and down, and pictures (interlaced: fields) per second in Hz."""

    width: int
    height: int
    refresh: float
    interlaced: bool = False


class Timing(NamedTuple):
    """A mode, and the size in mm of its picture on the screen (0 where the timing does not say)."""

    mode: Mode
    width_mm: int = 0
    height_mm: int = 0


def detailed_timing(descriptor: bytes) -> Timing | None:
    """An 18-byte detailed timing descriptor; ``None`` when it is none or makes no picture.

    Source: VESA E-EDID A2, section 3.10.2: pixel clock in 10 kHz, active and blanking in 12 bits each, picture size in
    mm. The lines of an interlaced timing are those of one field, and a field is half a line longer.
    """
    if len(descriptor) != 18 or descriptor == b"\x01" * 18:  # old tubes fill unused descriptors with 1
        return None
    x = descriptor
    clock_hz = (x[0] | x[1] << 8) * 10_000
    active_x = x[2] | (x[4] & 0xF0) << 4
    blank_x = x[3] | (x[4] & 0x0F) << 8
    active_y = x[5] | (x[7] & 0xF0) << 4
    blank_y = x[6] | (x[7] & 0x0F) << 8
    mode = _mode(clock_hz, active_x, blank_x, active_y, blank_y, interlaced=bool(x[17] & 0x80))
    if mode is None:
        return None
    return Timing(mode, x[12] | (x[14] & 0xF0) << 4, x[13] | (x[14] & 0x0F) << 8)


def displayid_timing(descriptor: bytes, clock_unit_hz: int) -> Timing | None:
    """A 20-byte DisplayID timing of type I (clock unit 10 kHz) or VII (1 kHz); ``None`` when it makes no picture.

    Source: VESA DisplayID 1.3 section 4.4.1, 2.0 section 4.3: every number is stored less one, little endian.
    """
    if len(descriptor) != 20:
        return None

    def number(at: int) -> int:
        return int.from_bytes(descriptor[at : at + 2], "little") + 1

    clock_hz = (int.from_bytes(descriptor[0:3], "little") + 1) * clock_unit_hz
    interlaced = bool(descriptor[3] & 0x10)
    mode = _mode(clock_hz, number(4), number(6), number(12), number(14), interlaced=interlaced)
    return Timing(mode) if mode else None


def _mode(clock_hz: int, active_x: int, blank_x: int, active_y: int, blank_y: int, *, interlaced: bool) -> Mode | None:
    if not (clock_hz and active_x and active_y):
        return None
    lines = active_y + blank_y + (0.5 if interlaced else 0.0)
    refresh = clock_hz / ((active_x + blank_x) * lines)
    return Mode(active_x, active_y * 2 if interlaced else active_y, refresh, interlaced)
