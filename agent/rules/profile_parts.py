"""The parts that make a unit what it is, compared with the profile of its model: screen, memory, drives.

The profile is what one good unit of the model had (``profile.…``, :mod:`agent.profiles.interpret`). Memory and drives
are spare parts that a customer may exchange, so another one is no fault, and a smaller one only a note. Confidence is
ours throughout: no statistics of exchanged parts are public.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.model.drives import is_built_in
from agent.rules import rule
from agent.rules._by_catalogue import finding

_NVME = "0x0108"  # PCI class of controllers of non-volatile memory: PCI Code and ID Assignment Specification 1.11


@rule("LCD-4500", "LCD-4513")
def panel(readings: Readings) -> Iterator[Finding]:
    """The built-in screen is of another model than the profile's, or there is none though the model has one.

    Another model (maker and product number of the EDID) is a warning and no verdict: it may have been exchanged for one
    that does not fit, or be a second source of the maker's own. A missing one is a fault where another display shows a
    picture or no output for a built-in screen is seen; with every output empty, ``panel.presence`` says so without any
    profile. Silent where an output did not answer, or came and went.
    """
    expected = readings.all("profile.inventory.panel.manufacturer")
    outputs = readings.all("panel.internal")
    if not expected or not outputs:
        return
    connected = {r.subject: r for r in readings.all("panel.connected")}
    if any(r.subject not in connected or readings.number("panel_watch.changes", r.subject) for r in outputs):
        return
    own = [r.subject for r in outputs if r.value is True and connected[r.subject].value is True]
    if not own:
        seen = [r for r in connected.values() if r.value is True]
        if seen or not any(r.value is True for r in outputs):
            yield finding("LCD-4513", expected[0].subject, Verdict.FAIL, 0.9, [*expected, *outputs])
        return
    known = {_panel(readings, "profile.", r.subject) for r in expected}
    for subject in own:
        found = _panel(readings, "", subject)
        if all(found) and all(all(panel) for panel in known) and found not in known:
            called = readings.get("inventory.panel", subject)
            wanted = readings.get("profile.inventory.panel", expected[0].subject)
            names = {"found": str(called.value) if called else "", "expected": str(wanted.value) if wanted else ""}
            evidence = [
                readings.get(f"{whose}inventory.panel.{what}", of)
                for whose, of in (("", subject), ("profile.", expected[0].subject))
                for what in ("manufacturer", "part_number")
            ]
            yield finding("LCD-4500", subject, Verdict.UNKNOWN, 0.6, filter(None, evidence), **names)


def _panel(readings: Readings, whose: str, subject: str) -> tuple[str, str]:
    """Maker and product number; ``""`` for what it does not say."""
    told = (readings.get(f"{whose}inventory.panel.{what}", subject) for what in ("manufacturer", "part_number"))
    maker, product = (str(reading.value) if reading else "" for reading in told)
    return maker, product


@rule("MEM-3505", "MEM-3518")
def memory(readings: Readings) -> Iterator[Finding]:
    """There is less memory than in the profile: with fewer modules than there, one may be loose or dead, a warning;
    else somebody chose smaller ones, a note. As much or more in other modules is fine. Silent where the firmware does
    not describe the modules.
    """
    expected, installed = readings.get("profile.memory.installed"), readings.get("memory.installed")
    size, wanted = readings.number("memory.installed"), readings.number("profile.memory.installed")
    if expected is None or installed is None or size is None or wanted is None or size >= wanted:
        return
    modules = [r for r in readings.all("memory.module.size") if (readings.number(r.name, r.subject) or 0) > 0]
    before = readings.all("profile.memory.module.size")
    values: dict[str, int | float] = {"installed": _gib(size), "expected": _gib(wanted)}
    if modules and len(modules) < len(before):
        values |= {"modules": len(modules), "expected_modules": len(before)}
        yield finding("MEM-3505", "", Verdict.UNKNOWN, 0.5, [installed, expected, *modules, *before], **values)
    else:
        yield finding("MEM-3518", "", Verdict.UNKNOWN, 0.9, [installed, expected], **values)


@rule("DISK-1905", "DISK-1918", "DISK-1926")
def drives(readings: Readings) -> Iterator[Finding]:
    """There are fewer built-in drives than in the profile, or smaller ones.

    None at all is a fault: the unit was started from something else. Fewer: a warning, since a customer may have taken
    one out. A smaller one: a note. Another model as large or larger is fine. Drives on USB do not count. Where not one
    drive of any kind shows, PCI Express tells of NVMe drives whether they are there.
    """
    expected = readings.all("profile.storage.transport")
    shown = readings.all("storage.transport")
    if not shown:
        yield from _none_on_pci(readings, expected)
        return
    if not expected:
        return
    own = [r for r in shown if is_built_in(readings, r.subject)]
    values = {"count": len(own), "expected": len(expected)}
    if not own:
        yield finding("DISK-1905", "", Verdict.FAIL, 0.8, [*expected, *shown], **values)
    elif len(own) < len(expected):
        yield finding("DISK-1918", "", Verdict.UNKNOWN, 0.5, [*expected, *own], **values)
    else:
        yield from _smaller(readings, own)


def _none_on_pci(readings: Readings, expected: list[Reading]) -> Iterator[Finding]:
    classes = readings.all("pcie.class")
    there = any(str(r.value).startswith(_NVME) for r in classes)
    if expected and classes and not there and all(r.value == "nvme" for r in expected):
        values = {"count": 0, "expected": len(expected)}
        yield finding("DISK-1905", "", Verdict.FAIL, 0.8, [*expected, *classes], **values)


def _smaller(readings: Readings, own: Iterable[Reading]) -> Iterator[Finding]:
    """Largest against largest, and so on; nothing where a drive does not tell its size."""
    sizes = [readings.get("storage.size", r.subject) for r in own]
    wanted = readings.all("profile.storage.size")
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return
    share = entry("DISK-1926").limit("share")
    for size, least in zip(
        sorted(known, key=_bytes, reverse=True), sorted(wanted, key=_bytes, reverse=True), strict=False
    ):
        if _bytes(size) < share * _bytes(least):
            values = {"size": round(_bytes(size) / 1e9), "expected": round(_bytes(least) / 1e9)}
            yield finding("DISK-1926", size.subject, Verdict.UNKNOWN, 0.9, [size, least], **values)


def _bytes(reading: Reading) -> float:
    return reading.number or 0.0


def _gib(size: float) -> float:
    return round(size / (1 << 30), 1)
