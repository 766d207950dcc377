"""Memory errors that the hardware counted, memory that is fitted but not seen, and memory that is held back.

Sources of the odds: B. Schroeder, E. Pinheiro, W.-D. Weber, "DRAM Errors in the Wild: A Large-Scale Field Study",
SIGMETRICS 2009 (Google's servers, 2.5 years): more than 8 % of modules see a corrected error in a year and 1.3 % of
machines an uncorrected one; errors are dominated by hard ones, so a module that had one is far likelier to have more.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue.entry import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding


@rule("MEM-3009")
def uncorrected(readings: Readings) -> Iterator[Finding]:
    """ECC found an error that it could not correct. Rare on healthy machines (1.3 % a year, Schroeder 2009) and never
    harmless. Confidence 0.8 (ours): board and processor are between module and counter.
    """
    yield from _counted(readings, "uncorrected", "MEM-3009", Verdict.FAIL, 0.8)


@rule("MEM-3014")
def corrected(readings: Readings) -> Iterator[Finding]:
    """ECC corrected errors. Nothing was lost, and a single one may be chance, so it is a warning; hard errors dominate
    and an uncorrected error is 9 to 400 times likelier after one (Schroeder 2009, section 4). Confidence 0.6 (ours).
    """
    yield from _counted(readings, "corrected", "MEM-3014", Verdict.UNKNOWN, 0.6)


@rule("MEM-3023")
def given_up(readings: Readings) -> Iterator[Finding]:
    """The kernel has taken pages out of use since they are faulty (``HardwareCorrupted``, proc(5)): after an
    uncorrected error, or many corrected ones. Confidence 0.8: ours.
    """
    reading = readings.get("memory.hardware_corrupted")
    size = readings.number("memory.hardware_corrupted")
    if reading is not None and size is not None and size > entry("MEM-3023").limit("corrupted"):
        values = {"kib": round(size / 1024)}
        yield finding("MEM-3023", "", Verdict.FAIL, 0.8, [reading], **values)


@rule("MEM-3038")
def not_seen(readings: Readings) -> Iterator[Finding]:
    """At least one whole module is missing from what the system sees, of two or more fitted ones.

    Built-in graphics and firmware take a part of the memory too, so the share must be large as well. Confidence 0.5
    (ours): a setting of the firmware or a boot option can do the same.
    """
    total, installed = readings.get("memory.total"), readings.get("memory.installed")
    sizes = [r for r in readings.all("memory.module.size") if readings.number(r.name, r.subject)]
    if total is None or installed is None or len(sizes) < 2:
        return
    seen, fitted = readings.number("memory.total") or 0.0, readings.number("memory.installed") or 0.0
    smallest = min(readings.number(r.name, r.subject) or 0.0 for r in sizes)
    missing = fitted - seen
    if missing >= entry("MEM-3038").limit("module") * smallest and missing >= entry("MEM-3038").limit("share") * fitted:
        values = {"seen": _gib(seen), "installed": _gib(fitted)}
        yield finding("MEM-3038", "", Verdict.UNKNOWN, 0.5, [total, installed, *sizes], **values)


@rule("MEM-3051")
def slow(readings: Readings) -> Iterator[Finding]:
    """A module runs much slower than it is rated for. Processors and boards set the pace, and a slower module beside it
    does: in real tables every fourth unit runs somewhat below its modules' rating, so only a big difference is told,
    and as a note. One finding, for the slowest by share. Confidence 0.2 (ours): the rest is a processor that allows no
    more.
    """
    slowest: tuple[float, Reading, Reading] | None = None
    for speed in readings.all("memory.module.speed"):
        rated = readings.get("memory.module.rated_speed", speed.subject)
        now, most = (readings.number(f"memory.module.{name}", speed.subject) for name in ("speed", "rated_speed"))
        if rated is None or not now or not most or now < 0 or most < 0:
            continue
        if slowest is None or now / most < slowest[0]:
            slowest = now / most, speed, rated
    if slowest is not None and slowest[0] < entry("MEM-3051").limit("share"):
        _, speed, rated = slowest
        values = {"speed": _mega(readings, speed), "rated": _mega(readings, rated)}
        yield finding("MEM-3051", speed.subject, Verdict.UNKNOWN, 0.2, [speed, rated], **values)


def _mega(readings: Readings, reading: Reading) -> int:
    return round((readings.number(reading.name, reading.subject) or 0.0) / 1_000_000)


def _counted(readings: Readings, which: str, code: str, verdict: Verdict, confidence: float) -> Iterator[Finding]:
    """Per module where one is blamed, else per controller."""
    limit = entry(code).limit("errors")
    blamed = set()
    for reading in readings.all(f"memory.edac.{which}"):
        count = readings.number(reading.name, reading.subject)
        if count is not None and count > limit:
            blamed.add(reading.subject.partition("/")[0])
            yield finding(code, reading.subject, verdict, confidence, [reading], count=round(count))
    for reading in readings.all(f"memory.edac.controller.{which}"):
        count = readings.number(reading.name, reading.subject)
        if count is not None and count > limit and reading.subject not in blamed:
            yield finding(code, reading.subject, verdict, confidence, [reading], count=round(count))


def _gib(size: float) -> float:
    return round(size / (1 << 30), 1)
