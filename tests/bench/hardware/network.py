"""The wired network: a card behind which the receiver stands, its cable, and what arrives damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.hardware import acpi
from tests.bench.hardware.part import Part
from tests.bench.machine.pci_config import PciConfig

INTERFACE = "enp0s3"
ROUTER = "10.0.2.2"
"""QEMU's user network answers pings there itself."""
RECEIVER_PORT = 8000
"""Where the guest reaches the receiver, at its own loopback address: the agent speaks plain HTTP to no other."""

RECEIVE_ADDRESS, CRC_ERRORS = 0x5400, 0x4000
"""Registers of the e1000e: RAL0 and RAH0 with its MAC address, and CRCERRS, which counts frames whose checksum is wrong
(Intel 82574 datasheet, chapter 10). QEMU keeps all registers in one array."""
ADDRESS_VALID = bytes([0x00, 0x80])
"""The upper half of RAH0."""

SECOND_IN_GUEST, THIRD_IN_GUEST = "0000:02:00.0", "0000:03:00.0"
"""Behind the ports after that of the first drive."""
LINK_CAPABILITIES, LINK_STATUS = 0xE0 + 0x0C, 0xE0 + 0x12
"""Of QEMU's e1000e, whose PCI Express capability lies at 0xE0 (hw/net/e1000e.c; PCIe Base Specification 5.0, 7.5.3)."""
WIDTH_SHIFT, WIDTH_MASK = 4, 0x3F0
"""Maximum width of the link in the former, the negotiated one in the latter."""


class Network(Part):
    """A virtio card, or another that ``card`` in the table names (``e1000e``). The guest's address is fixed; nothing
    but this machine's loopback is to be reached from there. With ``radio`` "off" the unit has a switch for Wi-Fi that
    is off; whether there is an adapter behind it, the switch does not say. With ``more`` true there are two more cards,
    on PCI Express and without an address: an e1000e, and a virtio card, which there has another number than elsewhere.
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
        return ["-netdev", "user,id=net0,ipv6=off", "-device", card, *switch, *self._more()]

    def _more(self) -> list[str]:
        words = []
        for number, model in ((1, "e1000e"), (2, "virtio-net-pci")) if self.table.get("more") else ():
            port = f"pcie-root-port,id=nic{number}-port,chassis=1{number},slot=1{number},addr=1{'bcd'[number]}"
            card = f"{model},netdev=net{number},id=nic{number},mac=52:54:00:a1:0d:1{number},romfile="
            behind = f"{card},bus=nic{number}-port"
            words += ["-netdev", f"user,id=net{number},ipv6=off,restrict=on", "-device", port, "-device", behind]
        return words

    def settle(self) -> None:
        """An address, and a router, without waiting for anybody to tell of them."""
        # systemd is up before a card is named on a busy machine
        self.guest.shell(f"until test -e /sys/class/net/{INTERFACE}; do sleep 0.02; done", timeout_s=30).check()
        for card in (SECOND_IN_GUEST, THIRD_IN_GUEST) if self.table.get("more") else ():
            there = f"until test -e /sys/bus/pci/devices/{card}/driver; do sleep 0.02; done; udevadm settle"
            self.guest.shell(there, timeout_s=60).check()
        up = f"ip address add 10.0.2.15/24 dev {INTERFACE}; ip link set {INTERFACE} up"
        self.guest.shell(f"{up}; ip route add default via {ROUTER}").check()

    def reach(self, port: int) -> str:
        """Let the guest reach a server on this machine's loopback; gives the address to use in the guest."""
        listen, to = f"TCP-LISTEN:{RECEIVER_PORT},fork,reuseaddr,bind=127.0.0.1", f"TCP:{ROUTER}:{port}"
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
    def losing(self, percent: int) -> Iterator[None]:
        """So many of the packets that the unit sends are lost at random. By the kernel's own emulator of bad networks
        (tc-netem), from inside: QEMU's network loses none.
        """
        self.guest.out("tc", "qdisc", "add", "dev", INTERFACE, "root", "netem", "loss", f"{percent}%")
        try:
            yield
        finally:
            self.guest.out("tc", "qdisc", "del", "dev", INTERFACE, "root")

    def runs_at(self, mbit_s: int) -> None:
        """The link has settled at this speed. A virtio card says what it was told, and that from inside."""
        self.guest.out("ethtool", "-s", INTERFACE, "speed", str(mbit_s), "duplex", "full")

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

    def third_gone(self) -> None:
        """The third card is no longer there, for good."""
        self.qemu.qmp("device_del", id="nic2")
        gone = f"while test -e /sys/bus/pci/devices/{THIRD_IN_GUEST}; do sleep 0.05; done; udevadm settle"
        self.guest.shell(gone, timeout_s=60).check()

    def second_on_lanes(self, lanes: int, possible: int) -> None:
        """The link of the second card, which can use ``possible`` lanes, has settled at ``lanes``."""
        config = PciConfig(self.qemu.innards(), self.guest, SECOND_IN_GUEST)
        for at, width in ((LINK_CAPABILITIES, possible), (LINK_STATUS, lanes)):
            link = int.from_bytes(config.read(at, 2), "little") & ~WIDTH_MASK | width << WIDTH_SHIFT
            config.write(at, link.to_bytes(2, "little"))
