"""The links of the unit under traffic: questions to the router that their networks have, and whether each link stays
up and as fast as it was.

Every interface that is up and has a router (IPv4) asks it 20 times a second, all of them side by side, with packets of
a size that changes by the seed: at most 30 kB/s each way. Nothing is sent beyond the router and no link is taken down.
Names nobody and no place: of ping, only the lines of ``_LINES`` are kept, the router's address is left out, and names
of interfaces as the probe does (``agent.model.network_interface``).

Readings of each interface, subjects ``eth0``: ``network_test.sent`` (count) and ``network_test.lost`` (count, of those
that had no answer within a second), where any was answered at all; ``network_test.rtt`` (s, mean, until an answer
came) and ``network_test.rtt_worst`` (s). ``network_test.down`` (count, how often the link was lost meanwhile), and by
cable ``network_test.speed`` (bit/s, at the beginning) and ``network_test.speed_lowest`` (bit/s, of all looks).
Source of the formats: iputils 20221126 (Debian 12), net/ipv4/fib_trie.c (``/proc/net/route``, addresses in
hexadecimal in the byte order of the machine), Documentation/ABI/testing/sysfs-class-net (speed in Mbit/s).
"""

from __future__ import annotations

import ipaddress
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree
from agent.model.network_interface import NET, interface_kind, link_speed, masked, masks, without_macs
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

BURSTS = 10
"""Into so many parts the time is divided, with a look at the links between them; ours."""
LEAST_BURST_S = 2.0
INTERVAL_S = 0.05
"""Seconds between two questions; ours: far below what any network carries, and 20 a second fill in no log."""
ANSWER_S = 1
"""Seconds for an answer; ours: a router in the house takes milliseconds, one that is busy tenths."""
SIZES = (16, 1472)
"""Bytes of a question; the most that an Ethernet frame holds behind the headers of IPv4 and ICMP (1500 - 20 - 8)."""

_ROUTES = "/proc/net/route"
_FILES = ("device", "type", "uevent", "phy80211", "operstate", "carrier_down_count", "speed")
_GATEWAY = 2  # include/uapi/linux/route.h, RTF_GATEWAY
_LINES = re.compile(
    r"\d{1,9} packets transmitted, \d{1,9} received, [a-z0-9+,.% ]{1,90}"
    r"|rtt min/avg/max/mdev = [\d./]{1,60} ms.{0,40}|ping: [A-Za-z :]{1,100}",
    re.ASCII,
)
_COUNTS = re.compile(r"^(\d{1,9}) packets transmitted, (\d{1,9}) received, ", re.ASCII | re.MULTILINE)
_TIMES = re.compile(
    r"^rtt min/avg/max/mdev = \d{1,9}\.\d{3}/(\d{1,9}\.\d{3})/(\d{1,9}\.\d{3})/", re.ASCII | re.MULTILINE
)


class NetworkTest(HardwareTest):
    """See the module."""

    name = "network"
    programs = ("ping",)
    heats = ()
    disturbs = Text("nothing that you would notice")
    least_s = 10.0
    slack_s = 30.0
    measures: ClassVar = {
        "network_test.sent": "count",
        "network_test.lost": "count",
        "network_test.rtt": "s",
        "network_test.rtt_worst": "s",
        "network_test.down": "count",
        "network_test.speed": "bit/s",
        "network_test.speed_lowest": "bit/s",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Look at the links, ask for a while, look again, until the time is over."""
        begun, chance = time.monotonic(), random.Random(bout.seed)  # noqa: S311 -- sizes, no secret
        names = [path.split("/")[4] for path in host.glob(f"{NET}/*/device")]
        macs = masks(names)

        def look() -> Evidence:
            return without_macs(host.tree(*(f"{NET}/{name}/{file}" for name in names for file in _FILES)), macs)

        first = look()
        yield first
        links = _links(first.tree())
        asked = {masked(name, macs): (name, at) for name, at in routers(host).items() if masked(name, macs) in links}
        if not links:
            return
        while (left := bout.seconds - (time.monotonic() - begun)) >= 1:
            burst_s = min(left, max(LEAST_BURST_S, bout.seconds / BURSTS))
            size, burst_begun = chance.randint(*SIZES), time.monotonic()

            def ask(handle: str, burst_s: float = burst_s, size: int = size) -> Evidence:
                name, router = asked[handle]
                how = ("-c", str(max(1, int(burst_s / INTERVAL_S))), "-i", str(INTERVAL_S), "-W", str(ANSWER_S))
                args = ("-n", "-q", "-I", name, *how, "-s", str(size))
                said = host.output("ping", "ping", *args, router, subject=handle, timeout_s=burst_s + 5 * ANSWER_S)
                kept = [line for line in said.text().splitlines() if _LINES.fullmatch(line)]
                source = masked(" ".join(("ping", *args)), macs)
                return replace(said, data="".join(f"{line}\n" for line in kept).encode(), source=source)

            yield from host.each(asked, ask, timeout_s=burst_s + 10 * ANSWER_S)
            time.sleep(max(0.0, burst_s - (time.monotonic() - burst_begun)))
            yield look()

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Readings of each link that was up at the beginning; of its answers only where there were any."""
        looks = [e for e in evidence if e.kind == "tree"]
        links = _links(looks[0].tree()) if looks else {}
        if not links:
            some = any(looks[0].tree().paths(f"{NET}/*/device")) if looks else False
            reason = Text("no network is connected") if some else Text("no such hardware")
            yield Gap("", Outcome.UNSUPPORTED, reason, essential=True)
            return
        judged = False
        for name, part in links.items():
            answers = [e for e in evidence if e.kind == "ping" and e.subject == name]
            seen = [*_of_link(looks, name, part), *_of_answers(answers, name, part)]
            yield from seen
            judged = judged or any(isinstance(s, Reading) and s.name == "network_test.sent" for s in seen)
        if not judged:
            yield Gap("", Outcome.UNSUPPORTED, Text("no router answered"), essential=True)


TEST = NetworkTest()


@dataclass(frozen=True, slots=True)
class _Burst:
    """What one ping counted; the times are 0 where there was no answer."""

    sent: int
    received: int
    mean_s: float
    worst_s: float

    @classmethod
    def of(cls, text: str) -> _Burst | None:
        """From what it printed; ``None`` where that is not whole."""
        counts, times = _COUNTS.search(text), _TIMES.search(text)
        if counts is None or (times is None and int(counts[2])):
            return None
        mean_s, worst_s = (float(times[1]) / 1000, float(times[2]) / 1000) if times else (0.0, 0.0)
        return cls(int(counts[1]), int(counts[2]), mean_s, worst_s)


@dataclass(frozen=True, slots=True)
class _Route:
    metric: int
    router: str


def routers(host: Host) -> dict[str, str]:
    """The router (IPv4) of each interface that has one; of several the one with the lowest metric."""
    found: dict[str, _Route] = {}
    for line in (host.tree(_ROUTES).tree().text(_ROUTES) or "").splitlines():
        # Iface Destination Gateway Flags RefCnt Use Metric Mask
        match = re.match(
            r"(\S{1,15})\t0{8}\t([0-9A-F]{8})\t([0-9A-F]{4})\t\d+\t\d+\t(\d{1,10})\t0{8}\t", line, re.ASCII
        )
        if match and int(match[3], 16) & _GATEWAY:
            route = _Route(int(match[4]), str(ipaddress.IPv4Address(int(match[2], 16).to_bytes(4, sys.byteorder))))
            if match[1] not in found or route.metric < found[match[1]].metric:
                found[match[1]] = route
    return {name: route.router for name, route in found.items()}


def _links(tree: Tree) -> dict[str, ComponentKind]:
    """The interfaces with hardware behind them that are up."""
    names = [path.split("/")[4] for path in tree.paths(f"{NET}/*/device")]
    kinds = {name: interface_kind(tree, name) for name in names if tree.text(f"{NET}/{name}/operstate") == "up"}
    return {name: part for name, part in kinds.items() if part is not None}


def _of_link(looks: Sequence[Evidence], name: str, part: ComponentKind) -> Iterator[Reading]:
    base = f"{NET}/{name}"

    def reading(quantity: str, value: int, unit: str, file: str) -> Reading:
        return Reading(f"network_test.{quantity}", value, unit, part, name, f"{base}/{file}", looks[-1].time)

    trees = [look.tree() for look in looks]
    before, after = (tree.integer(f"{base}/carrier_down_count") for tree in (trees[0], trees[-1]))
    if len(trees) > 1 and before is not None and after is not None and 0 <= before <= after < 1 << 53:
        yield reading("down", after - before, "count", "carrier_down_count")
    first = link_speed(trees[0], name)
    if part is ComponentKind.ETHERNET and first is not None:
        yield reading("speed", first, "bit/s", "speed")
        yield reading("speed_lowest", min(s for t in trees if (s := link_speed(t, name)) is not None), "bit/s", "speed")


def _of_answers(answers: Sequence[Evidence], name: str, part: ComponentKind) -> Iterator[Measured]:
    """Counts and times of all bursts together. ping ends with 1 when nothing was answered."""
    broken = next((e for e in answers if e.problem or e.exit_status not in {0, 1}), None)
    if broken is not None:
        yield program_gap(broken, name, essential=False)
    bursts = [burst for e in answers if (burst := _Burst.of(e.text()))]
    sent, received = sum(b.sent for b in bursts), sum(b.received for b in bursts)
    if not 0 < received <= sent:
        if broken is None:
            yield Gap(name, Outcome.UNSUPPORTED, Text("no router answered"))
        return
    last = answers[-1]

    def reading(quantity: str, value: float, unit: str) -> Reading:
        return Reading(f"network_test.{quantity}", value, unit, part, name, last.source, last.time)

    yield reading("sent", sent, "count")
    yield reading("lost", sent - received, "count")
    yield reading("rtt", sum(b.received * b.mean_s for b in bursts) / received, "s")
    yield reading("rtt_worst", max(b.worst_s for b in bursts), "s")
