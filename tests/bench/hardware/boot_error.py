"""What firmware keeps of a hardware error that ended a session, for the next one: the boot error record (ACPI 6.5,
18.3.1 "Boot Error Source", 18.3.2.7 "Generic Hardware Error Source").
"""

from __future__ import annotations

import struct
from uuid import UUID

from tests.bench.hardware import registers
from tests.bench.hardware.part import Part
from tests.bench.machine import Channel, Qemu

UNCORRECTABLE, ONE_ENTRY = 1 << 0, 1 << 4
"""Of a status block: what it holds, and of how many errors it tells."""
FATAL = 1
MEMORY_ERROR = UUID("a5bc1114-6f64-4ede-b863-3e83ed7c83b1")
ADDRESS_VALID, TYPE_VALID = 1 << 1, 1 << 14
MULTI_BIT_ECC = 3
"""UEFI 2.10, appendix N.2.5 "Memory Error Section"."""
AN_ADDRESS = 0x12345000


class BootError(Part):
    """There when ``kept`` in the table is true: firmware has a record at every start."""

    name = "boot_error"

    def arguments(self) -> list[str]:
        """The table that says where the record lies."""
        if not self.table.get("kept"):
            return []
        place = self.folder / "bert"
        place.write_bytes(struct.pack("<IQ", registers.BOOT_ERROR_SIZE, registers.BOOT_ERROR))
        return ["-acpitable", f"sig=BERT,rev=1,oem_id=BENCH,oem_table_id=BOOTERR,data={place}"]

    def kernel(self) -> list[str]:
        """Room for the record."""
        return [registers.RESERVED] if self.table.get("kept") else []

    def attach(self, qemu: Qemu, guest: Channel) -> None:
        """Write the record, before the kernel starts."""
        super().attach(qemu, guest)
        if self.table.get("kept"):
            qemu.ram.write(registers.BOOT_ERROR, status_block(memory_error()))


def status_block(section: bytes) -> bytes:
    """A generic error status block with one fatal error of the memory."""
    head = struct.pack("<16sIHBBI16s20sQ", MEMORY_ERROR.bytes_le, FATAL, 0x0300, 0, 0, len(section), b"", b"", 0)
    return struct.pack("<5I", UNCORRECTABLE | ONE_ENTRY, 0, 0, len(head + section), FATAL) + head + section


def memory_error() -> bytes:
    """More bits of a word were wrong than ECC can put right."""
    known, where = ADDRESS_VALID | TYPE_VALID, (0,) * 8
    return struct.pack("<4Q8H3QBB3H", known, 0, AN_ADDRESS, 0, *where, 0, 0, 0, MULTI_BIT_ECC, 0, 0, 0, 0)
