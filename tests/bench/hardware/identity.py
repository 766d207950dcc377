"""Who the unit says it is: the SMBIOS tables."""

from __future__ import annotations

import struct

from tests.bench.hardware.part import Part

ALL_IN_ONE = 13
"""Chassis type of SMBIOS 3.7, table 17."""

_TABLES = {0: "bios", 1: "system", 2: "board", 4: "processor", 17: "memory"}


class Identity(Part):
    """SMBIOS structures 0 to 4 and 17, from tables ``bios``, ``system``, ``board``, ``chassis``, ``processor`` and
    ``memory`` whose keys are those of QEMU's ``-smbios``. What a table does not give, QEMU fills with its own name.
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
            if fields:
                words = ",".join(f"{key}={str(value).replace(',', ',,')}" for key, value in fields.items())
                found += ["-smbios", f"type={number},{words}"]
        chassis = self.folder / "chassis.bin"
        chassis.write_bytes(chassis_structure(self.table.get("chassis", {})))
        return [*found, "-smbios", f"file={chassis}"]


def chassis_structure(fields: dict[str, str]) -> bytes:
    """SMBIOS structure type 3 of an all-in-one (SMBIOS 3.7, 7.4), which QEMU cannot make with another type than 1."""
    texts = [str(fields.get(key, "")) for key in ("manufacturer", "version", "serial", "asset", "sku")]
    numbers, strings = [], b""
    for text in texts:
        strings += text.encode() + b"\0" if text else b""
        numbers.append(strings.count(b"\0") if text else 0)
    maker, version, serial, asset, sku = numbers
    states = (3, 3, 3, 2)  # boot-up, power supply, thermal: safe; security: unknown
    formatted = struct.pack(
        "<BBH5B4BIBBBBB", 3, 22, 0x300, maker, ALL_IN_ONE, version, serial, asset, *states, 0, 0, 1, 0, 0, sku
    )
    return formatted + (strings or b"\0") + b"\0"
