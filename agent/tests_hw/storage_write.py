"""Verified writes in free space: fio writes one file of ours, and reads it back with a checksum in each block.

Nothing else is touched: the file lies in the run's own scratch directory, is at most a tenth of the room that is free
and 1 GiB, and at least 512 MiB stay free beside it. Half of the time goes to writing, half to reading back; both go
past the page cache, so it is the drive that answers.

Readings, of the drive that the agent's state lies on: ``storage_write_test.mismatches`` (count) of blocks of 1 MiB that
were written and came back different, ``storage_write_test.errors`` (count) of writes and reads that failed,
``storage_write_test.written`` (B), ``storage_write_test.checked`` (B) read back and compared,
``storage_write_test.rate`` (B/s) of writing, ``storage_write_test.latency_p99`` and
``storage_write_test.latency_worst`` (s) of one write of 1 MiB.
Source of the formats: fio 3.33 (Debian 12), its JSON and its complaints over files whose bytes were changed in between;
of the options: fio(1). The drive behind a file system: /sys/dev/block (Linux ABI: stable/sysfs-block), through the
``slaves`` of LVM and encryption. A file system on memory, on several drives or on USB is not written to, nor is one
that has no device number of its own (btrfs).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree
from agent.tests_hw._fio import FAILED, SURVIVED, job, table, whole, why_nothing
from agent.tests_hw._test import Bout, HardwareTest, Measured

SHARE_OF_FREE = 0.1
MOST_B = 1 << 30
"""Bytes; ours: one bout of many must not wear a drive out."""
RESERVE_B = 512 << 20
"""Bytes that stay free; ours."""
LEAST_B = 16 << 20
"""Bytes below which it says nothing; ours."""
HUNG_S = 30.0
"""Seconds that each half gets beyond its time: the kernel gives up a command after 30 s (/sys/block/*/device/timeout).
"""

_MIB = 1 << 20
_FILE = "written"
_MISMATCH = re.compile(
    r"^(?:verify: bad [^\n]{1,80}|crc32c: verify failed) at file [^\n]{1,200} offset (\d{1,19}), length \d{1,10} ",
    re.MULTILINE | re.ASCII,
)
_DRIVE = re.compile(r"/(?:((?:[hsv]|xv)d[a-z]{1,3}|mmcblk[0-9]{1,3})|(nvme[0-9]{1,3})n[0-9]{1,3})(?=/|$)")


class StorageWriteTest(HardwareTest):
    """See the module."""

    name = "storage_write"
    programs = ("fio",)
    heats = (ComponentKind.STORAGE_DEVICE,)
    disturbs = Text("programs open and files load slowly")
    least_s = 6.0
    slack_s = 2 * (HUNG_S + 4) + 10
    measures: ClassVar = {
        "storage_write_test.mismatches": "count",
        "storage_write_test.errors": "count",
        "storage_write_test.written": "B",
        "storage_write_test.checked": "B",
        "storage_write_test.rate": "B/s",
        "storage_write_test.latency_p99": "s",
        "storage_write_test.latency_worst": "s",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Write what there is room and time for, then check it; needs no root."""
        device = os.stat(bout.scratch).st_dev
        place = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"
        tree = host.tree(place, f"{place}/slaves/*", f"{place}/slaves/*/slaves/*")
        yield tree
        if _drive(tree.tree()) is None:
            yield Gap("", Outcome.UNSUPPORTED, Text("there is no drive of the unit to write to"), essential=True)
            return
        size = _room(bout.scratch)
        if size < LEAST_B:
            yield Gap("", Outcome.UNSUPPORTED, Text("too little free space to test"), essential=True)
            return
        half = max(1, int(bout.seconds / 2))
        # fallocate=none: the file is as long as what was written, so that nothing else is read back.
        how = ("--rw=write", "--do_verify=0", "--fallocate=none", "--end_fsync=1", f"--size={size}")
        written, complaints = _fio(host, bout, "write", *how, half)
        yield written
        yield complaints
        if wrote := _bytes(written, "write"):
            # Without readonly, fio would itself fill up a file that is too short, and miss its own marks there.
            yield from _fio(host, bout, "check", "--rw=read", "--readonly", f"--size={wrote}", half)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Mismatches only from blocks that were read back; an end without a result is a gap and never a zero."""
        by_kind = {e.kind: e for e in evidence}
        written, checked = by_kind.get("fio-write-json"), by_kind.get("fio-check-json")
        if written is None:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
            return
        subject = _drive(Tree.merged(evidence)) or ""
        said = "\n".join(by_kind[kind].text() for kind in ("fio-write", "fio-check") if kind in by_kind)
        failed = list(FAILED.finditer(said))
        errors = len(failed)
        # What could not be written is not there to be read back: no news, and nothing that the drive kept to itself.
        unwritten = {found["offset"] for found in failed if found["what"] == "write"}
        mismatches = len(set(_MISMATCH.findall(said)) - unwritten)
        wrote, read = _bytes(written, "write"), _bytes(checked, "read") if checked else 0
        if not mismatches and not errors and not (wrote and read):
            yield why_nothing(written if not wrote else checked or written, said)
            return

        def reading(quantity: str, value: float, unit: str) -> Reading:
            component, name = ComponentKind.STORAGE_DEVICE, f"storage_write_test.{quantity}"
            return Reading(name, value, unit, component, subject, written.source, written.time)

        yield reading("mismatches", mismatches, "count")
        yield reading("errors", errors, "count")
        yield reading("written", wrote, "B")
        yield reading("checked", read, "B")
        times = table(job(written), "write")
        if (rate := whole(times, "bw_bytes")) and wrote:
            yield reading("rate", rate, "B/s")
        latency = table(times, "clat_ns")
        for name, value in (
            ("p99", whole(table(latency, "percentile"), "99.000000")),
            ("worst", whole(latency, "max")),
        ):
            if value and wrote:
                yield reading(f"latency_{name}", value / 1e9, "s")


def _room(scratch: Path) -> int:
    """Bytes that may be written: whole MiB, 0 where the reserve would be touched."""
    there = os.statvfs(scratch)
    free = there.f_bavail * there.f_frsize
    return max(0, min(MOST_B, int(free * SHARE_OF_FREE), free - RESERVE_B)) // _MIB * _MIB


def _fio(host: Host, bout: Bout, what: str, *how: str | int) -> list[Evidence]:
    """What it printed as evidence of kind ``fio-WHAT-json``, and what it complained of as ``fio-WHAT``.

    Where the scratch directory is may name the person, so its path is left out of both.
    """
    *options, seconds = how
    args = (
        "--name=storage_write",
        f"--directory={bout.scratch}",
        f"--filename={_FILE}",
        *map(str, options),
        f"--bs={_MIB}",
        "--direct=1",
        "--ioengine=psync",
        "--verify=crc32c",
        "--verify_state_save=0",  # it would lie in the working directory
        "--randrepeat=0",
        f"--randseed={bout.seed + 1}",  # 0 is none given
        "--continue_on_error=all",
        f"--ignore_error={SURVIVED},{SURVIVED},{SURVIVED}",
        "--error_dump=1",
        f"--runtime={seconds}",
        "--output-format=json",
    )
    started = now()
    ran = host.run("fio", *args, timeout_s=float(seconds) + HUNG_S)
    path = os.fsencode(bout.scratch)
    printed = Evidence(
        kind=f"fio-{what}-json",
        subject="",
        data=ran.stdout.replace(path, b"SCRATCH"),
        source=" ".join(("fio", *args)).replace(str(bout.scratch), "SCRATCH"),
        time=started,
        exit_status=ran.exit_status,
        duration_s=ran.duration_s,
        truncated=ran.truncated,
        problem=ran.reason,
    )
    return [printed, replace(printed, kind=f"fio-{what}", data=ran.stderr.replace(path, b"SCRATCH"))]


def _drive(tree: Tree) -> str | None:
    """The handle of the one drive of the unit that the file system lies on, as the storage probe names it."""
    links = [tree.link(path) or "" for path in tree.files if path.startswith("/sys/dev/block/")]
    found = {m[1] or m[2] for link in links for m in _DRIVE.finditer(link)}
    on_usb = any(re.search(r"/usb[0-9]+/", link) for link in links)
    return found.pop() if len(found) == 1 and not on_usb else None


def _bytes(printed: Evidence, what: str) -> int:
    return whole(table(job(printed), what), "io_bytes") or 0


TEST = StorageWriteTest()
