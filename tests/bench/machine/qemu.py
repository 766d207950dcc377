"""One QEMU process: started, spoken to through its monitor, ended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from qemu.qmp.protocol import ConnectError

from tests.bench.machine.bus import Bus
from tests.bench.machine.channel import Channel
from tests.bench.machine.innards import Innards
from tests.bench.machine.qmp import Monitor
from tests.bench.machine.ram import MIB, Ram

T = TypeVar("T")

PROGRAM = "/usr/bin/qemu-system-x86_64"
CPU = "max,-la57,+invtsc,-erms,-fsrm"
"""Without "enhanced" string instructions: told of them, the kernel copies and clears memory with ``rep movsb``, and an
emulated processor does that byte by byte (``dd`` from ``/dev/zero``: 170 MB/s with them, 890 MB/s without)."""
RAM_MIB = 1024
STARTED_WITHIN_S = 20.0
WITH_US = ("/usr/bin/setpriv", "--pdeathsig", "KILL")
"""No QEMU outlives its bench (the thread that started it, strictly)."""

BOARD = (
    *("-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg,thread=multi,tb-size=256"),
    *("-smp", "2,sockets=1,cores=2"),
    *("-cpu", CPU),
    *("-device", "virtio-serial-pci,id=vser"),
    *("-device", "virtserialport,chardev=channel,name=aio.channel"),
)
"""What every virtual AIO has, whatever its hardware."""


class QemuDied(RuntimeError):
    """QEMU ended by itself; the text is what it said."""


class Qemu:
    """A running QEMU. ``folder`` holds its sockets and what it printed; ``memory`` is the file of its RAM."""

    def __init__(
        self, folder: Path, memory: Path, arguments: Sequence[str], *, ram_mib: int = RAM_MIB, machine: str = ""
    ) -> None:
        self.folder = folder
        self.ram = Ram(memory, ram_mib * MIB)
        monitor, channel, self._bus = folder / "qmp", folder / "channel", folder / "bus"
        for path in (monitor, channel, self._bus):
            path.unlink(missing_ok=True)
        shared = f"memory-backend-file,id=ram,size={ram_mib}M,mem-path={memory},share=on"
        argv = [
            *(*WITH_US, PROGRAM, "-object", shared, "-M", f"q35,memory-backend=ram{machine}"),
            *("-chardev", f"socket,id=channel,path={channel},server=on,wait=off"),
            *("-qmp", f"unix:{monitor},server=on,wait=off"),
            *("-qtest", f"unix:{self._bus},server=on,wait=off", "-qtest-log", "none"),
            *("-m", f"{ram_mib}M"),
            *BOARD,
            *arguments,
        ]
        self.log = folder / "qemu.log"
        with self.log.open("ab") as log:
            null = subprocess.DEVNULL
            self.process = subprocess.Popen(argv, stdin=null, stdout=log, stderr=log)
        try:
            self.monitor = self._reach(lambda: Monitor(monitor))
            self.channel = self._reach(lambda: Channel(channel))
        except BaseException:
            self.kill()
            raise

    def qmp(self, command: str, /, **arguments: Any) -> Any:
        """A monitor command; see :class:`tests.bench.machine.qmp.Monitor`."""
        return self.monitor.command(command, **arguments)

    def bus(self) -> Bus:
        """The guest's PCI bus from outside; one at a time, to be closed."""
        return Bus(self._bus, self.qmp("query-pci"))

    def innards(self) -> Innards:
        """QEMU's own memory, for what neither the monitor nor the bus can change."""
        return Innards(self.process.pid)

    def kill(self) -> None:
        """SIGKILL, which for the guest is a power cut. Also cleans up after one that has ended."""
        self.process.kill()
        self.process.wait()
        for part in ("channel", "monitor"):
            if hasattr(self, part):
                getattr(self, part).close()
        self.ram.close()

    def _reach(self, connect: Callable[[], T]) -> T:
        """Connect to one of QEMU's sockets, which is there a moment before it listens."""
        deadline = time.monotonic() + STARTED_WITHIN_S
        while True:
            try:
                return connect()
            except (ConnectError, ConnectionRefusedError, FileNotFoundError):
                if self.process.poll() is not None:
                    raise QemuDied(self.log.read_text(errors="replace")[-1000:].strip()) from None
                if time.monotonic() > deadline:
                    raise QemuDied(f"no answer after {STARTED_WITHIN_S:.0f} s") from None
                time.sleep(0.01)
