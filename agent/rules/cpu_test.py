"""What the processor test says of the processor."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

MISMATCH = "CPU-6106"


@rule(MISMATCH)
def mismatches(readings: Readings) -> Iterator[Finding]:
    """A calculation whose result is known came out differently.

    A sound processor never does that, so one is enough. The confidence (ours) leaves room for the memory, the power
    supply and the board's voltages as the true cause, and for a check of stress-ng that is itself wrong on this model:
    RD repeats it with the seed on record. A result that varies between repeats points to the processor, one that stays
    to the program or to memory; of the processors that failed once, one in 3.3 did so again (EuroSys 2011).
    """
    found = readings.get("cpu_test.mismatches")
    count = readings.number("cpu_test.mismatches")
    if found is None or count is None or count <= entry(MISMATCH).limit("mismatches"):
        return
    yield finding(MISMATCH, "", Verdict.FAIL, 0.8, (found,), count=int(min(count, 2**53)))
