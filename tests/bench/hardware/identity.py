"""Who the unit says it is: the SMBIOS tables."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from tests.bench.hardware.part import Part

ALL_IN_ONE = 13
"""Chassis type of SMBIOS 3.7, table 17."""

_TABLES = {0: "bios", 1: "system", 2: "board", 4: "processor", 17: "memory"}


class Identity(Part):
    """SMBIOS structures 0 to 4 and 17, from tables ``bios``, ``system``, ``board``, ``chassis``, ``processor`` and
    ``memory`` whose keys are those of QEMU's ``-smbios``. What a table does not give, QEMU fills with its own name.
    ``modules`` is a list of memory modules (:func:`module_structure`) in place of the one that ``memory`` describes.
    """

    name = "identity"

    @property
    def serial(self) -> str:
        """What the firmware gives as the unit's serial number, usable or not."""
        return str(self.table.get("system", {}).get("serial", ""))

    @property
    def label(self) -> str:
        """The serial number that a person reads on the label, where ``label`` in the table gives another one."""
        return str(self.table.get("label", self.serial))

    @property
    def model(self) -> str:
        """The product's name."""
        return str(self.table.get("system", {}).get("product", ""))

    def arguments(self) -> list[str]:
        """One ``-smbios`` for each structure."""
        found = []
        for number, name in _TABLES.items():
            fields = self.table.get(name)
            if fields and not (name == "memory" and "modules" in self.table):
                words = ",".join(f"{key}={str(value).replace(',', ',,')}" for key, value in fields.items())
                found += ["-smbios", f"type={number},{words}"]
        chassis = self.folder / "chassis.bin"
        chassis.write_bytes(chassis_structure(self.table.get("chassis", {})))
        found += ["-smbios", f"file={chassis}"]
        for number, fields in enumerate(self.table.get("modules", [])):
            module = self.folder / f"module{number}.bin"
            module.write_bytes(module_structure(number, fields))
            found += ["-smbios", f"file={module}"]
        return found


def chassis_structure(fields: dict[str, str]) -> bytes:
    """SMBIOS structure type 3 of an all-in-one (SMBIOS 3.7, 7.4), which QEMU cannot make with another type than 1."""
    strings, (maker, version, serial, asset, sku) = _texts(fields, "manufacturer", "version", "serial", "asset", "sku")
    states = (3, 3, 3, 2)  # boot-up, power supply, thermal: safe; security: unknown
    formatted = struct.pack(
        "<BBH5B4BIBBBBB", 3, 22, 0x300, maker, ALL_IN_ONE, version, serial, asset, *states, 0, 0, 1, 0, 0, sku
    )
    return formatted + (strings or b"\0") + b"\0"


def module_structure(number: int, fields: Mapping[str, Any]) -> bytes:
    """SMBIOS structure type 17 (SMBIOS 3.7, 7.18): a DDR4 module of ``mib`` with ``speed`` in MT/s in a SODIMM socket,
    and the texts ``locator``, ``bank``, ``manufacturer``, ``serial`` and ``part``. QEMU makes one for each 16 GiB only.
    """
    strings, (locator, bank, maker, serial, part) = _texts(fields, "locator", "bank", "manufacturer", "serial", "part")
    size, speed = int(fields["mib"]), int(fields["speed"])
    where, error_unknown = 0x1000, 0xFFFE  # QEMU's own array of modules
    sodimm, ddr4, synchronous = 0x0D, 0x1A, 0x80
    formatted = struct.pack(
        "<BBH5H4BBHH4BBIH3H",
        *(17, 40, 0x1100 + number, where, error_unknown, 64, 64, size, sodimm, 0, locator, bank, ddr4, synchronous),
        *(speed, maker, serial, 0, part, 1, 0, speed, 1200, 1200, 1200),
    )
    return formatted + (strings or b"\0") + b"\0"


def _texts(fields: Mapping[str, Any], *keys: str) -> tuple[bytes, list[int]]:
    """The strings behind a structure, and the number of each text in them: 0 for one that is not there."""
    numbers, strings = [], b""
    for text in (str(fields.get(key, "")) for key in keys):
        strings += text.encode() + b"\0" if text else b""
        numbers.append(strings.count(b"\0") if text else 0)
    return strings, numbers
