"""Judging USB: ports that were overloaded, devices that run below their speed or keep dropping out."""

from __future__ import annotations

import math
from collections.abc import Iterable

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

OVERLOADED = "USB-7205"
BUILT_IN_OVERLOADED = "USB-7218"
SLOW = "USB-7226"
DROPS = "USB-7239"


@rule(OVERLOADED, BUILT_IN_OVERLOADED)
def overload(readings: Readings) -> Iterable[Finding]:
    """A port of the unit switched off because too much current was drawn.

    What is plugged in is the likeliest cause, and a spark of static electricity one that leaves no damage, so it is a
    hint. Where only ports of built-in devices count overloads, no customer's device was there, which is serious.
    Boards sense several ports together, and a connector for both kinds of speed counts twice: one finding for
    all of them. Not judged are ports that lead nowhere (``not used``; their sensing may be left unconnected) and those
    of hubs that can be unplugged, which are no part of the unit. Confidence: ours.
    """
    ports = [
        port
        for port in readings.all("usb.port.over_current")
        if (readings.number(port.name, port.subject) or 0.0) >= entry(OVERLOADED).limit("events")
        and _text(readings, "usb.port.connection", port.subject) != "not used"
        and _text(readings, "usb.device.removable", port.subject.rpartition("-port")[0]) != "removable"
    ]
    if not ports:
        return
    counts = {port.subject: int(readings.number(port.name, port.subject) or 0.0) for port in ports}
    kinds = [r for port in ports if (r := readings.get("usb.port.connection", port.subject)) is not None]
    built_in = len(kinds) == len(ports) and all(kind.value == "hardwired" for kind in kinds)
    code, confidence = (BUILT_IN_OVERLOADED, 0.5) if built_in else (OVERLOADED, 0.3)
    worst = max(counts, key=lambda subject: counts[subject])
    values: dict[str, str | int] = {"ports": ", ".join(counts), "count": counts[worst]}
    yield finding(code, worst, Verdict.UNKNOWN, confidence, [*ports, *kinds], **values)


@rule(SLOW)
def speed(readings: Readings) -> Iterable[Finding]:
    """A device made for USB 3 runs at the speed of USB 2, though its connector can do both.

    The plug may not sit well, or the cable may lack the wires: information. Hubs are two devices by design, one for
    each kind of speed, and are not judged. Devices that follow the specification call themselves 2.10 at the lower
    speed (USB 3.2 section 9.6.1) and cannot be told from USB 2 ones; so silence means little. Confidence: ours.
    """
    limits = entry(SLOW)
    for version in readings.all("usb.version"):
        device = version.subject
        now = readings.get("usb.speed", device)
        rate = readings.number("usb.speed", device)
        peer = readings.get("usb.port.peer", _text(readings, "usb.device.port", device))
        if now is None or rate is None or peer is None or readings.get("usb.device.ports", device):
            continue
        if _release(version) >= limits.limit("version") and rate < limits.limit("speed"):
            name = _text(readings, "usb.device.name", device)
            values = {"device": name or _text(readings, "usb.device.id", device) or device}
            yield finding(SLOW, device, Verdict.UNKNOWN, 0.1, [version, now, peer], **values)


@rule(DROPS)
def drops(readings: Readings) -> Iterable[Finding]:
    """A device went away again and again, at intervals at which nobody pulls a plug and puts it in.

    The kernel says when, but not why: a bad contact, cable or port, the device itself, or a person after all; so no
    failure. What hangs on a hub that goes goes with it, and is not told by itself. Confidence: ours, more where
    firmware says that no person reaches the port.
    """
    limits = entry(DROPS)
    found: dict[str, tuple[Reading, ...]] = {}
    for counted in readings.all("kernel_log.usb_disconnect.count"):
        device = counted.subject
        ends = [readings.get(f"kernel_log.usb_disconnect.{which}_s", device) for which in ("first", "last")]
        span, count = _span(readings, device), readings.number(counted.name, device)
        if span is None or count is None or count < limits.limit("drops") or not device:
            continue
        if span / (count - 1) <= limits.limit("interval"):
            found[device] = (counted, *(end for end in ends if end is not None))
    for device, evidence in found.items():
        if any(device.startswith(f"{hub}.") for hub in found):
            continue
        count = int(readings.number(evidence[0].name, device) or 0)
        minutes = math.ceil((_span(readings, device) or 0.0) / 60)
        connection = readings.get("usb.port.connection", _text(readings, "usb.device.port", device))
        confidence = 0.5 if connection is not None and connection.value == "hardwired" else 0.3
        values: dict[str, str | int] = {"count": count, "minutes": max(minutes, 1)}
        yield finding(
            DROPS, device, Verdict.UNKNOWN, confidence, (*evidence, *([connection] if connection else [])), **values
        )


def _span(readings: Readings, device: str) -> float | None:
    """Seconds from the first to the last time that a device went."""
    first, last = (readings.number(f"kernel_log.usb_disconnect.{which}_s", device) for which in ("first", "last"))
    return None if first is None or last is None or last < first else last - first


def _text(readings: Readings, name: str, subject: str) -> str:
    reading = readings.get(name, subject)
    return str(reading.value) if reading else ""


def _release(version: Reading) -> float:
    """``3.2`` of ``3.20``; 0 where it is no number."""
    try:
        return float(version.value)
    except ValueError:
        return 0.0
