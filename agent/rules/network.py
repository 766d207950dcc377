"""Judging the network's hardware: damaged packets, links that drop, a radio that is switched off.

A cable that is not plugged in, a weak signal or a slow partner say nothing of the unit and give nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import ComponentKind, Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

DAMAGED = "NET-7408"
WIRED_DROPS = "NET-7419"
WIFI_DROPS = "NET-7424"
SWITCHED_OFF = "NET-7435"


@rule(DAMAGED)
def damaged_packets(readings: Readings) -> Iterator[Finding]:
    """Far more received frames fail their checksum than a link within its standard lets through.

    Cable, socket, the partner's port or the unit's own: which, the count does not say, so no failure. Wi-Fi loses
    frames by nature and is left out. Confidence: ours, the cable being the usual cause.
    """
    for crc in readings.all("network.errors.crc"):
        received = readings.get("network.packets.rx", crc.subject)
        errors, packets = readings.number(crc.name, crc.subject), readings.number("network.packets.rx", crc.subject)
        if crc.component is not ComponentKind.ETHERNET or received is None or errors is None or packets is None:
            continue
        about = entry(DAMAGED)
        total = errors + packets
        if errors >= about.limit("errors") and packets >= 0 and errors > about.limit("share") * total:
            yield finding(
                DAMAGED, crc.subject, Verdict.UNKNOWN, 0.4, (crc, received), errors=int(errors), packets=int(total)
            )


@rule(WIRED_DROPS, WIFI_DROPS)
def drops(readings: Readings) -> Iterator[Finding]:
    """The link went down again and again since the unit was started.

    Each start, each sleep and each pull of the plug takes it down once or twice, hence a count and a rate. A unit just
    started is judged as if it had run for an hour. By cable that is a hint at cable, socket or port; Wi-Fi depends on
    the room and the router more than on the unit. Confidence: ours.
    """
    uptime, seconds = readings.get("network.uptime"), readings.number("network.uptime")
    if uptime is None or seconds is None or seconds <= 0:
        return
    for down in readings.all("network.carrier_down"):
        wifi = down.component is ComponentKind.WIFI
        code, confidence = (WIFI_DROPS, 0.2) if wifi else (WIRED_DROPS, 0.3)
        times = readings.number(down.name, down.subject)
        hours = max(seconds / 3600, 1.0)
        limit = entry(code).limit
        if times is not None and times >= limit("drops") and times / hours > limit("drops_per_hour"):
            yield finding(code, down.subject, Verdict.UNKNOWN, confidence, (down, uptime), drops=int(times))


@rule(SWITCHED_OFF)
def switched_off(readings: Readings) -> Iterator[Finding]:
    """The Wi-Fi radio is blocked by hardware: a switch, a key or the firmware's setup. That is how people want it, or
    the explanation of their complaint, seldom a fault. One finding however many switches say so. Confidence: ours.
    """
    for blocked in readings.all("network.blocked.hard"):
        kind = readings.get("network.blocked.type", blocked.subject)
        if blocked.value is True and kind is not None and kind.value == "wlan":
            yield finding(SWITCHED_OFF, blocked.subject, Verdict.UNKNOWN, 0.1, (blocked, kind))
            return
