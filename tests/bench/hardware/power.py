"""How a session ends other than in order: crashes and freezes, the watchdog, and the records that they leave.

The power itself is the machine's: ``aio.power_cut()`` and ``aio.power_on()``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.hardware import registers
from tests.bench.hardware.part import Part
from tests.bench.machine.debugger import Debugger

WATCHDOG_S = 15
"""Seconds without a sign of life; a busy guest must not miss them."""
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

    @property
    def watchdog_runs(self) -> bool:
        """Whether somebody in the guest has started it."""
        return self.guest.read(_WATCHDOG_STATE).strip() == "active"

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

    def reset(self) -> None:
        """The reset line: everything starts anew on the spot."""
        self.qemu.qmp("system_reset")

    def restart(self) -> None:
        """A person restarts the machine, in order."""
        self.guest.start("/usr/bin/systemctl", "reboot")
