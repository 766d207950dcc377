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


@scenario(
    "network",
    customer="There is no Wi-Fi, so I use the cable, and downloads break off all the time.",
    symptom="network-drops",
    expected=[Expected("NET-7408", "ethernet", "warning", INTERFACE), Expected("NET-7435", "wifi", "info")],
    changes={"network": {"card": "e1000e", "radio": "off"}},
)
def network_damaged_and_radio_off(aio: VirtualAio, check: Check) -> None:
    """Much of what comes over the network cable arrives damaged, and the unit's switch for Wi-Fi is off."""
    said = aio.guest.shell("grep -H . /sys/class/rfkill/*/type /sys/class/rfkill/*/hard").out
    proven("type:wlan" in said and "hard:1" in said, "the kernel says that the switch blocks Wi-Fi", said)
    with aio.network.damaged(500):
        said = aio.guest.shell(f"until ethtool -S {INTERFACE} | grep 'rx_crc_errors: [1-9]'; do sleep 0.2; done").out
        proven("rx_crc_errors" in said, "ethtool shows wrong checksums", said)
        check()
