"""What writing to free space and reading it back says of the drive."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._storage import CERTAIN, count_of, finding

MISMATCH = "DISK-1523"
FAILED = "DISK-1538"


@rule(MISMATCH)
def mismatches(readings: Readings) -> Iterator[Finding]:
    """What was written to the drive came back different, and the drive said nothing of it.

    A sound drive never does that. Confidence 0.8 (ours): memory that fails looks the same, for the data passes through
    it both ways, so the memory test and this one again with the same seed come before a drive is condemned.
    """
    for found in readings.all("storage_write_test.mismatches"):
        if (count := count_of(found)) > entry(MISMATCH).limit("mismatches"):
            yield finding(MISMATCH, Verdict.FAIL, 0.8, found, count=count)


@rule(FAILED)
def failed(readings: Readings) -> Iterator[Finding]:
    """The drive refused to write, or to read back what it had just written. It is sure of it itself; confidence 0.95 as
    for a read error, since a cable can be the cause.
    """
    for found in readings.all("storage_write_test.errors"):
        if (count := count_of(found)) > entry(FAILED).limit("errors"):
            yield finding(FAILED, Verdict.FAIL, CERTAIN, found, count=count)
