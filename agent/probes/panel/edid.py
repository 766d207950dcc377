"""EDID, the identification data that a display keeps for the computer. Pure: bytes in, facts and problems out.

Our own decoder, because what a damaged EDID says is what this product exists for: the one kept library (pyedid 1.0.3)
raises on damage, knows no extension blocks and no checksums. ``tests/corpus/test_edid.py`` holds it to ``edid-decode``.

Sources: VESA E-EDID Standard Release A2 (structures 1.3 and 1.4), CTA-861-G, VESA DisplayID 1.3 and 2.0.
"""

from __future__ import annotations

from typing import NamedTuple

from agent.probes.panel.extensions import Extension, read_extension
from agent.probes.panel.timing import Mode, Timing, detailed_timing

BLOCK = 128
HEADER = b"\x00\xff\xff\xff\xff\xff\xff\x00"


class Limits(NamedTuple):
    """What a display says that it can follow: vertical in Hz, horizontal in Hz, pixel clock in Hz (0: not said)."""

    vertical_min: int
    vertical_max: int
    horizontal_min: int
    horizontal_max: int
    pixel_clock_max: int


class Edid(NamedTuple):
    """What the bytes say. ``""``, 0 or ``None`` where they do not; nothing is guessed.

    ``manufacturer`` is the three-letter PNP id; ``serial_number`` the numeric one, ``serial_text`` the one in words.
    ``week`` and ``year`` are those of making, ``model_year`` stands instead of both. Sizes are in mm. ``texts`` are the
    free texts, in which makers of panels often put the panel's type. ``checksums`` has one entry for each whole block.
    ``problems`` names in English all that contradicts the standard so far that the data cannot be trusted.
    """

    version: str = ""
    manufacturer: str = ""
    product: int | None = None
    serial_number: int | None = None
    serial_text: str = ""
    name: str = ""
    texts: tuple[str, ...] = ()
    week: int | None = None
    year: int | None = None
    model_year: int | None = None
    width_mm: float = 0.0
    height_mm: float = 0.0
    digital: bool | None = None
    interface: str = ""
    bits_per_colour: int | None = None
    preferred: Mode | None = None
    limits: Limits | None = None
    header_ok: bool = False
    checksums: tuple[bool, ...] = ()
    extensions_announced: int = 0
    stray_bytes: int = 0
    problems: tuple[str, ...] = ()

    @property
    def extensions_present(self) -> int:
        """Whole blocks after the base block."""
        return max(0, len(self.checksums) - 1)

    @property
    def base_ok(self) -> bool:
        """Whether there is a base block with the right header and checksum."""
        return self.header_ok and self.checksums[:1] == (True,)

    @property
    def whole(self) -> bool:
        """Whether all the extensions announced are there, and nothing is cut off in the middle of a block."""
        return self.stray_bytes == 0 and self.extensions_present >= self.extensions_announced

    @property
    def valid(self) -> bool:
        """Whether nothing is damaged or missing."""
        return self.base_ok and all(self.checksums) and self.whole


def decode(data: bytes) -> Edid:
    """Decode an EDID of any length. Never raises: what is wrong is listed in ``problems``.

    A header with up to two wrong bytes is reported and read past, as the kernel does (``edid_fixup`` of drm_edid.c).
    """
    blocks = [data[at : at + BLOCK] for at in range(0, len(data) - BLOCK + 1, BLOCK)]
    header_ok = data[:8] == HEADER
    checksums = tuple(sum(block) % 256 == 0 for block in blocks)
    stray = len(data) % BLOCK
    if not blocks or not resembles(data):
        problems = tuple(_problems(header_ok, "", checksums, 0, stray))
        return Edid(header_ok=header_ok, checksums=checksums, stray_bytes=stray, problems=problems)
    base = blocks[0]
    version = f"{base[18]}.{base[19]}"
    extensions = [read_extension(block) for block in blocks[1:]]
    # HDMI's override (HF-EEODB) may promise more: who does not know it, as kernels before 5.19, reads none of those
    announced = base[126]
    descriptors = [base[at : at + 18] for at in range(54, 126, 18)]
    everywhere = [*descriptors, *(d for extension in extensions for d in extension.descriptors)]
    first = next((timing for timing in map(detailed_timing, descriptors) if timing), None)
    width_mm, height_mm = _size(base, first, extensions)
    week, year, model_year = _date(base)
    return Edid(
        version=version,
        manufacturer=_manufacturer(base),
        product=base[10] | base[11] << 8,
        serial_number=int.from_bytes(base[12:16], "little") or None,
        serial_text=next(iter(_texts(everywhere, 0xFF)), ""),
        name=" ".join(_texts(everywhere, 0xFC)),
        texts=_texts(everywhere, 0xFE),
        week=week,
        year=year,
        model_year=model_year,
        width_mm=width_mm,
        height_mm=height_mm,
        digital=bool(base[20] & 0x80),
        interface=_interface(base),
        bits_per_colour=_bits_per_colour(base),
        preferred=_preferred(first, extensions),
        limits=_limits(everywhere),
        header_ok=header_ok,
        checksums=checksums,
        extensions_announced=announced,
        stray_bytes=stray,
        problems=tuple(_problems(header_ok, version, checksums, announced, stray)),
    )


def resembles(data: bytes) -> bool:
    """Whether the first eight bytes are an EDID's header, or its ruins: with up to two wrong bytes, as the kernel
    allows (``edid_fixup`` of drm_edid.c), but one of the two zeros, which bytes that were never written do not have.
    """
    right = sum(a == b for a, b in zip(data[:8], HEADER, strict=False))
    return len(data) >= 8 and right >= 6 and 0 in (data[0], data[7])


def _problems(header_ok: bool, version: str, checksums: tuple[bool, ...], announced: int, stray: int) -> list[str]:
    problems = []
    if not checksums:
        problems.append(f"only {stray} of the {BLOCK} bytes of a base block")
    if not header_ok:
        problems.append("wrong header")
    if version and not version.startswith("1."):
        problems.append(f"unknown version {version}")
    wrong = [str(number) for number, ok in enumerate(checksums) if not ok]
    if wrong:
        problems.append(f"wrong checksum in block {', '.join(wrong)}")
    if checksums and len(checksums) - 1 < announced:
        problems.append(f"{announced} extension blocks announced, {len(checksums) - 1} present")
    if checksums and stray:
        problems.append(f"{stray} bytes after the last whole block")
    return problems


def _manufacturer(base: bytes) -> str:
    """Three letters of five bits each, A is 1 (section 3.4.1); ``""`` where one of them is no letter. Microsoft took
    31, the underscore, for itself.
    """
    packed = base[8] << 8 | base[9]
    letters = [packed >> shift & 0x1F for shift in (10, 5, 0)]
    return "".join(chr(64 + n) for n in letters) if all(1 <= n <= 26 or n == 31 for n in letters) else ""


def _date(base: bytes) -> tuple[int | None, int | None, int | None]:
    """Week, year and model year (section 3.4.4). A week is told as it stands, though there are 54 at most."""
    week, year = base[16], base[17] + 1990
    if week == 0xFF:
        return None, None, year
    return week or None, year, None


def _size(base: bytes, first: Timing | None, extensions: list[Extension]) -> tuple[float, float]:
    """The detailed timing's size is exact to the mm, but some makers put an aspect ratio or nothing there: it counts
    where it agrees with the base block's whole cm (a difference below 1 cm on both sides), or, where the base block
    has no size, where no side is below 10 cm (ours: less is an aspect ratio, not a panel).
    """
    width, height = base[21] * 10.0, base[22] * 10.0
    if width and height:
        if first and abs(first.width_mm - width) < 10 and abs(first.height_mm - height) < 10:
            return float(first.width_mm), float(first.height_mm)
        return width, height
    if first and min(first.width_mm, first.height_mm) >= 100:
        return float(first.width_mm), float(first.height_mm)
    return next(((e.width_mm, e.height_mm) for e in extensions if e.width_mm and e.height_mm), (0.0, 0.0))


def _interface(base: bytes) -> str:
    """Bits 3 to 0 of byte 20, from structure 1.4 on (section 3.6.1)."""
    if not base[20] & 0x80 or base[19] < 4:
        return ""
    return {1: "DVI", 2: "HDMI-a", 3: "HDMI-b", 4: "MDDI", 5: "DisplayPort"}.get(base[20] & 0x0F, "")


def _bits_per_colour(base: bytes) -> int | None:
    """Bits 6 to 4 of byte 20, from structure 1.4 on (section 3.6.1)."""
    depth = base[20] >> 4 & 0x07
    return 4 + 2 * depth if base[20] & 0x80 and base[19] >= 4 and 1 <= depth <= 6 else None


def _preferred(first: Timing | None, extensions: list[Extension]) -> Mode | None:
    """The first detailed timing is the preferred one (section 3.10.1); else what the extensions prefer."""
    timing = first or next((e.preferred for e in extensions if e.preferred), None)
    return timing.mode if timing else None


def _texts(descriptors: list[bytes], tag: int) -> tuple[str, ...]:
    """The texts of display descriptors with ``tag``: 13 characters, ended by a line feed (section 3.10.3)."""
    found: list[str] = []
    for descriptor in descriptors:
        if descriptor[:3] == b"\0\0\0" and descriptor[3] == tag:
            raw = descriptor[5:18].split(b"\n")[0]
            text = "".join(chr(c) if 0x20 <= c < 0x7F else "." for c in raw.rstrip(b"\0\r ")).strip()
            if text and text not in found:
                found.append(text)
    return tuple(found)


def _limits(descriptors: list[bytes]) -> Limits | None:
    """Display range limits (section 3.10.3.3). Byte 4 adds 255 to rates that do not fit a byte, from 1.4 on; before
    that it is zero.
    """
    for d in descriptors:
        if d[:4] == b"\0\0\0\xfd":
            above = [255 if d[4] & bit else 0 for bit in (1, 2, 4, 8)]
            return Limits(
                vertical_min=d[5] + above[0],
                vertical_max=d[6] + above[1],
                horizontal_min=(d[7] + above[2]) * 1000,
                horizontal_max=(d[8] + above[3]) * 1000,
                pixel_clock_max=0 if d[9] == 0xFF else d[9] * 10_000_000,
            )
    return None
