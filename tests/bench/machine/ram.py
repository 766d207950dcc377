"""The guest's memory, which is a file on this side: hardware's registers are put there, and bits turned over."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

MIB = 1 << 20


class Ram:
    """The memory of one guest. Addresses are the guest's physical ones; below 2 GiB they are offsets in the file
    (QEMU's q35 board has its hole for devices above).
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, size)
            self._map = mmap.mmap(fd, size)
        finally:
            os.close(fd)

    def read(self, address: int, length: int) -> bytes:
        """``length`` bytes from ``address``."""
        return self._map[address : address + length]

    def write(self, address: int, data: bytes) -> None:
        """Put ``data`` at ``address``; the guest sees it at once."""
        self._map[address : address + len(data)] = data

    def read_u32(self, address: int) -> int:
        """A dword, little-endian."""
        return int.from_bytes(self.read(address, 4), "little")

    def write_u32(self, address: int, value: int) -> None:
        """A dword, little-endian; ``value`` is 0 to 2**32 - 1."""
        self.write(address, value.to_bytes(4, "little"))

    def find(self, pattern: bytes) -> list[int]:
        """Every address at which ``pattern`` lies."""
        found, at = [], self._map.find(pattern)
        while at >= 0:
            found.append(at)
            at = self._map.find(pattern, at + 1)
        return found

    def close(self) -> None:
        """Unmap; the file stays."""
        self._map.close()
