"""Network interfaces: which have hardware that is judged here, and their names without MAC addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.model.component import ComponentKind
from agent.model.evidence import Evidence, Tree

NET = "/sys/class/net"
_ARPHRD_ETHER = 1  # include/uapi/linux/if_arp.h
_SPEED_MAX_MBIT = 1_000_000  # beyond any Ethernet (IEEE 802.3df: 800 000)
_SPEED_UNKNOWN = 65535  # what drivers with a 16-bit field give for -1
_MAC = re.compile(r"[0-9a-fA-F]{12}")


def interface_kind(tree: Tree, name: str) -> ComponentKind | None:
    """Wi-Fi or wired; ``None`` for others that have a device too, such as a telephone's or a modem's."""
    devtype = re.search(r"^DEVTYPE=(\w+)$", tree.text(f"{NET}/{name}/uevent") or "", re.ASCII | re.MULTILINE)
    if tree.link(f"{NET}/{name}/phy80211") is not None or (devtype and devtype[1] == "wlan"):
        return ComponentKind.WIFI
    if devtype is None and tree.integer(f"{NET}/{name}/type") == _ARPHRD_ETHER:
        return ComponentKind.ETHERNET
    return None


def link_speed(tree: Tree, name: str) -> int | None:
    """What the link runs at, in bit/s (in the file Mbit/s: Documentation/ABI/testing/sysfs-class-net)."""
    speed = tree.integer(f"{NET}/{name}/speed")
    return speed * 1_000_000 if speed is not None and 0 < speed < _SPEED_MAX_MBIT and speed != _SPEED_UNKNOWN else None


def masks(names: Iterable[str]) -> dict[str, str]:
    """What stands for each MAC address in names of interfaces (systemd.net-naming-scheme(7): ``enx001122334455``)."""
    return {mac: f"-{n}" for n, mac in enumerate(sorted({m for name in names for m in _MAC.findall(name)}), 1)}


def masked(text: str, macs: Mapping[str, str]) -> str:
    """A text with what stands for the MAC addresses of :func:`masks`."""
    for mac, mask in macs.items():
        text = text.replace(mac, mask)
    return text


def without_macs(e: Evidence, macs: Mapping[str, str]) -> Evidence:
    """Evidence with what stands for the MAC addresses of :func:`masks`, in its data and its source."""
    return replace(e, data=masked(e.text(), macs).encode(), source=masked(e.source, macs)) if macs else e
