"""The drives: the system's own, which is virtual, and the NVMe and SATA drives of the all-in-one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.hardware.part import Part

SIZE_MIB = 256
ROOT_PORT = "rp0"


class Storage(Part):
    """``nvme`` and ``sata`` in the table are lists of drives with ``model`` (SATA), ``serial`` and ``firmware`` (SATA).

    The root file system lies on a virtio disk, since no NVMe drive can be in a snapshot: the NVMe drives are plugged
    into hot-plug ports after a restore.
    """

    name = "storage"

    def prepare(self) -> None:
        """The drives by their handle in the guest."""
        self.nvme: list[dict[str, Any]] = self.table.get("nvme", [])
        self.sata: list[dict[str, Any]] = self.table.get("sata", [])

    def arguments(self) -> list[str]:
        """Ports for the NVMe drives, and the SATA drives."""
        found: list[str] = []
        for number in range(len(self.nvme)):
            found += ["-device", f"pcie-root-port,id=rp{number},chassis={number + 1},slot={number + 1},addr=1{number}"]
        for number, drive in enumerate(self.sata):
            path = self._medium(f"sata{number}")
            found += ["-blockdev", f"driver=file,node-name=sata{number}-file,filename={path}"]
            found += ["-blockdev", f"driver=raw,node-name=sata{number},file=sata{number}-file"]
            words = ",".join(
                f"{key}={drive[key]}" for key in ("model", "serial", "ver", "rotation_rate") if key in drive
            )
            found += ["-device", f"ide-hd,bus=ide.{number},id=sd{number},drive=sata{number},{words}"]
        return found

    def connect(self) -> None:
        """Plug in the NVMe drives and wait until the guest has their namespaces."""
        for number, drive in enumerate(self.nvme):
            path = str(self._medium(f"nvme{number}"))
            self.qemu.qmp("blockdev-add", driver="file", node_name=f"nvme{number}-file", filename=path)
            self.qemu.qmp("blockdev-add", driver="raw", node_name=f"nvme{number}", file=f"nvme{number}-file")
            serial, bus = drive["serial"], f"rp{number}"
            self.qemu.qmp("device_add", driver="nvme", id=f"nv{number}", bus=bus, drive=f"nvme{number}", serial=serial)
        for number in range(len(self.nvme)):
            self.guest.shell(
                f"until test -b /dev/nvme{number}n1; do sleep 0.02; done; udevadm settle", timeout_s=20
            ).check()

    def _medium(self, name: str) -> Path:
        """An empty medium, as sparse as it is."""
        path = self.folder / f"{name}.img"
        if not path.exists():
            with path.open("wb") as file:
                file.truncate(SIZE_MIB << 20)
        return path
