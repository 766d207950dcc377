"""The guest's PCI configuration space and clock, reached from outside: QEMU's ``qtest`` beside the running guest.

The protocol is lines like ``writew ADDRESS VALUE``, each answered by ``OK [VALUE]`` (QEMU, softmmu/qtest.c).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

ECAM = 0xB0000000
"""Where SeaBIOS puts the configuration space of the q35 board (PCI Express enhanced configuration access)."""
COMMAND = 0x04
BUS_MASTER = 0b100
"""Offset of the command register, and its bit 2 (PCI Local Bus Specification 3.0, 6.2.2)."""


class Bus:
    """A connection to a QEMU that was started with ``-qtest``. ``tree`` is its answer to ``query-pci``."""

    def __init__(self, path: Path, tree: Sequence[Mapping[str, Any]]) -> None:
        self._places = dict(places(tree))
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20.0)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def let_reach_memory(self, device: str, allowed: bool) -> None:
        """Whether a device, given by its ``id`` or as ``00:1f.2``, may be master of its bus. One that may not reads no
        command from memory, so it seems to hang. A driver that sets it up anew allows it again.
        """
        address = self._places[device] + COMMAND
        before = int(self._ask(f"readw {address:#x}"), 16)
        wanted = before | BUS_MASTER if allowed else before & ~BUS_MASTER
        if wanted != before:
            self._ask(f"writew {address:#x} {wanted:#x}")

    def clock_memory(self, at: int) -> int:
        """A byte of the real-time clock's memory (ports 0x70 and 0x71)."""
        self._ask(f"outb 0x70 {at:#x}")
        return int(self._ask("inb 0x71"), 16)

    def _ask(self, line: str) -> str:
        self._socket.sendall(line.encode() + b"\n")
        answer = self._lines.readline().split()
        if not answer:
            raise ConnectionError("QEMU has gone")
        if answer[0] != "OK":
            raise RuntimeError(f"QEMU answers {' '.join(answer)} to {line}")
        return answer[-1]


def places(tree: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    """Each device's configuration space, by its ``id`` or, where it has none, its address."""
    for bus in tree:
        for device in bus["devices"]:
            number, slot, function = (device[part] for part in ("bus", "slot", "function"))
            name = device["qdev_id"] or f"{number:02x}:{slot:02x}.{function}"
            yield name, ECAM + (number << 20 | slot << 15 | function << 12)
            behind = device.get("pci_bridge", {}).get("devices", [])
            yield from places([{"devices": behind}])
