"""What the processor's own data say."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding


@rule("CPU-6507")
def old_microcode(readings: Readings) -> Iterator[Finding]:
    """The kernel says that a fix needs newer microcode than the processor runs.

    Source: Documentation/admin-guide/hw-vuln, "no microcode" and ``old_microcode``. No fault, but errata that microcode
    mends cause freezes and crashes too. A virtual machine is told nothing true about it. Confidence 1: it is what the
    kernel says.
    """
    virtual = readings.get("cpu.virtual", "cpu")
    if virtual is None or virtual.value is not False:
        return
    telling = [
        reading
        for reading in readings.matching("cpu.vulnerability.")
        if "no microcode" in str(reading.value)
        or (reading.name.endswith(".old_microcode") and str(reading.value).startswith("Vulnerable"))
    ]
    if telling:
        microcode = readings.get("cpu.microcode", "cpu")
        evidence = [*telling, microcode] if microcode else telling
        yield finding("CPU-6507", "cpu", Verdict.UNKNOWN, 1.0, evidence)
