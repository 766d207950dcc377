"""The guest's PCI configuration space, reached from outside: QEMU's ``qtest`` protocol beside the running guest.

Protocol: lines of ``writew ADDRESS VALUE`` and the like, each answered by ``OK [VALUE]`` (QEMU, softmmu/qtest.c).
"""

from __future__ import annotations

import socket
from pathlib import Path

ECAM = 0xB0000000
"""Where SeaBIOS puts the configuration space of the q35 board (PCI Express Enhanced Configuration Access Mechanism)."""
COMMAND = 0x04
"""The command register (PCI Local Bus Specification 3.0, 6.2.2)."""
BUS_MASTER = 0b100


class Bus:
    """A connection to one QEMU that was started with :meth:`arguments`."""

    @staticmethod
    def arguments(path: Path) -> list[str]:
        """Of the command line, for the socket ``path``."""
        return ["-qtest", f"unix:{path},server=on,wait=off", "-qtest-log", "none"]

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20.0)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r")

    def command_register(self, bus: int, device: int = 0, function: int = 0) -> int:
        """The command register of a function."""
        return int(self._ask(f"readw {self._address(bus, device, function):#x}"), 16)

    def set_command_register(self, value: int, bus: int, device: int = 0, function: int = 0) -> None:
        """Write it."""
        self._ask(f"writew {self._address(bus, device, function):#x} {value:#x}")

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    @staticmethod
    def _address(bus: int, device: int, function: int) -> int:
        return ECAM + (bus << 20 | device << 15 | function << 12) + COMMAND

    def _ask(self, line: str) -> str:
        self._socket.sendall(line.encode() + b"\n")
        answer = self._lines.readline().split()
        if not answer or answer[0] != "OK":
            raise RuntimeError(f"QEMU answers {' '.join(answer) or 'nothing'} to {line}")
        return answer[-1]
