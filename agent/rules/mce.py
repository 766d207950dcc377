"""What the processor found wrong with itself, or with what hangs on it.

E. Nightingale, J. Douceur, V. Orgovan, "Cycles, Cells and Platters: An Empirical Analysis of Hardware Failures on a
Million Consumer PCs", EuroSys 2011: 1 in 190 machines crashed from a processor fault within 30 days of processor time,
and of those 1 in 3.3 did so again. So one event is a reason to look, and a reason to replay, rarely proof of the part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agent.catalogue.entry import entry
from agent.model import Finding, Reading, Readings, Severity, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding


@rule("CPU-6002")
def exceptions(readings: Readings) -> Iterator[Finding]:
    """The processor raised machine-check exceptions since the start: uncorrected errors that it survived. They are
    hardware faults for certain, but memory, board and voltages cause them too: confidence 0.5 (ours). Where the kernel
    says that it was the memory, this is a note, so that one lost page does not look like two broken parts.
    """
    reading, count = readings.get("mce.exceptions"), readings.number("mce.exceptions")
    if reading is not None and count is not None and count > entry("CPU-6002").limit("exceptions"):
        yield _blamed(readings, finding("CPU-6002", reading.subject, Verdict.FAIL, 0.5, [reading], count=round(count)))


@rule("CPU-6015")
def threshold(readings: Readings) -> Iterator[Finding]:
    """Corrected or deferred errors were signalled since the start. Healthy machines see a few: information only.
    Confidence 0.2: ours.
    """
    named = [readings.get(f"mce.{kind}_interrupts") for kind in ("threshold", "deferred")]
    limit = entry("CPU-6015").limit("interrupts")
    raised = [r for r in named if r is not None and (readings.number(r.name) or 0) > limit]
    if raised:
        total = sum(readings.number(r.name) or 0 for r in raised)
        yield finding("CPU-6015", raised[0].subject, Verdict.UNKNOWN, 0.2, raised, count=round(total))


@rule("CPU-6028", "CPU-6031")
def records(readings: Readings) -> Iterator[Finding]:
    """rasdaemon recorded machine checks: uncorrected ones (CPU-6028), or as many corrected ones as chance does not
    explain (CPU-6031). Records outlive a repair, so only a recent uncorrected one is a failure. Confidence 0.5 then, as
    for an exception, else 0.3: ours. A recent one of the memory is a note, as there.
    """
    for which, code in (("uncorrected", "CPU-6028"), ("corrected", "CPU-6031")):
        reading, count = readings.get(f"mce.records.{which}"), readings.number(f"mce.records.{which}")
        if reading is None or count is None or count <= entry(code).limit("records"):
            continue
        age = readings.number(f"mce.records.{which}.age")
        recent = which == "uncorrected" and age is not None and 0 <= age <= entry("CPU-6028").limit("recent")
        more = [r for name in (f"{reading.name}.age", "mce.records.message") if (r := readings.get(name)) is not None]
        verdict, confidence = (Verdict.FAIL, 0.5) if recent else (Verdict.UNKNOWN, 0.3)
        found = finding(code, reading.subject, verdict, confidence, [reading, *more], count=round(count))
        yield _blamed(readings, found) if which == "uncorrected" and recent else found


@rule("MEM-3046")
def memory(readings: Readings) -> Iterator[Finding]:
    """rasdaemon recorded memory errors at some time, perhaps before a repair: a hint at the module. Confidence 0.5 with
    an uncorrected one among them, else 0.3: ours; the odds are those of :mod:`agent.rules.memory`.
    """
    events = readings.all("mce.memory.uncorrected") + readings.all("mce.memory.corrected")
    by_module: dict[str, list[Reading]] = {}
    for event in events:
        by_module.setdefault(event.subject, []).append(event)
    for subject, found in by_module.items():
        count = sum(readings.number(r.name, subject) or 0 for r in found)
        if count > entry("MEM-3046").limit("records"):
            confidence = 0.5 if found[0].name.endswith(".uncorrected") else 0.3
            yield finding("MEM-3046", found[0].subject, Verdict.UNKNOWN, confidence, found, count=round(count))


def _blamed(readings: Readings, found: Finding) -> Finding:
    """The finding, as a note where the kernel says of as many events that they were the memory's."""
    told = readings.all("kernel_log.memory_uncorrected.count")
    events = sum(readings.number(r.name, r.subject) or 0 for r in told)
    if events < int(found.values["count"]):
        return found
    evidence = (*found.evidence, *told)
    return replace(found, severity=Severity.INFO, verdict=Verdict.UNKNOWN, evidence=evidence)
