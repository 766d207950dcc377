"""Memory with error correction (ECC), and the errors that its controller finds.

QEMU's host bridge (82Q35) has no ECC. The same family's 3200 has, and Linux a driver for it (``i3200_edac``), so the
bridge is turned into one: its configuration space is changed in QEMU's own memory, and its memory-mapped registers lie
in memory of the guest that the kernel keeps its hands off.

Registers: Linux drivers/edac/i3200_edac.c, after Intel's data sheet of the 3200 and 3210 chipsets.
"""

from __future__ import annotations

import struct
import time
from enum import IntFlag

from tests.bench.hardware import registers
from tests.bench.hardware.part import Part
from tests.bench.machine.pci_config import PciConfig

BRIDGE = "0000:00:00.0"
DRIVER = "i3200_edac"
COUNTERS = "/sys/devices/system/edac/mc/mc0"
SEEN_WITHIN_S = 20.0
"""The driver looks each second (edac_mc_poll_msec)."""

_INTEL, _3200 = 0x8086, 0x29F0
_WINDOW_AT, _WINDOW_ENABLED = 0x48, 1
_ERROR_STATUS = 0xC8
_RANK_ENDS = (0x200, 0x600)
"""Of channel 0 and 1: where each of four ranks ends, in units of 64 MiB."""
_ERROR_LOG = 0x280
"""Of channel 0: bit 0 corrected, bit 1 not; bits 23:16 syndrome; bits 28:27 rank."""
_SYNDROME = 0x5A


class EccError(IntFlag):
    """Bits of the error status and of the log."""

    CORRECTED = 1
    UNCORRECTED = 2


class Ecc(Part):
    """Nothing of it unless :meth:`fit` is called: an all-in-one seldom has it."""

    name = "ecc"

    def fit(self) -> None:
        """The memory has ECC: two channels of one module with two ranks of 256 MiB each, and the kernel's driver counts
        its errors. Like that of some real ones, it knows the rank of an error and not the channel.
        """
        self._bridge = PciConfig(self.qemu.innards(), self.guest, BRIDGE)
        self._bridge.write(_ERROR_STATUS, bytes(2))
        self._bridge.clear_where_one_is_written(_ERROR_STATUS, EccError.CORRECTED | EccError.UNCORRECTED)
        self._bridge.write(_WINDOW_AT, struct.pack("<Q", registers.MEMORY_CONTROLLER | _WINDOW_ENABLED))
        for ends in _RANK_ENDS:
            self.qemu.ram.write(registers.MEMORY_CONTROLLER + ends, struct.pack("<4H", 4, 8, 8, 8))
        self._bridge.become(_INTEL, _3200)
        self.guest.run("/sbin/modprobe", DRIVER).check()

    def error(self, kind: EccError, rank: int = 0) -> None:
        """The controller finds an error in a rank (0 or 1) of the first channel; over once the driver has seen it."""
        log = kind | _SYNDROME << 16 | rank << 27
        self.qemu.ram.write(registers.MEMORY_CONTROLLER + _ERROR_LOG, struct.pack("<Q", log))
        self._bridge.write(_ERROR_STATUS, struct.pack("<H", kind))
        deadline = time.monotonic() + SEEN_WITHIN_S
        while self._bridge.read(_ERROR_STATUS, 2) != bytes(2):
            if time.monotonic() > deadline:
                raise TimeoutError("the driver does not look at the error")
            time.sleep(0.05)
