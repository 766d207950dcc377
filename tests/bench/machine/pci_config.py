"""A PCI device's configuration space in QEMU's own memory: there it can be changed as no guest can."""

from __future__ import annotations

import struct

from tests.bench.machine.channel import Channel
from tests.bench.machine.innards import Innards

_HEADER_BYTES = 64
_DEVICES = "/sys/bus/pci/devices"


class PciConfig:
    """That of ``device``, the guest's name for it (``0000:01:00.0``)."""

    def __init__(self, innards: Innards, guest: Channel, device: str) -> None:
        self._innards = innards
        self._guest = guest
        self._folder = f"{_DEVICES}/{device}"
        words = ("-An", "-v", "-tx1", "-N", str(_HEADER_BYTES))
        header = bytes.fromhex(guest.out("/usr/bin/od", *words, f"{self._folder}/config"))
        self._start = innards.the_only(header)

    def read(self, at: int, length: int) -> bytes:
        """``length`` bytes."""
        return self._innards.read(self._start + at, length)

    def write(self, at: int, data: bytes) -> None:
        """Put ``data`` at ``at``."""
        self._innards.write(self._start + at, data)

    def clear_where_one_is_written(self, at: int, mask: int) -> None:
        """Make a register of 16 bits one of events: a bit that the guest writes as 1 becomes 0, nothing else does."""
        device = self._innards.the_only(struct.pack("<Q", self._start))
        # PCIDevice in include/hw/pci/pci_device.h: config, cmask, wmask, w1cmask.
        _, _, writable, cleared = struct.unpack("<4Q", self._innards.read(device, 32))
        self._innards.write(writable + at, bytes(2))
        self._innards.write(cleared + at, struct.pack("<H", mask))

    def become(self, vendor: int, device: int) -> None:
        """Say that it is another device, and have the guest find it anew."""
        self.write(0, struct.pack("<HH", vendor, device))
        self._guest.shell(f"echo 1 > {self._folder}/remove; echo 1 > /sys/bus/pci/rescan; udevadm settle").check()
