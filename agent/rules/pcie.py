"""Judging PCIe: links that lost lanes or speed, and transmission errors."""

from __future__ import annotations

from collections.abc import Iterable

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

NARROW = "BUS-7003"
SLOW = "BUS-7016"
FATAL = "BUS-7027"
NONFATAL = "BUS-7034"
MANY_CORRECTED = "BUS-7042"

NVME = "0x0108"
"""Class of NVMe drives: mass storage, non-volatile memory (PCI Code and ID Assignment Specification 1.11)."""
OF_THE_LINK = ("receiver_error", "bad_tlp", "bad_dllp", "relay_num_rollover", "replay_timer_timeout")
"""Correctable errors of the physical and data link layer (PCIe Base Specification 5.0 section 6.2.7). The others are an
answer to what software asked for (``advisory_non_fatal``), or inside of the device."""
OF_SOFTWARE = (
    "unsupported_request",
    "acs_violation",
    "mc_blocked_tlp",
    "atomicop_egress_blocked",
    "tlp_prefix_blocked_error",
)
"""Non-fatal errors that a healthy link reports too, when a driver or firmware asks for what a device does not have."""


@rule(NARROW, SLOW)
def link(readings: Readings) -> Iterable[Finding]:
    """The link of an NVMe drive has fewer lanes, or is slower, than both of its ends could do.

    Lanes drop out by dirty or loose contacts, by a damaged drive or board; but some boards have a port for four lanes
    and wires for two, so it is a hint. A lower speed is also set by firmware and by power saving: information. Judged
    are drives only: graphics cards save power by both, and their slots often have fewer wires than the port. Silent
    where the two ends do not agree on the width that they have now, as with a drive that is passed on to a virtual
    machine. Confidence: ours.
    """
    for kind in readings.all("pcie.class"):
        drive, port = kind.subject, _port(readings, kind.subject)
        if not str(kind.value).startswith(NVME) or port == drive:
            continue
        width, max_width = (_both_ends(readings, drive, port, name) for name in ("width", "max_width"))
        speed, max_speed = (_both_ends(readings, drive, port, name) for name in ("speed", "max_speed"))
        if not width or not max_width or width[0] != width[1]:
            continue
        names = [f"pcie.link.{quantity}" for quantity in ("width", "max_width", "speed", "max_speed")]
        evidence = [r for end in (drive, port) for name in names if (r := readings.get(name, end)) is not None]
        device = _name(readings, drive)
        if width[0] < min(max_width):
            lanes: dict[str, str | int | float] = {"lanes": int(width[0]), "possible": int(min(max_width))}
            yield finding(NARROW, drive, Verdict.UNKNOWN, 0.4, evidence, device=device, **lanes)
        if speed and max_speed and 0 < max(speed) < min(max_speed):
            percent = round(100 * max(speed) / min(max_speed))
            yield finding(SLOW, drive, Verdict.UNKNOWN, 0.1, evidence, device=device, percent=percent)


@rule(FATAL, NONFATAL)
def uncorrected(readings: Readings) -> Iterable[Finding]:
    """Errors that the link could not correct by sending again.

    After a fatal one the link is unreliable and the kernel resets it: what uses it stops, or the unit does. A non-fatal
    one lost a single transfer; those that software provokes on healthy links do not count. The counters do not tell a
    bad device from a bad board, and suspend or pulling out a Thunderbolt device makes fatal ones as well: no verdict.
    One finding for both ends of a link. Confidence: ours.
    """
    for severity, code, confidence in (("fatal", FATAL, 0.5), ("nonfatal", NONFATAL, 0.4)):
        for ends in _by_link(readings, f"pcie.aer.{severity}"):
            counts = {end.subject: _uncorrected(readings, end) for end in ends}
            worst = max(ends, key=lambda end: counts[end.subject])
            if counts[worst.subject] >= entry(code).limit("errors"):
                evidence = [r for end in ends if counts[end.subject] for r in (end, *_kinds(readings, end))]
                errors = counts[worst.subject]
                yield finding(
                    code, worst.subject, Verdict.UNKNOWN, confidence, evidence, **_errors(readings, worst, errors)
                )


@rule(MANY_CORRECTED)
def corrected(readings: Readings) -> Iterable[Finding]:
    """A link has far more transmission errors than its specification allows, even though each was corrected.

    Allowed is one wrong bit in 10¹², so the limit is ``margin`` times the bits that the link can have carried in each
    direction since the start: for an NVMe drive (8 GT/s, 4 lanes) 1152 an hour at 10 times. One wrong bit may count as
    several kinds of error, so the most frequent kind is taken. A unit just started is judged as if it had run for
    ``least_time``. Some boards have so many from power saving (ASPM) alone: no verdict. Silent where link or uptime
    is unknown. Confidence: ours.
    """
    limits = entry(MANY_CORRECTED)
    uptime = readings.get("pcie.uptime")
    seconds = readings.number("pcie.uptime")
    if uptime is None or seconds is None:
        return
    seconds = max(seconds, limits.limit("least_time"))
    for ends in _by_link(readings, "pcie.aer.correctable"):
        found: list[tuple[float, Reading, list[Reading]]] = []
        for end in ends:
            speed = readings.get("pcie.link.speed", end.subject)
            width = readings.get("pcie.link.width", end.subject)
            kinds = [r for r in _kinds(readings, end) if r.name.rpartition(".")[2] in OF_THE_LINK]
            errors = max((readings.number(r.name, r.subject) or 0.0 for r in kinds), default=0.0)
            if speed is None or width is None or errors <= 0:
                continue
            bits = (readings.number(speed.name, end.subject) or 0.0) * (readings.number(width.name, end.subject) or 0.0)
            if bits > 0 and errors > limits.limit("bit_error_ratio") * limits.limit("margin") * bits * seconds:
                found.append((errors, end, [end, *kinds, speed, width]))
        if found:
            errors, worst, _ = max(found, key=lambda item: item[0])
            evidence = [*(r for _, _, part in found for r in part), uptime]
            values = _errors(readings, worst, int(errors))
            yield finding(MANY_CORRECTED, worst.subject, Verdict.UNKNOWN, 0.3, evidence, **values)


def _both_ends(readings: Readings, drive: str, port: str, quantity: str) -> tuple[float, float] | None:
    ours, theirs = (readings.number(f"pcie.link.{quantity}", end) for end in (drive, port))
    return None if ours is None or theirs is None else (ours, theirs)


def _port(readings: Readings, subject: str) -> str:
    """The upper end of a device's link; the device itself where it is a port at the root."""
    parent = readings.get("pcie.parent", subject)
    return str(parent.value) if parent else subject


def _by_link(readings: Readings, name: str) -> Iterable[list[Reading]]:
    """The readings of ``name`` of the devices at the ends of each link."""
    links: dict[str, list[Reading]] = {}
    for reading in readings.all(name):
        links.setdefault(_port(readings, reading.subject), []).append(reading)
    return links.values()


def _kinds(readings: Readings, total: Reading) -> list[Reading]:
    return [r for r in readings.matching(f"{total.name}.") if r.subject == total.subject]


def _uncorrected(readings: Readings, total: Reading) -> int:
    """Errors of hardware that one end saw; the messages where the kernel does not say of which kind they were."""
    kinds = _kinds(readings, total)
    counted = [r for r in kinds if r.name.rpartition(".")[2] not in OF_SOFTWARE]
    return int(sum(readings.number(r.name, r.subject) or 0.0 for r in (counted if kinds else [total])))


def _errors(readings: Readings, end: Reading, errors: int) -> dict[str, str | int | float]:
    return {"device": _name(readings, end.subject), "errors": errors}


def _name(readings: Readings, subject: str) -> str:
    name = readings.get("pcie.name", subject) or readings.get("pcie.id", subject)
    return str(name.value) if name else subject
