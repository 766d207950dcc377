"""The PCI Express link of the first NVMe drive: errors that its port reports, lanes and speed that it has lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.bench.hardware.part import Part
from tests.bench.machine.pci_config import PciConfig

PORT = "rp0"
PORT_IN_GUEST = "0000:00:10.0"
DRIVE_IN_GUEST = "0000:01:00.0"
"""The port of :mod:`tests.bench.hardware.storage`, and what is behind it."""

SURPRISE_DOWN = "SDN"
COMPLETION_TIMEOUT = "COMP_TIME"
"""A fatal error and one that is not, by QEMU's names (hw/pci/pcie_aer.c)."""

EXPRESS_CAPABILITY = 0x80
"""Where QEMU's NVMe controller has it (hw/nvme/ctrl.c)."""
LINK_CAPABILITIES = EXPRESS_CAPABILITY + 0x0C
WIDTH_SHIFT, WIDTH_MASK = 4, 0x3F0
SPEED_MASK, GEN_2 = 0x00F, 2
"""Maximum link width, and maximum link speed with its value for 5 GT/s (PCIe Base Specification 5.0, 7.5.3.6)."""


class Pcie(Part):
    """Errors are messages of Advanced Error Reporting: they happen and are over."""

    name = "pcie"

    def uncorrected(self, error: str) -> None:
        """The port reports that something was lost on the link."""
        said = self.qemu.monitor.human(f"pcie_aer_inject_error {PORT} {error}")
        if not said.startswith("OK"):
            raise RuntimeError(said)

    def corrected(self, count: int, kind: str = "RxErr") -> None:
        """The port reports errors after which data was sent again. From inside: QEMU keeps corrected ones to itself."""
        self.guest.run("/sbin/modprobe", "aer_inject").check()
        self.guest.run("/usr/bin/python3", "-IS", "/opt/bench/aer_inject.py", PORT_IN_GUEST, kind, str(count)).check()

    def lanes_lost(self, possible: int = 4) -> AbstractContextManager[None]:
        """The drive could use ``possible`` lanes, as the port can, but runs on one."""
        return self._drive_could(WIDTH_MASK, possible << WIDTH_SHIFT)

    def slow(self) -> AbstractContextManager[None]:
        """The drive could do 5 GT/s, as the port can, but the link has settled at 2.5."""
        return self._drive_could(SPEED_MASK, GEN_2)

    @contextmanager
    def _drive_could(self, mask: int, value: int) -> Iterator[None]:
        """Part of what the drive says that its link is capable of; what the link has stays as it is."""
        config = PciConfig(self.qemu.innards(), self.guest, DRIVE_IN_GUEST)
        before = config.read(LINK_CAPABILITIES, 2)
        link = int.from_bytes(before, "little") & ~mask | value
        config.write(LINK_CAPABILITIES, link.to_bytes(2, "little"))
        try:
            yield
        finally:
            config.write(LINK_CAPABILITIES, before)
