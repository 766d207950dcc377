"""The drives read from end to end: fio reads every whole drive of the unit, and nothing is written.

fio reads blocks of 1 MiB past the page cache, each one once, in an order by chance that the seed decides. Where the
time does not suffice for the whole drive, what was read is therefore spread evenly over it, and the share is known to
the byte. A whole disk takes longer so than from its beginning to its end, for the head must seek before each block.
A last part of less than 1 MiB is left out. Blocks that cannot be read are counted and passed over; the first few are
read again in pieces of 4 KiB.

Readings, of each drive: ``storage_read_test.errors`` (count) of blocks that could not be read,
``storage_read_test.bad_map``: where, as "OFFSET+LENGTH" in bytes, the first 32 of them,
``storage_read_test.covered`` (B) read well, ``storage_read_test.share`` (%) of the drive,
``storage_read_test.rate`` (B/s), ``storage_read_test.latency_p50``, ``storage_read_test.latency_p99`` and
``storage_read_test.latency_worst`` (s) of the blocks that could be read, ``storage_read_test.stalls`` (count) of those
that took 1 s or longer, ``storage_read_test.rotational`` (yes/no). The whole histogram is in the evidence.
Source of the formats: fio 3.33 (Debian 12), its ``json+`` output and its lines about failed reads, over a loop device
whose file was cut; of the options: fio(1).

Why fio: it names the failing offsets, goes on after them, keeps a histogram, and is told by ``--readonly`` to refuse
any job that would write. badblocks(8) measures no times, and dd stops or pads. The last line of defence is the
kernel's: the device is opened for reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.tests_hw._drives import PATTERNS, Drive, drives
from agent.tests_hw._fio import FAILED, SURVIVED, job, table, whole, why_nothing
from agent.tests_hw._test import Bout, HardwareTest, Measured

BLOCK = 1 << 20
"""Bytes read at a time; ours: large enough that a disk does more than seek."""
PIECE = 4096
"""Bytes: no drive's sector is larger."""
AGAIN = 4
"""Bad blocks that are read again in pieces; ours: each piece may take a failing drive seconds."""
AGAIN_S = 4.0
"""Seconds for one of them."""
HUNG_S = 30.0
"""Seconds that fio gets beyond its time: the kernel gives a command up after 30 s (/sys/block/*/device/timeout)."""
STALL_S = 1.0
"""Seconds; ours."""
MAPPED = 32

_SAFE = (
    "--readonly",
    "--direct=1",
    "--invalidate=0",
    "--ioengine=psync",
    "--continue_on_error=read",
    f"--ignore_error={SURVIVED}",
    "--error_dump=1",
    "--output-format=json+",
)


class StorageReadTest(HardwareTest):
    """See the module."""

    name = "storage_read"
    programs = ("fio",)
    heats = (ComponentKind.STORAGE_DEVICE,)
    disturbs = Text("programs open and files load slowly")
    least_s = 5.0
    slack_s = HUNG_S + AGAIN * (AGAIN_S + 6) + 15
    measures: ClassVar = {
        "storage_read_test.errors": "count",
        "storage_read_test.bad_map": "",
        "storage_read_test.covered": "B",
        "storage_read_test.share": "%",
        "storage_read_test.rate": "B/s",
        "storage_read_test.latency_p50": "s",
        "storage_read_test.latency_p99": "s",
        "storage_read_test.latency_worst": "s",
        "storage_read_test.stalls": "count",
        "storage_read_test.rotational": "",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Read all drives side by side; needs root."""
        tree = host.tree(*PATTERNS)
        yield tree
        found = {drive.subject: drive for drive in drives(tree.tree())}
        if found and not host.is_root:
            yield Gap(
                "", Outcome.UNSUPPORTED, Text("needs root"), essential=True, remedy=f"sudo aiodiag test {self.name}"
            )
            return
        limit = bout.seconds + self.slack_s - 5
        for answer in host.each(found, lambda name: _read(host, found[name], bout), timeout_s=limit, essential=True):
            yield from [answer] if isinstance(answer, Gap) else answer

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Of a drive that could not be read at all: a gap, since the reason may be the program's."""
        known = {drive.subject: drive for drive in drives(Tree.merged(evidence))}
        scans = {e.subject: e for e in evidence if e.kind == "fio"}
        if not scans:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        for subject, scan in scans.items():
            said = "\n".join(e.text() for e in evidence if e.kind == "fio-errors" and e.subject == subject)
            pieces = "\n".join(e.text() for e in evidence if e.kind == "fio-pieces" and e.subject == subject)
            yield from _measured(scan, said, pieces, known.get(subject))


def _read(host: Host, drive: Drive, bout: Bout) -> list[Evidence]:
    """The scan: what fio printed, and what it complained of; then its complaints about the first bad blocks."""
    # Without randrepeat=0 it takes a seed of its own, and 0 for none given.
    order = ("--rw=randread", "--randrepeat=0", f"--randseed={bout.seed + 1}", f"--bs={BLOCK}")
    scan, errors = _fio(host, drive, "fio-errors", (*order, f"--runtime={int(bout.seconds)}"), bout.seconds + HUNG_S)
    gathered = [scan, errors]
    if scan.problem is None:
        for offset, size in _failed(errors.text())[:AGAIN]:
            part = ("--rw=read", f"--bs={PIECE}", f"--offset={offset}", f"--size={size}", f"--runtime={int(AGAIN_S)}")
            gathered.append(_fio(host, drive, "fio-pieces", part, AGAIN_S + 2)[1])
    return gathered


def _fio(
    host: Host, drive: Drive, complaints: str, how: tuple[str, ...], timeout_s: float
) -> tuple[Evidence, Evidence]:
    """Its standard output as evidence of kind ``fio``, and its standard error as ``complaints``."""
    started = now()
    args = (f"--name={drive.subject}", f"--filename={drive.path}", *_SAFE, *how)
    ran = host.run("fio", *args, timeout_s=timeout_s)

    def printed(kind: str, data: bytes) -> Evidence:
        return Evidence(
            kind=kind,
            subject=drive.subject,
            data=data,
            source=" ".join(("fio", *args)),
            time=started,
            exit_status=ran.exit_status,
            duration_s=ran.duration_s,
            truncated=ran.truncated,
            problem=ran.reason,
        )

    return printed("fio", ran.stdout), printed(complaints, ran.stderr)


def _measured(scan: Evidence, said: str, pieces: str, drive: Drive | None) -> Iterator[Measured]:
    failed = _failed(said)
    told = _job(scan)
    if not failed and (told is None or told.error or not told.read):
        yield why_nothing(scan, said, scan.subject)
        return
    yield _reading(scan, "errors", len(failed), "count")
    if failed:
        yield _reading(scan, "bad_map", _bad_map(failed, _failed(pieces)), "")
    if drive is not None and drive.rotational is not None:
        yield _reading(scan, "rotational", drive.rotational, "")
    if told is None:
        return
    yield _reading(scan, "covered", told.read, "B")
    if drive is not None:
        yield _reading(scan, "share", round(min(100.0, 100 * told.read / drive.size), 2), "%")
    if told.rate is not None:
        yield _reading(scan, "rate", told.rate, "B/s")
    for name, nanoseconds in told.latency.items():
        yield _reading(scan, f"latency_{name}", nanoseconds / 1e9, "s")
    if told.latency:
        yield _reading(scan, "stalls", told.stalls, "count")


class _Job(NamedTuple):
    """What fio's JSON says: ``error`` that ended it (errno, 0 for none), bytes ``read``, bytes a second; nanoseconds of
    the latencies; how many were of ``STALL_S`` or more.
    """

    error: int
    read: int
    rate: int | None
    latency: dict[str, int]
    stalls: int


def _job(scan: Evidence) -> _Job | None:
    done = job(scan)
    read = table(done, "read")
    times = table(read, "clat_ns")
    if times is None:
        return None
    shares, bins = table(times, "percentile"), table(times, "bins")
    found = {
        "p50": whole(shares, "50.000000"),
        "p99": whole(shares, "99.000000"),
        "worst": whole(times, "max"),
    }
    some = whole(times, "N")
    slow = [whole(bins, key) or 0 for key in bins if _number(key) >= STALL_S * 1e9] if isinstance(bins, dict) else []
    return _Job(
        # It keeps the first that it went on after as well.
        error=0 if whole(done, "total_err") else whole(done, "error") or 0,
        read=whole(read, "io_bytes") or 0,
        rate=whole(read, "bw_bytes"),
        latency={name: value for name, value in found.items() if value is not None} if some else {},
        stalls=sum(slow),
    )


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def _failed(said: str) -> list[tuple[int, int]]:
    """Offset and length, in bytes, of each read that failed; sorted."""
    return sorted({(int(m["offset"]), int(m["length"])) for m in FAILED.finditer(said)})


def _bad_map(blocks: Sequence[tuple[int, int]], pieces: Sequence[tuple[int, int]]) -> str:
    """Where the bad places are: pieces where a block was read again and shows some, else the block."""
    places: list[tuple[int, int]] = []
    for offset, size in blocks:
        inside = [piece for piece in pieces if offset <= piece[0] < offset + size]
        places += inside or [(offset, size)]
    return " ".join(f"{offset}+{size}" for offset, size in list(_joined(places))[:MAPPED])


def _joined(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start = end = -1
    for offset, size in sorted(places):
        if offset > end:
            if end >= 0:
                yield start, end - start
            start, end = offset, offset + size
        else:
            end = max(end, offset + size)
    if end >= 0:
        yield start, end - start


def _reading(scan: Evidence, quantity: str, value: Value, unit: str) -> Reading:
    return Reading(
        name=f"storage_read_test.{quantity}",
        value=value,
        unit=unit,
        component=ComponentKind.STORAGE_DEVICE,
        subject=scan.subject,
        source=scan.source,
        time=scan.time,
    )


TEST = StorageReadTest()
