"""The panel: what it says it is, and whether it is there."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.hardware.part import Part, again_and_again

CONNECTOR = "card0-eDP-1"
SYSFS = f"/sys/class/drm/{CONNECTOR}"
MONITOR = "/sys/class/drm/card1-Virtual-1"
OVERRIDE = "/sys/kernel/debug/dri/0/eDP-1/edid_override"
EDID_BLOCK, BAD_BYTE = 128, 20
"""Its first block, and a byte in it that says how the picture comes (VESA E-EDID 1.4, 3.6.1)."""
HOLD_DISPLAY = "/opt/bench/hold_display.py"
SECOND_DRIVER = "virtio_gpu"


class Panel(Part):
    """A panel on eDP (see :mod:`tests.bench.image.panel_module`) with QEMU's EDID, or the one in ``table["edid"]``:
    a path from the personality's file, or the bytes in hexadecimal. With ``identified`` false it has none. With
    ``monitor`` true there is a monitor as well, on another adapter.
    """

    name = "panel"

    def prepare(self) -> None:
        """Whether there is a monitor."""
        self._monitor = bool(self.table.get("monitor", False))

    def arguments(self) -> list[str]:
        """The graphics adapter with its panel, and the second one."""
        identified = "on" if self.table.get("identified", True) else "off"
        second = ["-device", "virtio-gpu-pci,id=monitor,addr=8"] if self._monitor else []
        return ["-device", f"VGA,id=vga,edid={identified},xres=1920,yres=1080,addr=2,romfile=", *second]

    def kernel(self) -> list[str]:
        """The second adapter waits for its driver, so that the first one is ``card0``."""
        return [f"modprobe.blacklist={SECOND_DRIVER}"] if self._monitor else []

    def settle(self) -> None:
        """Show the panel's own EDID, where the personality gives one, and find the monitor."""
        if self._monitor:
            self.guest.run("/sbin/modprobe", SECOND_DRIVER).check()
            self.guest.shell(f"until test -e {MONITOR}; do sleep 0.02; done", timeout_s=30).check()
        if "edid" in self.table:
            self.show(self.edid_of(self.table["edid"]))

    def show(self, edid: bytes) -> None:
        """Have the panel hand out ``edid`` from now on, and the driver read it."""
        encoded = base64.b64encode(edid).decode()
        self.guest.shell(f"echo {encoded} | base64 -d | dd of={OVERRIDE} bs=32k; echo detect > {SYSFS}/status").check()

    def seen(self) -> bytes:
        """The EDID that the driver has."""
        return base64.b64decode(self.guest.out("/usr/bin/base64", "-w0", f"{SYSFS}/edid"))

    @contextmanager
    def exchanged(self, edid: bytes) -> Iterator[None]:
        """Another panel, or the same one with a damaged memory."""
        before = self.seen()
        self.show(edid)
        try:
            yield
        finally:
            self.show(before)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Nothing hangs on the connector: the cable is loose, or the panel dead."""
        self.guest.write(f"{SYSFS}/status", "off")
        try:
            yield
        finally:
            self.guest.write(f"{SYSFS}/status", "detect")

    def damage_memory(self) -> None:
        """A bit of its identification memory turns over, for good. The driver reads it at the next start only."""
        innards = self.qemu.innards()
        address = innards.the_only(self.seen()[:EDID_BLOCK])
        (before,) = innards.read(address + BAD_BYTE, 1)
        innards.write(address + BAD_BYTE, bytes([before ^ 0x04]))

    @contextmanager
    def driver_stuck(self) -> Iterator[None]:
        """The driver waits for the panel and does not come back: it holds its lock."""
        holder = self.guest.start("/usr/bin/python3", "-IS", HOLD_DISPLAY)
        try:
            stuck = f"cat {SYSFS}/edid > /dev/null 2>&1 & sleep 1; grep -qs 'State:.D' /proc/$!/status"
            self.guest.shell(f"until {stuck}; do :; done", timeout_s=60).check()
            yield
        finally:
            self.guest.shell(f"kill -KILL {holder}").check()

    @contextmanager
    def flapping(self, period_s: float = 0.6) -> Iterator[None]:
        """A bad contact: away for half of each period, there for the other half, all the time."""
        beats = itertools.cycle(("off", "detect"))
        try:
            with again_and_again(lambda: self.guest.write(f"{SYSFS}/status", next(beats)), period_s / 2):
                yield
        finally:
            self.guest.write(f"{SYSFS}/status", "detect")

    @staticmethod
    def edid_of(given: str) -> bytes:
        """From hexadecimal digits, or a file of bytes."""
        return Path(given).read_bytes() if "/" in given else bytes.fromhex(given)


def another_panel() -> bytes:
    """The EDID of a panel of another maker and model (VESA E-EDID 1.4): AUO, 1920x1080, 34 x 19 cm, with its name."""
    head = bytes.fromhex("00ffffffffffff00 06af ed11 00000000 001a 0104 95221378 02 1025 99555592 2a51 5054 000000")
    timings = bytes.fromhex("0101010101010101010101010101 0101")
    detailed = bytes.fromhex("143780b87038244010103e0058c11000001a")
    name = b"\x00\x00\x00\xfc\x00" + b"B156HAN02.1\n ".ljust(13)
    unused = bytes.fromhex("000000100000000000000000000000000000")
    block = head[:38] + timings + detailed + unused + unused + name + b"\x00"
    return block + bytes([-sum(block) % 256])
