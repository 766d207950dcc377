"""Real captures as hardware: DMI and EDID of all-in-ones, from the ``corpora`` beside this checkout."""

from __future__ import annotations

import os
from pathlib import Path

from agent.probes._dmi import parse_dmidecode

ROOT = Path(__file__).resolve().parents[2]

_FIELDS = {
    0: ("bios", {"vendor": "Vendor", "version": "Version", "date": "Release Date"}),
    1: (
        "system",
        {
            "manufacturer": "Manufacturer",
            "product": "Product Name",
            "version": "Version",
            "serial": "Serial Number",
            "uuid": "UUID",
            "sku": "SKU Number",
            "family": "Family",
        },
    ),
    2: (
        "board",
        {"manufacturer": "Manufacturer", "product": "Product Name", "version": "Version", "serial": "Serial Number"},
    ),
    3: ("chassis", {"manufacturer": "Manufacturer", "version": "Version", "serial": "Serial Number"}),
    4: ("processor", {"manufacturer": "Manufacturer", "version": "Version"}),
}
"""SMBIOS structure type -> the table of a personality, and its keys with dmidecode's names for them."""
_MASKED = {"--", "Not Specified"}
"""What stands for a text that was taken out, or was never there."""


class NotHere(LookupError):
    """The captures, or the one that is wanted, are not there; the text is one line."""


def dmi(name: str) -> dict[str, dict[str, str]]:
    """The tables of a personality's ``identity`` in ``corpora/dmi/NAME.txt`` (text of dmidecode).

    A serial number that was masked there is left out: who wants one gives it in the personality.
    """
    found: dict[str, dict[str, str]] = {}
    for structure in parse_dmidecode(_path(f"dmi/{name}.txt").read_text("utf-8", "replace")):
        table, fields = _FIELDS.get(structure.type, ("", {}))
        if table and table not in found:
            texts = {key: structure.text(spelling) for key, spelling in fields.items()}
            found[table] = {key: text for key, text in texts.items() if text and text not in _MASKED}
    return found


def edid(name: str) -> Path:
    """The bytes of a panel: ``corpora/edid/NAME.bin``."""
    return _path(f"edid/{name}.bin")


def _path(name: str) -> Path:
    path = Path(os.environ.get("AIODIAG_SHARED", ROOT.parent / "shared")) / "corpora" / name
    if not path.is_file():
        raise NotHere(f"no capture at {path}; AIODIAG_SHARED names the folder that has corpora/")
    return path
