"""The wired network: a link that drops, and a cable that was out for a while."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.network import INTERFACE
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

CARRIER = f"/sys/class/net/{INTERFACE}/carrier"


@scenario(
    "network",
    customer="The internet is gone for some seconds every few minutes.",
    symptom="network-drops",
    expected=[Expected("NET-7419", "ethernet", "warning", INTERFACE)],
)
def network_drops(aio: VirtualAio, check: Check) -> None:
    """The link of the network cable is lost and comes back, twenty times."""
    aio.network.drop_out(20)
    said = aio.guest.read(f"/sys/class/net/{INTERFACE}/carrier_down_count")
    proven(int(said) >= 20, "the kernel counts the drops", said)
    said = aio.guest.out("ip", "link", "show", INTERFACE)
    proven("LOWER_UP" in said, "the link is there again", said)
    check()


@scenario("network", customer="I had the cable out.", symptom="network-drops", never=["NET-*"])
def network_cable_was_out(aio: VirtualAio, check: Check) -> None:
    """None: the network cable was pulled out once and is in again."""
    with aio.network.unplugged():
        aio.guest.shell(f"until grep -q 0 {CARRIER}; do sleep 0.02; done", timeout_s=20)
        said = aio.guest.out("ip", "link", "show", INTERFACE)
        proven("NO-CARRIER" in said, "ip sees no carrier", said)
    aio.guest.shell(f"until grep -q 1 {CARRIER}; do sleep 0.02; done", timeout_s=20).check()
    check()
