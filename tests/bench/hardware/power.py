"""How a session ends other than in order: crashes and freezes, the watchdog, and the records that they leave.

The power itself is the machine's: ``aio.power_cut()`` and ``aio.power_on()``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.bench.hardware import registers
from tests.bench.hardware.part import Part
from tests.bench.machine.debugger import Debugger

WATCHDOG_S = 15
"""Seconds without a sign of life; a busy guest must not miss them."""
LOOK_S = 0.5
"""Seconds between two looks whether the machine sleeps."""
_WATCHDOG_STATE = "/sys/class/watchdog/watchdog0/state"


class Power(Part):
    """A watchdog that resets the machine (an i6300ESB, not armed), an NMI that crashes the kernel, as a crash button
    does, and memory for the kernel's crash records, where firmware has its own on a real unit.
    """

    name = "power"

    def arguments(self) -> list[str]:
        """The watchdog."""
        return ["-device", "i6300esb,id=watchdog,addr=7", "-action", "watchdog=reset"]

    def kernel(self) -> list[str]:
        """The chipset's own watchdog, which tells nobody that it has bitten, is left out."""
        size, address = registers.CRASH_RECORDS_SIZE, registers.CRASH_RECORDS
        return [
            registers.RESERVED,
            *("modules_load=ramoops", f"ramoops.mem_address={address:#x}", f"ramoops.mem_size={size:#x}"),
            *("ramoops.record_size=0x10000", "ramoops.console_size=0"),
            *("unknown_nmi_panic=1", "modprobe.blacklist=iTCO_wdt", f"i6300esb.heartbeat={WATCHDOG_S}"),
        ]

    def panic(self) -> None:
        """The kernel crashes, and the machine restarts 5 s later."""
        self.qemu.qmp("inject-nmi")

    def arm_watchdog(self) -> None:
        """Something in the guest gives the watchdog its signs of life from now on; a busy guest is slow to begin."""
        feeder = "exec 9>/dev/watchdog0; while printf . >&9; do sleep 1; done"
        self.guest.start("/bin/sh", "-c", feeder)
        self.guest.shell(f"until grep -qx active {_WATCHDOG_STATE}; do sleep 0.2; done").check()

    def hang(self) -> None:
        """Both processors stop on the spot and hear no interrupt any more; all else goes on."""
        with Debugger(self.qemu.monitor, self.folder / "debugger") as debugger:
            debugger.hang()

    @contextmanager
    def processor_standing(self, processor: int = 1) -> Iterator[None]:
        """One processor stands still meanwhile, and the other one goes on as long as it needs nothing of it."""
        debugger = Debugger(self.qemu.monitor, self.folder / "debugger")
        with debugger, debugger.standing(processor):
            yield

    def freeze(self) -> None:
        """Nothing moves any more in the whole machine, clocks included."""
        self.qemu.qmp("stop")

    @contextmanager
    def whenever_asleep(self, do: Callable[[], None]) -> Iterator[None]:
        """Something happens each time that the machine has just fallen asleep (ACPI S3)."""
        over = threading.Event()

        def watch() -> None:
            was_asleep = False
            while not over.wait(LOOK_S):
                asleep = self.qemu.qmp("query-status")["status"] == "suspended"
                if asleep and not was_asleep:
                    time.sleep(LOOK_S)
                    do()
                was_asleep = asleep

        thread = threading.Thread(target=watch, name="sleep")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def wake(self) -> None:
        """Something wakes the machine that is no alarm of its clock: a plug that is touched, a mouse."""
        self.qemu.qmp("system_wakeup")

    def reset(self) -> None:
        """The reset line: everything starts anew on the spot."""
        self.qemu.qmp("system_reset")

    def restart(self) -> None:
        """A person restarts the machine, in order."""
        self.guest.start("/usr/bin/systemctl", "reboot")
