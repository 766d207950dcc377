"""What a drive keeps its data on, and how that goes bad while the drive works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.machine import Qemu

FAILS = 5
"""errno EIO. QEMU's NVMe drives make ``Unrecovered Read Error`` of it where they read (``Write Fault`` where they
write), its SATA drives an aborted command.
"""
USUAL_MIB = 256
MEDIUM_ERROR = 61
"""errno ENODATA, which QEMU's SCSI disks (USB too) turn into ``Medium Error, Unrecovered read error``."""


class Medium:
    """An empty medium in a sparse file. In QEMU it is a node ``NAME`` over a node ``NAME-file``;
    a fault is one more node between the two, put in and taken out under the working drive (``blockdev-reopen``).
    """

    def __init__(self, name: str, folder: Path, size_mib: int = USUAL_MIB) -> None:
        self.name = name
        self._size_mib = size_mib
        self._path = folder / f"{name}.img"
        self._file = f"{name}-file"
        self._qemu: Qemu | None = None

    def nodes(self) -> list[dict[str, Any]]:
        """The options of its nodes, in the order in which they are added; makes the file."""
        if not self._path.exists():
            with self._path.open("wb") as file:
                file.truncate(self._size_mib << 20)
        return [
            {"driver": "file", "node-name": self._file, "filename": str(self._path)},
            {"driver": "raw", "node-name": self.name, "file": self._file},
        ]

    def arguments(self) -> list[str]:
        """For the command line, where the drive is there from the start."""
        return [
            word
            for node in self.nodes()
            for word in ("-blockdev", ",".join(f"{key}={value}" for key, value in node.items()))
        ]

    def attach(self, qemu: Qemu) -> None:
        """The machine runs."""
        self._qemu = qemu

    def plug(self, qemu: Qemu) -> None:
        """Add it to a running machine."""
        self.attach(qemu)
        for node in self.nodes():
            qemu.qmp("blockdev-add", **node)

    def unplug(self) -> None:
        """Take it out, once no drive uses it any more."""
        assert self._qemu is not None
        for node in (self.name, self._file):
            self._qemu.qmp("blockdev-del", node_name=node)

    @contextmanager
    def bad_sectors(self, sectors: Iterable[int], errno: int = FAILS, on: str = "read") -> Iterator[None]:
        """Reading these sectors (of 512 bytes) fails, each time, and writing does not; or ``on`` "write" only that."""
        errors = [
            {"event": "none", "iotype": on, "errno": errno, "sector": sector, "once": False} for sector in sectors
        ]
        with self._between("blkdebug", {"image": self._file, "inject-error": errors}):
            yield

    def turn_over(self, at: int, length: int = 1) -> None:
        """The bits of so many bytes turn over where they lie, ``at`` bytes from the beginning; nobody is told."""
        with self._path.open("r+b") as file:
            file.seek(at)
            before = file.read(length)
            file.seek(at)
            file.write(bytes(byte ^ 0xFF for byte in before))

    @contextmanager
    def limited(self, **limits: int) -> Iterator[None]:
        """No faster than ``iops_total`` commands or ``bps_total`` bytes a second."""
        group = f"{self.name}-limits"
        assert self._qemu is not None
        given = {key.replace("_", "-"): value for key, value in limits.items()}
        self._qemu.qmp("object-add", qom_type="throttle-group", id=group, limits=given)
        try:
            with self._between("throttle", {"file": self._file, "throttle-group": group}):
                yield
        finally:
            self._qemu.qmp("object-del", id=group)

    @contextmanager
    def _between(self, driver: str, options: dict[str, Any]) -> Iterator[None]:
        assert self._qemu is not None, "the machine is off"
        name = f"{self.name}-{driver}"
        self._qemu.qmp("blockdev-add", driver=driver, node_name=name, **options)
        try:
            self._lie_on(name)
            try:
                yield
            finally:
                self._lie_on(self._file)
        finally:
            self._qemu.qmp("blockdev-del", node_name=name)

    def _lie_on(self, lower: str) -> None:
        assert self._qemu is not None
        self._qemu.qmp("blockdev-reopen", options=[{"driver": "raw", "node-name": self.name, "file": lower}])
