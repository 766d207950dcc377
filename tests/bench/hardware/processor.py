"""The processor, and the errors that it reports of itself and of the memory: machine checks."""

from __future__ import annotations

from tests.bench.hardware.part import Part

CORRECTED = 0x9C00004000010091
"""A status of a memory controller, channel 1: valid, enabled, with address and MISC, corrected once (Intel SDM
volume 3B, 16.3.2.2 and 16.9.2)."""
RECOVERABLE = 0xBD000000000000C0
"""Of memory scrubbing: uncorrected, the processor not affected, to be told (S), action optional."""
FATAL = 0xBE00000000010091
"""Uncorrected, and the processor's context corrupt (PCC)."""
RIP_VALID, IN_PROGRESS = 1, 4
"""Bits of IA32_MCG_STATUS."""
PHYSICAL_ADDRESS_OF_A_PAGE = 0x8C
"""IA32_MCi_MISC: address mode 2 (physical), its lowest 12 bits not valid."""

POLLED_EVERY_S = 1
"""The emulated processor has no interrupt for corrected errors, for which real ones do not wait 5 minutes."""
_TRACING = "/sys/kernel/tracing/instances/rasdaemon"


class Processor(Part):
    """``cpu`` in the table are QEMU's words for another processor than the bench's own."""

    name = "processor"

    def arguments(self) -> list[str]:
        """Another processor; QEMU takes the last one given."""
        return ["-cpu", self.table["cpu"]] if "cpu" in self.table else []

    def settle(self) -> None:
        """Look for corrected errors each second. Debian 12's rasdaemon hears of an event only when half of its buffer
        is full, unless it is told otherwise before it starts.
        """
        self.guest.shell(
            f"echo {POLLED_EVERY_S} > /sys/devices/system/machinecheck/machinecheck0/check_interval; "
            f"systemctl stop rasdaemon; mkdir -p {_TRACING}; echo 0 > {_TRACING}/buffer_percent; "
            "systemctl start rasdaemon"
        ).check()

    def corrected_error(self, address: int = 0x12345000) -> None:
        """Bank 5 of the first processor tells of an error in memory that was corrected."""
        self._report(5, CORRECTED, 0, address, 0)

    def recoverable_error(self, address: int) -> None:
        """Memory at ``address`` was found to be lost, before anything used it."""
        self._report(9, RECOVERABLE, RIP_VALID | IN_PROGRESS, address, PHYSICAL_ADDRESS_OF_A_PAGE)

    def fatal_error(self) -> None:
        """An error after which the processor cannot go on."""
        self._report(5, FATAL, IN_PROGRESS, 0x12345000, 0)

    def _report(self, bank: int, status: int, global_status: int, address: int, misc: int) -> None:
        said = self.qemu.monitor.human(f"mce -b 0 {bank} {status:#x} {global_status:#x} {address:#x} {misc:#x}")
        if said.strip():
            raise RuntimeError(said)
