"""The network: what each interface with hardware behind it says of its link and of damaged packets.

Names people and places by nothing: no MAC or IP address, no host name, no SSID leaves ``gather``. ``address`` and the
like are not read, of ``iw`` only the lines of ``_IW_LINES`` are kept, and an interface that is named after its MAC
address (systemd.net-naming-scheme(7): ``enx001122334455``) is called ``enx-1`` in evidence too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.model.network_interface import NET, interface_kind, link_speed, masked, masks, without_macs
from agent.probes._probe import Probe, Seen
from agent.tools.gap import program_gap

RFKILL = "/sys/class/rfkill"
UPTIME = "/proc/uptime"
INTERFACE_TIMEOUT_S = 5.0
"""Seconds for one interface, with ``iw``; ours. Reading the speed asks the driver, which answers within ms."""
IW_TIMEOUT_S = 3.0

_COUNTERS = {
    "carrier_changes": "carrier_changes",
    "carrier_down": "carrier_down_count",
    "packets.rx": "statistics/rx_packets",
    "errors.rx": "statistics/rx_errors",
    "errors.tx": "statistics/tx_errors",
    "errors.crc": "statistics/rx_crc_errors",
    "errors.dropped": "statistics/rx_dropped",
    "errors.collisions": "statistics/collisions",
}
COUNTERS = tuple(f"{NET}/*/{file}" for file in ("device", "type", "uevent", "phy80211", *_COUNTERS.values()))
"""Files of the counters, and those that tell a wired interface and Wi-Fi from others. Names may hold MAC addresses."""
_FILES = (
    *("type", "uevent", "phy80211", "flags", "operstate", "carrier", "speed", "duplex", "mtu"),
    *("device/driver", "device/vendor", "device/device"),
    *_COUNTERS.values(),
)
_IFF_UP = 1  # include/uapi/linux/if.h
_OPERSTATES = ("up", "down", "dormant", "lowerlayerdown", "notpresent", "testing")  # RFC 2863
_IW_LINES = re.compile(
    r"\s*(?:Not connected\.|command failed: [A-Za-z ]+ \(-\d+\)"
    r"|signal: -?\d+ dBm|freq: [\d.]+|[rt]x bitrate: [\w. /-]+)",
    re.ASCII,
)


class NetworkProbe(Probe):
    """Interfaces with a ``device`` in ``/sys/class/net``, wired or Wi-Fi, with their readings; subject ``eth0``.

    From Documentation/ABI/testing/sysfs-class-net and sysfs-class-net-statistics: ``network.up`` and
    ``network.carrier`` (yes/no; a cable that is not plugged in has none), ``network.operstate`` and ``network.duplex``,
    ``network.speed`` (bit/s, scaled from Mbit/s), ``network.mtu`` (B), and since the interface is there (count)
    ``network.carrier_changes``, ``network.carrier_down``, ``network.packets.rx``,
    ``network.errors.rx|tx|crc|dropped|collisions``. ``network.uptime`` is that of the unit, in s.

    From ``iw dev … link``, for Wi-Fi that is up: ``network.wifi.signal`` (dBm), ``network.wifi.frequency`` (Hz, scaled
    from MHz), ``network.wifi.rx_rate`` and ``.tx_rate`` (bit/s, scaled from Mbit/s).

    From ``/sys/class/rfkill`` (Documentation/ABI/stable/sysfs-class-rfkill), subject ``rfkill0``:
    ``network.blocked.type`` (``wlan``, ``bluetooth``), ``network.blocked.soft`` and ``network.blocked.hard`` (yes/no).
    """

    area: ClassVar[str] = "network"
    timeout_s: ClassVar[float] = 10.0
    programs: ClassVar[tuple[str, ...]] = ("iw",)

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Which interfaces there are, then each of them side by side."""
        names = [path.split("/")[-2] for path in host.glob(f"{NET}/*/device")]
        macs = masks(names)
        interfaces = {masked(name, macs): name for name in names}
        unit = host.tree(f"{NET}/*/device", *(f"{RFKILL}/*/{file}" for file in ("type", "soft", "hard")), UPTIME)
        yield without_macs(unit, macs)

        def read(handle: str) -> tuple[Evidence, ...]:
            return tuple(without_macs(e, macs) for e in _read(host, interfaces[handle], handle))

        for answer in host.each(interfaces, read, timeout_s=INTERFACE_TIMEOUT_S):
            if isinstance(answer, Gap):
                yield answer
            else:
                yield from answer

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Each interface with its readings; an essential gap where there is none."""
        trees = [e for e in evidence if e.kind == "tree"]
        merged = Tree.merged(trees)
        times = {e.subject: e.time for e in trees}
        time = trees[0].time if trees else ""
        known = dict.fromkeys(p.split("/")[4] for p in merged.paths(f"{NET}/*/device"))
        found = {name: kind for name in known if (kind := interface_kind(merged, name)) is not None}
        if not found:
            yield _nothing([name for name in known if merged.text(f"{NET}/{name}/type") is None])
        for name, kind in found.items():
            yield from _interface(merged, name, kind, times.get(name, time))
        for e in evidence:
            if e.kind == "iw-link":
                yield from _wifi_link(e)
        yield from _radio_switches(merged, time)
        uptime = re.match(r"\d{1,12}(\.\d{1,9})?(?=\s|$)", merged.text(UPTIME) or "", re.ASCII)
        if uptime:
            yield Reading("network.uptime", float(uptime[0]), "s", ComponentKind.MOTHERBOARD, "", UPTIME, time)


PROBE = NetworkProbe()


def _read(host: Host, name: str, handle: str) -> Iterator[Evidence]:
    evidence = host.tree(*(f"{NET}/{name}/{file}" for file in _FILES), subject=handle)
    yield evidence
    tree = evidence.tree()
    if interface_kind(tree, name) is ComponentKind.WIFI and tree.text(f"{NET}/{name}/operstate") == "up":
        link = host.output("iw-link", "iw", "dev", name, "link", subject=handle, timeout_s=IW_TIMEOUT_S)
        kept = [line for line in link.text().splitlines() if _IW_LINES.fullmatch(line.rstrip())]
        yield replace(link, data="".join(f"{line}\n" for line in kept).encode())


def counters(host: Host) -> Evidence:
    """The files of :data:`COUNTERS`, without MAC addresses."""
    tree = host.tree(*COUNTERS)
    return without_macs(tree, masks(sorted({path.split("/")[4] for path in tree.tree().files})))


def _nothing(unread: Sequence[str]) -> Gap:
    if unread:
        reason = Text("could not be read: {error}", {"error": f"{NET}/{unread[0]}"})
        return Gap("", Outcome.ERROR, reason, essential=True)
    return Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)


def _interface(tree: Tree, name: str, kind: ComponentKind, time: str) -> Iterator[Seen]:
    base = f"{NET}/{name}"

    def reading(quantity: str, value: Value, unit: str, file: str) -> Reading:
        return Reading(f"network.{quantity}", value, unit, kind, name, f"{base}/{file}", time)

    yield Component(
        kind,
        name,
        model=":".join(_hexadecimal(tree, f"{base}/device/{file}") for file in ("vendor", "device")).strip(":"),
        location=(tree.link(f"{base}/device") or "").rpartition("/")[2],
        description=(tree.link(f"{base}/device/driver") or "").rpartition("/")[2],
        source=f"{base}/device",
    )
    flags = tree.integer(f"{base}/flags")
    if flags is not None:
        yield reading("up", bool(flags & _IFF_UP), "", "flags")
    carrier = tree.integer(f"{base}/carrier")  # refused (EINVAL) while the interface is down
    if carrier in (0, 1):
        yield reading("carrier", carrier == 1, "", "carrier")
    for file, words in (("operstate", _OPERSTATES), ("duplex", ("half", "full"))):
        word = tree.text(f"{base}/{file}")
        if word is not None and word in words:
            yield reading(file, word, "", file)
    speed = link_speed(tree, name)
    if speed is not None:
        yield reading("speed", speed, "bit/s", "speed")
    mtu = _counter(tree, f"{base}/mtu")
    if mtu is not None:
        yield reading("mtu", mtu, "B", "mtu")
    for quantity, file in _COUNTERS.items():
        count = _counter(tree, f"{base}/{file}")
        if count is not None:
            yield reading(quantity, count, "count", file)


def _wifi_link(e: Evidence) -> Iterator[Seen]:
    if e.problem is not None or e.exit_status != 0:
        yield program_gap(e, e.subject, essential=False)
        return
    for quantity, line, scale, unit in (
        ("signal", r"signal: (-\d{1,3}) dBm", 1, "dBm"),
        ("frequency", r"freq: (\d{4,6}(?:\.\d)?)", 1_000_000, "Hz"),
        ("rx_rate", r"rx bitrate: (\d{1,6}(?:\.\d)?) MBit/s.*", 1_000_000, "bit/s"),
        ("tx_rate", r"tx bitrate: (\d{1,6}(?:\.\d)?) MBit/s.*", 1_000_000, "bit/s"),
    ):
        match = re.search(rf"^\s*{line}$", e.text(), re.ASCII | re.MULTILINE)
        if match:
            value = round(float(match[1]) * scale)
            yield Reading(f"network.wifi.{quantity}", value, unit, ComponentKind.WIFI, e.subject, e.source, e.time)


def _radio_switches(tree: Tree, time: str) -> Iterator[Reading]:
    for path in tree.paths(f"{RFKILL}/*/type"):
        switch, name = path.rpartition("/")[0], path.split("/")[4]
        kind = tree.text(path)
        # Bluetooth is on the same card; the others have none in an all-in-one
        if kind not in {"wlan", "bluetooth"}:
            continue
        yield Reading("network.blocked.type", kind, "", ComponentKind.WIFI, name, path, time)
        for how in ("soft", "hard"):
            state = tree.integer(f"{switch}/{how}")
            if state in (0, 1):
                source = f"{switch}/{how}"
                yield Reading(f"network.blocked.{how}", state == 1, "", ComponentKind.WIFI, name, source, time)


def _counter(tree: Tree, path: str) -> int | None:
    value = tree.integer(path)
    return value if value is not None and 0 <= value < 2**63 else None


def _hexadecimal(tree: Tree, path: str) -> str:
    """A PCI identifier (``0x8086``) without its prefix; ``""`` where it is none."""
    match = re.fullmatch(r"0x([0-9a-f]{4})", tree.text(path) or "")
    return match[1] if match else ""
