"""The processor, and the errors that it reports of itself and of the memory: machine checks."""

from __future__ import annotations

import struct

from tests.bench.hardware.part import Part
from tests.bench.machine.pci_config import PciConfig

CORRECTED_MEMORY = 0x9C00004000010091
"""A status of a memory controller, channel 1: valid, enabled, with address and MISC, corrected once (Intel SDM
volume 3B, 16.3.2.2 and 16.9.2)."""
CORRECTED_CACHE = 0x9C00004000000135
"""The same of a read from the first level's data cache."""
RECOVERABLE = 0xBD000000000000C0
"""Of memory scrubbing: uncorrected, the processor not affected, to be told (S), action optional."""
RECOVERABLE_CACHE = 0xBD00000000000135
"""The same of a read from the first level's data cache."""
FATAL = 0xBE00000000010091
"""Uncorrected, and the processor's context corrupt (PCC)."""
RIP_VALID, IN_PROGRESS = 1, 4
"""Bits of IA32_MCG_STATUS."""
PHYSICAL_ADDRESS_OF_A_PAGE = 0x8C
"""IA32_MCi_MISC: address mode 2 (physical), its lowest 12 bits not valid."""

AN_ADDRESS = 0x12345000
SENSOR = "0000:00:1a.0"
_SENSOR_OF_AMD = (0x1022, 0x1203)
_TEMPERATURE = 0xA4
"""Bits 31:21, in 1/8 °C."""
FREE_PAGE = "/opt/bench/free_page.py"

POLLED_EVERY_S = 1
"""The emulated processor has no interrupt for corrected errors, for which real ones do not wait 5 minutes."""
_TRACING = "/sys/kernel/tracing/instances/rasdaemon"


class Processor(Part):
    """``cpu`` in the table are QEMU's words for another processor than the bench's own; ``sensor`` is whether it has a
    temperature sensor of its own, as QEMU's have not: AMD's of family 10h, a register of a PCI device (BIOS and Kernel
    Developer's Guide 31116, F3xA4), for which another device stands in.
    """

    name = "processor"

    def arguments(self) -> list[str]:
        """Another processor; QEMU takes the last one given."""
        sensor = ["-device", "pci-testdev,addr=1a"] if self.table.get("sensor") else []
        return [*(("-cpu", self.table["cpu"]) if "cpu" in self.table else ()), *sensor]

    def settle(self) -> None:
        """Look for corrected errors each second. Debian 12's rasdaemon hears of an event only when half of its buffer
        is full, unless it is told otherwise before it starts.
        """
        self.guest.shell(
            f"echo {POLLED_EVERY_S} > /sys/devices/system/machinecheck/machinecheck0/check_interval; "
            f"systemctl stop rasdaemon; mkdir -p {_TRACING}; echo 0 > {_TRACING}/buffer_percent; "
            "systemctl start rasdaemon"
        ).check()

    def hot(self, celsius: float) -> None:
        """Its sensor shows so much."""
        sensor = PciConfig(self.qemu.innards(), self.guest, SENSOR)
        sensor.write(_TEMPERATURE, struct.pack("<I", round(celsius * 8) << 21))
        sensor.become(*_SENSOR_OF_AMD)

    def corrected_error(self, status: int, *, cpu: int = 0, bank: int = 5) -> None:
        """An error that was corrected; ``bank`` is 0 to 9."""
        self._report(f"{cpu} {bank} {status:#x} 0 {AN_ADDRESS:#x} 0")

    def lose_page(self) -> None:
        """The processor has found that a page, which nothing uses at the moment, has lost its content. All processors
        are told, as those of Intel are.
        """
        address = int(self.guest.out("/usr/bin/python3", "-IS", FREE_PAGE), 16)
        running = RIP_VALID | IN_PROGRESS
        self._report(f"-b 0 9 {RECOVERABLE:#x} {running:#x} {address:#x} {PHYSICAL_ADDRESS_OF_A_PAGE:#x}")

    def uncorrected_error(self) -> None:
        """An error of the cache that could not be corrected, and that nothing has been spoilt by yet."""
        running = RIP_VALID | IN_PROGRESS
        self._report(f"-b 0 1 {RECOVERABLE_CACHE:#x} {running:#x} {AN_ADDRESS:#x} {PHYSICAL_ADDRESS_OF_A_PAGE:#x}")

    def fatal_error(self) -> None:
        """An error after which the processor cannot go on."""
        self._report(f"0 5 {FATAL:#x} {IN_PROGRESS:#x} {AN_ADDRESS:#x} 0")

    def _report(self, words: str) -> None:
        """Processor, bank, its status, the global status, address and further information."""
        said = self.qemu.monitor.human(f"mce {words}")
        if said.strip():
            raise RuntimeError(said)
