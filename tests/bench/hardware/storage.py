"""The drives: the system's own, which is virtual, and the NVMe and SATA drives of the all-in-one."""

from __future__ import annotations

from tests.bench.hardware.nvme import NvmeDrive
from tests.bench.hardware.part import Part
from tests.bench.hardware.sata import SataDrive
from tests.bench.machine import Channel, Qemu


class Storage(Part):
    """``nvme`` and ``sata`` in the table are lists of drives: see :class:`NvmeDrive` and :class:`SataDrive`. Each has
    its faults.

    The root file system lies on a virtio disk, since no NVMe drive can be in a snapshot: the NVMe drives are plugged
    into hot-plug ports after a restore.
    """

    name = "storage"

    def prepare(self) -> None:
        """The drives by their handle in the guest."""
        self.nvme = [NvmeDrive(number, table, self.folder) for number, table in enumerate(self.table.get("nvme", []))]
        self.sata = [SataDrive(number, table, self.folder) for number, table in enumerate(self.table.get("sata", []))]

    def arguments(self) -> list[str]:
        """Ports for the NVMe drives, and the SATA drives."""
        ports = [word for drive in self.nvme for word in drive.arguments()]
        return ports + [word for drive in self.sata for word in drive.arguments()]

    def kernel(self) -> list[str]:
        """A drive that never answers is given up after 10 s instead of 60."""
        return ["nvme_core.admin_timeout=10"]

    def attach(self, qemu: Qemu, guest: Channel) -> None:
        """The SATA drives are there."""
        super().attach(qemu, guest)
        for drive in self.sata:
            drive.attach(qemu, guest)

    def connect(self) -> None:
        """Plug in the NVMe drives."""
        for drive in self.nvme:
            drive.plug(self.qemu, self.guest)

    def ready(self) -> None:
        """The guest has their namespaces."""
        for drive in self.nvme:
            drive.await_namespace()
