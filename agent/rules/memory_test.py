"""What the memory test says of the memory."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

MISMATCH = "MEM-3908"


@rule(MISMATCH)
def mismatches(readings: Readings) -> Iterator[Finding]:
    """What was written to memory came back different.

    Good memory never does that, so one is enough. The confidence (ours) leaves room for a processor or firmware that is
    the true cause: firmware of one vendor made memory tests fail on good modules, and a result that varies between
    passes points to the processor; RD repeats it before a module is condemned.
    """
    found = readings.get("memory_test.mismatches")
    count = readings.number("memory_test.mismatches")
    if found is None or count is None or count <= entry(MISMATCH).limit("mismatches"):
        return
    yield finding(MISMATCH, "", Verdict.FAIL, 0.9, (found,), count=int(min(count, 2**53)))
