"""USB: the controller and its ports, a hub behind the sockets, a touch screen and a keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.hardware import acpi
from tests.bench.hardware.medium import Medium
from tests.bench.hardware.part import Part
from tests.bench.hardware.usb_devices import USB_3, Hub, Mute, Stick
from tests.bench.machine.usbredir import Redirected, UsbDevice

CONTROLLER = "xhci"
BUS = "usb1"
HUB_PORT, CAMERA_PORT, TOUCH_PORT, SOCKET = 1, 2, 3, 4
"""Ports of the controller's root hub; the last one is a socket."""
HUB, TOUCH, IN_SOCKET, FAST_IN_SOCKET = "1-1", "1-3", "1-4", "2-4"
"""Devices as the guest calls them; one for USB 3 hangs on the second root hub."""
DEVICES = "/sys/bus/usb/devices"
FOUND_OR_GONE_S = 90.0
"""Seconds until a device is found or has gone: one that hangs is reset a last time first, on a machine that is busy."""
STICK = "/dev/sda"
STICK_MIB = 16


class Usb(Part):
    """Nothing of it where ``controller`` in the table is false."""

    name = "usb"
    redirected: dict[str, Redirected]

    def prepare(self) -> None:
        """What this side makes up, by its name in QEMU."""
        self.there = bool(self.table.get("controller", True))
        self.redirected = {}
        self.hub = Hub()

    def arguments(self) -> list[str]:
        """The controller with what can be in a snapshot, and what firmware says of its ports."""
        if not self.there:
            return []
        return [
            *(*acpi.table("usb_ports", self.folder), "-device", f"qemu-xhci,id={CONTROLLER},addr=5"),
            *("-device", f"usb-tablet,id=touch,bus=xhci.0,port={TOUCH_PORT},serial=TS2602"),
        ]

    def settle(self) -> None:
        """Have the drivers in the snapshot, which take longer to load than what they drive to be found."""
        if self.there:
            self.guest.run("/sbin/modprobe", "-a", "uvcvideo", "uas", "sd_mod").check()

    def connect(self) -> None:
        """Plug in the hub."""
        if self.there:
            self.plug("hub", self.hub, HUB_PORT)

    def ready(self) -> None:
        """The hub is found."""
        if self.there:
            self.await_device(HUB)

    def disconnect(self) -> None:
        """Hang up."""
        for redirected in self.redirected.values():
            redirected.close()
        self.redirected = {}

    def touch_screen_lost(self) -> None:
        """The touch screen's cable comes off."""
        self.qemu.qmp("device_del", id="touch")
        self.await_device(TOUCH, there=False)

    @contextmanager
    def mute_device(self) -> Iterator[None]:
        """Something hangs in the socket that is seen and does not answer."""
        self.plug("mute", Mute(), SOCKET)
        try:
            self.guest.shell(f"until dmesg | grep -q '{BUS}-port{SOCKET}: unable'; do sleep 0.1; done", timeout_s=40)
            yield
        finally:
            self.unplug("mute")

    @contextmanager
    def overload(self, port: int) -> Iterator[None]:
        """Too much current is drawn from a port of the hub, which switches it off."""
        self._current(port, too_much=True)
        reported = f"dmesg | grep -q '{HUB}-port{port}: over-current condition'"
        self.guest.shell(f"until {reported}; do sleep 0.05; done", timeout_s=30)
        try:
            yield
        finally:
            self._current(port, too_much=False)

    def _current(self, port: int, *, too_much: bool) -> None:
        count = f"{DEVICES}/{HUB}:1.0/{HUB}-port{port}/over_current_count"
        before = int(self.guest.read(count))
        self.redirected["hub"].interrupt(self.hub.STATUS_CHANGE, self.hub.overload(port, too_much))
        self.guest.shell(f"while test $(cat {count}) -eq {before}; do sleep 0.02; done", timeout_s=30).check()

    @contextmanager
    def controller_stuck(self) -> Iterator[None]:
        """The controller does nothing any more that it is told to."""
        with self.qemu.bus() as bus:
            bus.let_reach_memory(CONTROLLER, False)
            try:
                yield
            finally:
                bus.let_reach_memory(CONTROLLER, True)

    @contextmanager
    def stick(self) -> Iterator[Medium]:
        """A stick is in the socket; gives what it keeps its data on."""
        medium = Medium("stick", self.folder, STICK_MIB)
        medium.plug(self.qemu)
        stick = {"driver": "usb-storage", "id": "stick", "drive": medium.name}
        self.qemu.qmp("device_add", bus="xhci.0", port=str(SOCKET), **stick)
        self._await_disk(FAST_IN_SOCKET)
        try:
            yield medium
        finally:
            self.qemu.qmp("device_del", id="stick")
            self.await_device(FAST_IN_SOCKET, there=False)
            medium.unplug()

    @contextmanager
    def stick_hanging(self) -> Iterator[None]:
        """A stick in the socket that was found, and now never gives what is read of it: the kernel, which is told to
        wait for 1 s only, resets it time after time.
        """
        with self._made_up(Stick()) as stick:
            self.guest.write(f"/sys/block/{Path(STICK).name}/device/timeout", "1")
            stick.hangs = True
            yield

    @contextmanager
    def stick_below_its_speed(self) -> Iterator[None]:
        """A stick for USB 3 in the socket, of which only the contacts for USB 2 meet: it runs at 480 Mbit/s."""
        with self._made_up(Stick(USB_3)):
            yield

    @contextmanager
    def _made_up(self, stick: Stick) -> Iterator[Stick]:
        self.plug("made-up", stick, SOCKET)
        self._await_disk(IN_SOCKET)
        try:
            yield stick
        finally:
            stick.hangs = False
            self.unplug("made-up")
            self.await_device(IN_SOCKET, there=False)

    def _await_disk(self, device: str) -> None:
        self.await_device(device)
        self.guest.shell(f"until test -b {STICK}; do sleep 0.02; done; udevadm settle", timeout_s=30).check()

    def plug(self, name: str, device: UsbDevice, port: int) -> Redirected:
        """Put a device of this side's making into a port."""
        path = self.folder / f"usb-{name}"
        address = {"type": "unix", "data": {"path": str(path)}}
        backend = {"type": "socket", "data": {"addr": address, "server": True, "wait": False}}
        self.qemu.qmp("chardev-add", id=f"usb-{name}", backend=backend)
        self.redirected[name] = redirected = Redirected(device, path)
        self.qemu.qmp("device_add", driver="usb-redir", id=name, chardev=f"usb-{name}", bus="xhci.0", port=str(port))
        redirected.plug()
        return redirected

    def unplug(self, name: str) -> None:
        """Take out a device of this side's making for good."""
        self.qemu.qmp("device_del", id=name)
        self.redirected.pop(name).close()

    def await_device(self, device: str, *, there: bool = True) -> None:
        """Wait until the guest has a device (``1-2``) with its interfaces, or has it no more."""
        test = f"test -e {DEVICES}/{device}:1.0"
        wait = f"until {test}; do sleep 0.02; done" if there else f"while {test}; do sleep 0.02; done"
        self.guest.shell(f"{wait}; udevadm settle", timeout_s=FOUND_OR_GONE_S).check()
