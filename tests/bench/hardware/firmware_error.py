"""A hardware error that firmware tells the running system of: a generic hardware error source (ACPI 6.5, 18.3.2.7)."""

from __future__ import annotations

import struct

from tests.bench.hardware import registers
from tests.bench.hardware.boot_error import memory_error, status_block
from tests.bench.hardware.part import Part
from tests.bench.machine import Channel, Qemu

GENERIC_SOURCE, NO_RELATED = 9, 0xFFFF
POLLED, LOOKED_AT_EACH_MS = 0, 1000
SYSTEM_MEMORY, QWORD = 0, 4
"""Address space and access size of a generic address (ACPI 6.5, 5.2.3.2)."""
BLOCK = registers.FIRMWARE_ERROR + 8
"""Behind its own address, which the source's register is to hold."""
BLOCK_SIZE = registers.FIRMWARE_ERROR_SIZE - 8


class FirmwareError(Part):
    """There when ``source`` in the table is true: firmware describes a source of errors, which has none at first."""

    name = "firmware_error"

    def arguments(self) -> list[str]:
        """The table that describes the source."""
        if not self.table.get("source"):
            return []
        place = self.folder / "hest"
        place.write_bytes(struct.pack("<I", 1) + source())
        return ["-acpitable", f"sig=HEST,rev=1,oem_id=BENCH,oem_table_id=ERRORS,data={place}"]

    def kernel(self) -> list[str]:
        """Room for what it says."""
        return [registers.RESERVED] if self.table.get("source") else []

    def attach(self, qemu: Qemu, guest: Channel) -> None:
        """No error yet."""
        super().attach(qemu, guest)
        if self.table.get("source"):
            qemu.ram.write(registers.FIRMWARE_ERROR, struct.pack("<Q", BLOCK) + bytes(BLOCK_SIZE))

    def fatal(self) -> None:
        """The memory has lost data, and firmware says that the unit cannot go on."""
        block = status_block(memory_error())
        # Its status, by which the kernel sees that there is one, comes last.
        self.qemu.ram.write(BLOCK + 4, block[4:])
        self.qemu.ram.write(BLOCK, block[:4])


def source() -> bytes:
    """The one source, which the system is to look at by itself."""
    register = struct.pack("<4BQ", SYSTEM_MEMORY, 64, 0, QWORD, registers.FIRMWARE_ERROR)
    notified = struct.pack("<2BH6I", POLLED, 28, 0, LOOKED_AT_EACH_MS, 0, 0, 0, 0, 0)
    head = struct.pack("<3H2B3I", GENERIC_SOURCE, 0, NO_RELATED, 0, 1, 1, 1, BLOCK_SIZE)
    return head + register + notified + struct.pack("<I", BLOCK_SIZE)
