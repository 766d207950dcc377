"""The wired network: a card behind which the receiver stands, its cable, and what arrives damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.hardware import acpi
from tests.bench.hardware.part import Part

INTERFACE = "enp0s3"
RECEIVER_PORT = 8000
"""Where the guest reaches the receiver, at its own loopback address: the agent speaks plain HTTP to no other."""

RECEIVE_ADDRESS, CRC_ERRORS = 0x5400, 0x4000
"""Registers of the e1000e: RAL0 and RAH0 with its MAC address, and CRCERRS, which counts frames whose checksum is wrong
(Intel 82574 datasheet, chapter 10). QEMU keeps all registers in one array."""
ADDRESS_VALID = bytes([0x00, 0x80])
"""The upper half of RAH0."""


class Network(Part):
    """A virtio card, or another that ``card`` in the table names (``e1000e``). The guest's address is fixed; nothing
    but this machine's loopback is to be reached from there. With ``radio`` "off" the unit has a switch for Wi-Fi that
    is off; whether there is an adapter behind it, the switch does not say.
    """

    name = "network"

    def prepare(self) -> None:
        """Who the card is."""
        self._mac = str(self.table.get("mac", "52:54:00:a1:0d:01"))

    def arguments(self) -> list[str]:
        """The card and the emulated network behind it, and the switch."""
        model = self.table.get("card", "virtio-net-pci")
        card = f"{model},netdev=net0,id=nic0,mac={self._mac},addr=3,romfile="
        switch = acpi.table("radio_switch", self.folder, BLOCKED=1) if self.table.get("radio") == "off" else []
        return ["-netdev", "user,id=net0,ipv6=off", "-device", card, *switch]

    def settle(self) -> None:
        """An address without waiting for anybody to hand one out."""
        # systemd is up before a card is named on a busy machine
        self.guest.shell(f"until test -e /sys/class/net/{INTERFACE}; do sleep 0.02; done", timeout_s=30).check()
        self.guest.shell(f"ip address add 10.0.2.15/24 dev {INTERFACE}; ip link set {INTERFACE} up").check()

    def reach(self, port: int) -> str:
        """Let the guest reach a server on this machine's loopback; gives the address to use in the guest."""
        listen, to = f"TCP-LISTEN:{RECEIVER_PORT},fork,reuseaddr,bind=127.0.0.1", f"TCP:10.0.2.2:{port}"
        self.guest.start("/usr/bin/socat", listen, to)
        return f"http://127.0.0.1:{RECEIVER_PORT}"

    @contextmanager
    def unplugged(self) -> Iterator[None]:
        """The cable is out."""
        self.qemu.qmp("set_link", name="nic0", up=False)
        try:
            yield
        finally:
            self.qemu.qmp("set_link", name="nic0", up=True)

    def drop_out(self, times: int) -> None:
        """The plug has a bad contact: the link is lost and comes back, so many times."""
        for _ in range(times):
            for up in (False, True):
                self.qemu.qmp("set_link", name="nic0", up=up)
                state = f"/sys/class/net/{INTERFACE}/carrier"
                self.guest.shell(f"until grep -q {int(up)} {state}; do sleep 0.02; done", timeout_s=20).check()

    @contextmanager
    def damaged(self, frames: int) -> Iterator[None]:
        """So many frames arrive with a wrong checksum at an e1000e, time after time: it drops and counts them, and the
        driver asks for the count every two seconds. QEMU's does not clear it when it is read.
        """
        innards = self.qemu.innards()
        own = bytes.fromhex(self._mac.replace(":", "")) + ADDRESS_VALID
        counter = innards.the_only(own) - RECEIVE_ADDRESS + CRC_ERRORS
        innards.write(counter, frames.to_bytes(4, "little"))
        try:
            yield
        finally:
            innards.write(counter, bytes(4))
