"""QEMU's own memory, for tables of its devices that no monitor command changes (SMART data above all)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Area(NamedTuple):
    """A mapping of the process: addresses, rights (``rw-p``) and the file behind it (``""`` where there is none)."""

    start: int
    end: int
    rights: str
    file: str


class Innards:
    """The memory of a process of ours, read and written while it runs (``/proc/PID/mem``; read-only pages too)."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")

    def find(self, pattern: bytes, *, constant: bool = False) -> list[int]:
        """Every address of ``pattern``: in the heap, or in the program's constants."""
        found: list[int] = []
        for area in self._areas():
            wanted = area.rights == "r--p" and area.file if constant else area.rights == "rw-p" and not area.file
            if wanted:
                data = self._read_area(area)
                at = data.find(pattern)
                while at >= 0:
                    found.append(area.start + at)
                    at = data.find(pattern, at + 1)
        return found

    def the_only(self, pattern: bytes, *, constant: bool = False) -> int:
        """Where ``pattern`` lies; raises ``LookupError`` unless that is one place."""
        found = self.find(pattern, constant=constant)
        if len(found) != 1:
            raise LookupError(f"{len(found)} places in QEMU's memory instead of one: another version?")
        return found[0]

    def read(self, address: int, length: int) -> bytes:
        """``length`` bytes."""
        fd = os.open(self._process / "mem", os.O_RDONLY)
        try:
            return os.pread(fd, length, address)
        finally:
            os.close(fd)

    def write(self, address: int, data: bytes) -> None:
        """Put ``data`` at ``address``."""
        fd = os.open(self._process / "mem", os.O_RDWR)
        try:
            os.pwrite(fd, data, address)
        finally:
            os.close(fd)

    def _areas(self) -> Iterator[Area]:
        for line in (self._process / "maps").read_text().splitlines():
            words = line.split(maxsplit=5)
            start, end = (int(part, 16) for part in words[0].split("-"))
            name = words[5] if len(words) > 5 else ""
            yield Area(start, end, words[1], name if name.startswith("/") else "")

    def _read_area(self, area: Area) -> bytes:
        try:
            return self.read(area.start, area.end - area.start)
        except OSError:  # pages of the kernel ([vvar]), or an area that was given back meanwhile
            return b""
