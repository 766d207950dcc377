"""What reading the drives from end to end says of them."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._storage import CERTAIN, count_of, finding

UNREADABLE = "DISK-1509"
SLOW = "DISK-1514"


@rule(UNREADABLE)
def unreadable(readings: Readings) -> Iterator[Finding]:
    """Blocks of the drive could not be read back, now and here: data is lost, whatever the drive says of itself.

    After a first scan error a drive is 39 times likelier to fail within 60 days (Google 2007). One place may be what a
    power cut in the middle of a write left behind, and a bad cable fails reads as well; 0.95 (ours), as for a read
    error that the drive itself has confirmed.
    """
    for found in readings.all("storage_read_test.errors"):
        if (count := count_of(found)) > entry(UNREADABLE).limit("errors"):
            where = readings.get("storage_read_test.bad_map", found.subject)
            yield finding(UNREADABLE, Verdict.FAIL, CERTAIN, found, *([where] if where else []), count=count)


@rule(SLOW)
def slow(readings: Readings) -> Iterator[Finding]:
    """Of the blocks that could be read, one in a hundred took far longer than on any drive of its kind, or several took
    a second and more: the drive tries again and again, or its link does.

    Confidence 0.5 (ours), a hint: other programs that work with the drive make it look slow too. One long read alone
    says nothing, for a disk that slept must first spin up.
    """
    for tail in readings.all("storage_read_test.latency_p99"):
        stalls = readings.get("storage_read_test.stalls", tail.subject)
        rotational = readings.get("storage_read_test.rotational", tail.subject)
        disk = rotational is None or rotational.value is not False
        late = _seconds(tail) > entry(SLOW).limit("disk_tail" if disk else "flash_tail")
        stalled = stalls is not None and count_of(stalls) > entry(SLOW).limit("stalls")
        if late or stalled:
            others = [r for r in (stalls, rotational) if r is not None]
            yield finding(
                SLOW, Verdict.UNKNOWN, 0.5, tail, *others, milliseconds=round(min(_seconds(tail), 1e6) * 1000)
            )


def _seconds(reading: Reading) -> float:
    return reading.number or 0.0
