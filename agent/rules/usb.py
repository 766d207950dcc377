"""Judging USB: ports that were overloaded, devices that run below their speed or keep dropping out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Severity, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

OVERLOADED = "USB-7205"
BUILT_IN_OVERLOADED = "USB-7218"
SLOW = "USB-7226"
DROPS = "USB-7239"
LOST = "USB-7247"


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


@rule(LOST)
def lost(readings: Readings) -> Iterable[Finding]:
    """A device that was there when a hardware test began was away at its end, or away meanwhile.

    One that is built in nobody unplugs: a bad contact, its port or the device itself, or power that breaks down under
    load. Anything else a person may have pulled out just then, so it is a note. What hangs on a hub that goes goes with
    it; what keeps dropping out is :func:`drops`. Confidence: ours.
    """
    dropping = {finding.subject for finding in drops(readings)}
    gone = [r for r in readings.all("usb.device.lost") if readings.number(r.name, r.subject)]
    names = {r.subject for r in gone}
    for away in gone:
        device = away.subject
        if device in dropping or any(device.startswith((f"{hub}.", f"{_bus(hub)}-")) for hub in names - {device}):
            continue
        port = readings.get("usb.port.connection", _text(readings, "usb.device.port", device))
        removable = readings.get("usb.device.removable", device)
        built_in = [r for r in (port, removable) if r is not None and r.value in ("hardwired", "fixed")]
        when = [
            r
            for what in ("count", "after")
            if (r := readings.get(f"kernel_log.usb_disconnect.{what}", device)) is not None
        ]
        name = _text(readings, "usb.device.name", device) or _text(readings, "usb.device.id", device)
        values = {"device": name or device}
        found = finding(LOST, device, Verdict.UNKNOWN, 0.5 if built_in else 0.2, (away, *when, *built_in), **values)
        yield found if built_in else replace(found, severity=Severity.INFO)


def _bus(hub: str) -> str:
    """``1`` of the root hub ``usb1``, whose devices are ``1-2`` and so on; no bus's number for another."""
    return hub.removeprefix("usb") if hub.startswith("usb") else hub


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
