"""A SATA drive, and what can become of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.hardware.medium import Medium
from tests.bench.machine import Channel, Qemu


class SataDrive:
    """``sda`` and so on in the guest. ``table`` has ``serial``, and ``model``, ``ver`` (firmware) and
    ``rotation_rate`` (rpm; 1 for a solid-state drive) where they are not QEMU's own.
    """

    def __init__(self, number: int, table: dict[str, Any], folder: Path) -> None:
        self.number = number
        self.serial = str(table["serial"])
        self.handle = f"sd{'abcdef'[number]}"
        self.medium = Medium(f"sata{number}", folder)
        self._table = table

    def arguments(self) -> list[str]:
        """Medium and drive, on a port of its own."""
        known = ("model", "serial", "ver", "rotation_rate")
        words = "".join(f",{key}={self._table[key]}" for key in known if key in self._table)
        drive = f"ide-hd,bus=ide.{self.number},id=sd{self.number},drive={self.medium.name}{words}"
        return [*self.medium.arguments(), "-device", drive]

    def attach(self, qemu: Qemu, guest: Channel) -> None:
        """The machine runs."""
        self._qemu, self._guest = qemu, guest
        self.medium.attach(qemu)
