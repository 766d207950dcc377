"""QEMU's debugger stub, by which processors are stopped, for a while or for good.

The protocol: "$data#checksum", each acknowledged by "+" (GDB manual, appendix "Remote Serial Protocol").
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.bench.machine.qmp import Monitor

RIP = 16 * 8
"""Offset in the registers of x86-64: behind 16 general ones, followed by the flags (GDB, ``64bit-core.xml``)."""
INTERRUPTS = 1 << 9
"""IF of the flags (Intel SDM volume 1, 3.4.3)."""
JUMP_TO_ITSELF = b"\xeb\xfe"
INTERRUPT = b"\x03"
"""Stops a machine that runs."""
STOPPED = "T"
"""Begins the news that the machine stands, which it does as soon as a debugger is there; it comes by itself."""


class Debugger:
    """A debugger beside a running machine, which goes on when it leaves."""

    def __init__(self, monitor: Monitor, path: Path) -> None:
        self._monitor = monitor
        said = monitor.human(f"gdbserver unix:{path},server=on,wait=off")
        if "Waiting for gdb connection" not in said:
            raise RuntimeError(said)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20.0)
        self._socket.connect(str(path))
        self._waiting = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("D")
        self._socket.close()
        self._monitor.human("gdbserver none")
        self._monitor.command("cont")  # where only some of the processors went on, QEMU leaves all of them standing

    def hang(self) -> None:
        """Have each processor jump to where it is, without interrupts, from now on."""
        for thread in self._threads():
            self._ask(f"Hg{thread}")
            registers = bytearray.fromhex(self._ask("g"))
            address, flags = struct.unpack_from("<QI", registers, RIP)
            struct.pack_into("<QI", registers, RIP, address, flags & ~INTERRUPTS)
            self._expect_ok(f"M{address:x},{len(JUMP_TO_ITSELF):x}:{JUMP_TO_ITSELF.hex()}")
            self._expect_ok(f"G{registers.hex()}")

    @contextmanager
    def standing(self, processor: int) -> Iterator[None]:
        """One processor stands still meanwhile, and the others go on."""
        others = [thread for number, thread in enumerate(self._threads()) if number != processor]
        self._socket.sendall(packet("vCont" + "".join(f";c:{thread}" for thread in others)))
        try:
            yield
        finally:
            self._socket.sendall(INTERRUPT)

    def _threads(self) -> list[str]:
        found: list[str] = []
        answer = self._ask("qfThreadInfo")
        while answer.startswith("m"):
            found += answer[1:].split(",")
            answer = self._ask("qsThreadInfo")
        return found

    def _expect_ok(self, request: str) -> None:
        answer = self._ask(request)
        if answer != "OK":
            raise RuntimeError(f"the debugger answers {answer or 'nothing'} to {request[:30]}")

    def _ask(self, request: str) -> str:
        self._socket.sendall(packet(request))
        while (answer := self._receive()).startswith(STOPPED):
            pass
        return answer

    def _receive(self) -> str:
        while (end := self._waiting.find(b"#") + 3) < 3 or len(self._waiting) < end:
            chunk = self._socket.recv(1 << 16)
            if not chunk:
                raise ConnectionError("the debugger has hung up")
            self._waiting += chunk
        whole, self._waiting = self._waiting[:end], self._waiting[end:]
        self._socket.sendall(b"+")
        return whole[whole.index(b"$") + 1 : -3].decode()


def packet(request: str) -> bytes:
    """A request with its checksum: the sum of its bytes, modulo 256."""
    data = request.encode()
    return b"$%s#%02x" % (data, sum(data) % 256)
