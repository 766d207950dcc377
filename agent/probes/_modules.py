"""Memory modules as the firmware describes them (SMBIOS type 17, DMTF DSP0134 section 7.18). Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agent.probes._identity import meaningful, usable_serial
from agent.probes._structure import Structure

_ARRAY, _DEVICE = 16, 17
_UNITS = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_TEMPLATE = re.compile(
    r"((A|Array|Node|Dimm|Module|Bank)[0-9]*_?)*"
    r"(Manufacturer|Part ?Num(ber)?|Ser(ial)? ?Num(ber)?|Asset ?Tag(Num)?)_?[0-9]*|(Empty|Undefined)",
    re.IGNORECASE,
)


class Module(NamedTuple):
    """One fitted module. ``name`` is its locator, with more where locators repeat; texts are ``""`` where the firmware
    does not say. ``size`` is in bytes, ``None`` where unknown; the speeds are in transfers per second.
    """

    name: str
    location: str
    size: int | None
    type: str
    rated_speed: int | None
    speed: int | None
    manufacturer: str
    part_number: str
    serial: str


def slots(structures: Sequence[Structure]) -> list[Structure]:
    """The memory devices, fitted or not, of arrays that are used as system memory (or whose use is not told)."""
    other = {s.handle for s in structures if s.type == _ARRAY and s.text("Use") not in ("", "System Memory")}
    return [s for s in structures if s.type == _DEVICE and _handle(s.text("Array Handle")) not in other]


def modules(structures: Sequence[Structure]) -> Iterator[Module]:
    """The fitted ones among :func:`slots`, in the firmware's order."""
    devices = slots(structures)
    locators = Counter(d.text("Locator") for d in devices)
    both = Counter((d.text("Bank Locator"), d.text("Locator")) for d in devices)
    for device in devices:
        if not _fitted(device):
            continue
        locator, bank = device.text("Locator"), device.text("Bank Locator")
        name = meaningful(locator)
        if locators[locator] > 1 or not name:
            name = f"{meaningful(bank)} {name}".strip()
            if both[bank, locator] > 1 or not name:
                name = f"{name or 'module'} ({device.handle:04X})"
        yield Module(
            name=name,
            location=meaningful(bank),
            size=_size(device.text("Size")),
            type=meaningful(device.text("Type")),
            rated_speed=_speed(device.text("Speed")),
            speed=_speed(device.text("Configured Memory Speed") or device.text("Configured Clock Speed")),
            manufacturer=_stated(device.text("Manufacturer")),
            part_number=usable_serial(_stated(device.text("Part Number"))) or "",
            serial=usable_serial(_stated(device.text("Serial Number")).removeprefix("0x")) or "",
        )


def _fitted(device: Structure) -> bool:
    size = device.text("Size")
    return bool(size) and size != "No Module Installed" and _size(size) != 0


def _size(text: str) -> int | None:
    found = re.fullmatch(r"([0-9]{1,9}) (kB|MB|GB|TB)", text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def _speed(text: str) -> int | None:
    """dmidecode before 3.0 wrote MHz for what SMBIOS gives as megatransfers per second."""
    found = re.match(r"([0-9]{1,6}) (MT/s|MHz)\b", text)
    return int(found[1]) * 1_000_000 if found and int(found[1]) else None


def _stated(text: str) -> str:
    """A text that somebody wrote; some firmware gives the SPD's bytes in hexadecimal instead of the text."""
    if re.fullmatch(r"0x([0-9A-Fa-f]{2}){8,32}", text):
        decoded = bytes.fromhex(text[2:]).rstrip(b"\0 \xff")
        if all(0x20 <= byte < 0x7F for byte in decoded):
            text = decoded.decode("ascii").strip()
    if len(set(text.removeprefix("0x"))) < 2 or _TEMPLATE.fullmatch(text):
        return ""
    return meaningful(text)


def _handle(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None
