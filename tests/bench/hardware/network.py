"""The wired network: a card behind which the receiver stands, and its cable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.hardware.part import Part

INTERFACE = "enp0s3"
RECEIVER_PORT = 8000
"""Where the guest reaches the receiver, at its own loopback address: the agent speaks plain HTTP to no other."""


class Network(Part):
    """A virtio card. The guest's address is fixed; nothing but this machine's loopback is to be reached from there."""

    name = "network"

    def arguments(self) -> list[str]:
        """The card and the emulated network behind it."""
        mac = self.table.get("mac", "52:54:00:a1:0d:01")
        card = f"virtio-net-pci,netdev=net0,id=nic0,mac={mac},addr=3,romfile="
        return ["-netdev", "user,id=net0,ipv6=off", "-device", card]

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
