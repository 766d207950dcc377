"""What fio says of a whole drive that it reads, and what is concluded from it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Tree, Verdict
from agent.rules.storage_read_test import slow, unreadable
from agent.tests_hw import Bout
from agent.tests_hw._drives import Drive
from agent.tests_hw.storage_read import _SAFE, BLOCK, PIECE, TEST, _joined, _read

TIME = "2026-01-02T03:04:05.678Z"
TREE = Tree(
    {
        "/sys/block/sda": {"link": "../devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda"},
        "/sys/block/sda/size": "131072",
        "/sys/block/sda/removable": "0",
        "/sys/block/sda/queue/rotational": "1",
    }
)
# fio 3.33 over a loop device of 64 MiB whose file ends 8 KiB before the last MiB; of its JSON what is read.
SCAN = {
    "fio version": "fio-3.33",
    "jobs": [
        {
            "jobname": "sda",
            "error": 5,
            "read": {
                "io_bytes": 65011712,
                "bw_bytes": 235549681,
                "clat_ns": {
                    "max": 14987059,
                    "N": 62,
                    "percentile": {"50.000000": 3391488, "99.000000": 15007744},
                    "bins": {"3391488": 61, "15007744": 1},
                },
            },
            "total_err": 2,
            "first_error": 5,
        }
    ],
}
ERRORS = """fio: io_u error on file /dev/loop0: Input/output error: read offset=66060288, buflen=1048576
fio: io_u error on file /dev/loop0: Input/output error: read offset=65011712, buflen=1048576
"""
PIECES = """fio: io_u error on file /dev/loop0: Input/output error: read offset=66052096, buflen=4096
fio: io_u error on file /dev/loop0: Input/output error: read offset=66056192, buflen=4096
"""
NOT_THERE = """fio: pid=0, err=2/file:filesetup.c:770, func=open(/dev/sda), error=No such file or directory
"""


def evidence(kind: str, data: str, problem: Text | None = None) -> Evidence:
    return Evidence(kind, "sda", data.encode(), "fio --name=sda", TIME, 0, 5.1, problem=problem)


def gathered(scan: object, errors: str = "", *more: Evidence, problem: Text | None = None) -> list[Evidence]:
    tree = Evidence("tree", "", TREE.encode(), "", TIME)
    printed = "" if scan is None else json.dumps(scan)
    return [tree, evidence("fio", printed, problem), evidence("fio-errors", errors, problem), *more]


def scanned(**changes: object) -> dict[str, object]:
    """A drive that is sound, unless these parts of its latencies say otherwise."""
    document = json.loads(json.dumps(SCAN))
    job = document["jobs"][0]
    job.update(error=0, total_err=0, first_error=0)
    job["read"]["io_bytes"] = 64 << 20
    job["read"]["clat_ns"].update(changes)
    assert isinstance(document, dict)
    return document


def readings(seen: list[Evidence]) -> Readings:
    return Readings(r for r in TEST.interpret(seen) if isinstance(r, Reading))


def values(seen: list[Evidence]) -> dict[str, object]:
    return {r.name.removeprefix("storage_read_test."): r.value for r in readings(seen)}


def judged(seen: list[Evidence]) -> list[Finding]:
    return [*unreadable(readings(seen)), *slow(readings(seen))]


def only_gap(seen: list[Evidence]) -> Gap:
    (gap,) = TEST.interpret(seen)
    assert isinstance(gap, Gap)
    assert gap.essential
    return gap


def test_a_sound_drive_is_measured_and_no_finding() -> None:
    assert values(gathered(scanned())) == {
        "errors": 0,
        "covered": 64 << 20,
        "share": 100.0,
        "rate": 235549681,
        "latency_p50": 0.003391488,
        "latency_p99": 0.015007744,
        "latency_worst": 0.014987059,
        "stalls": 0,
        "rotational": True,
    }
    assert judged(gathered(scanned())) == []


def test_places_that_cannot_be_read_are_a_fault_of_the_drive() -> None:
    seen = gathered(SCAN, ERRORS, evidence("fio-pieces", PIECES))
    assert values(seen)["errors"] == 2
    assert values(seen)["share"] == 96.88
    # The block of which pieces were found bad by these, the other as a whole; they touch.
    assert values(seen)["bad_map"] == f"66052096+{2 * PIECE + BLOCK}"
    (finding,) = judged(seen)
    assert (finding.code, finding.subject, finding.verdict) == ("DISK-1509", "sda", Verdict.FAIL)
    assert [r.name for r in finding.evidence] == ["storage_read_test.errors", "storage_read_test.bad_map"]
    for language in LANGUAGES:
        assert "2" in message(finding, language)


@pytest.mark.parametrize("said", ["No data available", "Remote I/O error", "Connection timed out"])
def test_what_else_the_kernel_says_of_a_bad_medium(said: str) -> None:
    assert values(gathered(SCAN, ERRORS.replace("Input/output error", said)))["errors"] == 2


def test_bad_places_count_when_fio_had_to_be_ended() -> None:
    late = Text("no answer within {seconds} s", {"seconds": 35.0})
    seen = gathered(None, ERRORS, problem=late)
    assert values(seen) == {"errors": 2, "bad_map": f"65011712+{2 * BLOCK}", "rotational": True}
    assert [f.code for f in judged(seen)] == ["DISK-1509"]


def test_a_drive_that_could_not_be_read_at_all_is_a_gap() -> None:
    late = Text("no answer within {seconds} s", {"seconds": 35.0})
    assert only_gap(gathered(None, "", problem=late)).outcome is Outcome.ERROR
    document = scanned()
    document["jobs"] = [{"error": 2, "total_err": 0, "read": {"io_bytes": 0, "clat_ns": {"N": 0}}}]
    gap = only_gap(gathered(document, NOT_THERE))
    assert (gap.subject, gap.outcome) == ("sda", Outcome.ERROR)
    assert "No such file" in str(gap.reason)


def test_a_program_that_is_not_there_is_unsupported_with_its_package() -> None:
    gap = only_gap(gathered(None, "", problem=Text("{program} is not installed", {"program": "fio"})))
    assert (gap.outcome, gap.remedy) == (Outcome.UNSUPPORTED, "sudo apt-get install fio")


@pytest.mark.parametrize(("rotational", "tail_ns", "slow_one"), [("1", 299e6, False), ("1", 301e6, True)])
def test_a_long_tail_is_a_slow_drive(rotational: str, tail_ns: float, slow_one: bool) -> None:
    seen = gathered(scanned(percentile={"50.000000": 2_000_000, "99.000000": int(tail_ns)}))
    found = judged(seen)
    assert [f.code for f in found] == (["DISK-1514"] if slow_one else [])
    assert all(f.verdict is Verdict.UNKNOWN for f in found)


def test_flash_has_a_shorter_tail() -> None:
    seen = gathered(scanned(percentile={"50.000000": 2_000_000, "99.000000": 150_000_000}))
    assert judged(seen) == []
    files = {**TREE.files, "/sys/block/sda/queue/rotational": "0"}
    seen[0] = Evidence("tree", "", Tree(files).encode(), "", TIME)
    (finding,) = judged(seen)
    assert finding.values["milliseconds"] == 150


@pytest.mark.parametrize(("count", "slow_one"), [(1, False), (2, True)])
def test_one_long_read_may_be_a_disk_that_slept(count: int, slow_one: bool) -> None:
    seen = gathered(scanned(bins={"3391488": 900, "7112491008": count}))
    assert values(seen)["stalls"] == count
    assert [f.code for f in judged(seen)] == (["DISK-1514"] if slow_one else [])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


TIMES = ("read", "clat_ns")
PLACES = [("jobs",), ("error",), ("total_err",), ("read",), ("read", "io_bytes"), ("read", "bw_bytes"), TIMES]
PLACES += [(*TIMES, "bins"), (*TIMES, "percentile"), (*TIMES, "N"), (*TIMES, "max")]


@given(path=st.sampled_from(PLACES), odd=json_values)
def test_odd_documents_hurt_nobody(path: tuple[str, ...], odd: object) -> None:
    document = json.loads(json.dumps(SCAN))
    place = document if path == ("jobs",) else document["jobs"][0]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = odd
    for seen in TEST.interpret(gathered(document, ERRORS)):
        assert type(seen).from_json(json.loads(json.dumps(seen.to_json(), allow_nan=False))) == seen


places = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=20)


@given(places)
def test_the_map_covers_every_bad_place_once_and_nothing_else(bad: list[tuple[int, int]]) -> None:
    joined = list(_joined(bad))
    covered = [byte for offset, size in joined for byte in range(offset, offset + size)]
    assert len(covered) == len(set(covered))
    assert set(covered) == {byte for offset, size in bad for byte in range(offset, offset + size)}
    assert all(end < start for end, start in zip([o + s for o, s in joined], [o for o, _ in joined[1:]], strict=False))


def sysfs(folder: Path, *disks: str) -> Path:
    for disk in disks:
        (folder / "sys/block" / disk / "queue").mkdir(parents=True)
        (folder / "sys/block" / disk / "size").write_text("131072\n")
        (folder / "sys/block" / disk / "queue/rotational").write_text("0\n")
    return folder


def test_an_ordinary_user_is_told_what_it_needs(tmp_path: Path) -> None:
    host = Host(str(sysfs(tmp_path, "sda")))
    host.is_root = False
    _, gap = TEST.exercise(host, Bout(5, 1, tmp_path))
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential, gap.remedy) == (Outcome.UNSUPPORTED, True, "sudo aiodiag test storage_read")


def test_what_it_starts_for_each_drive(tmp_path: Path) -> None:
    host = Host(str(sysfs(tmp_path, "sda", "nvme0n1", "vda", "loop0")))
    host.is_root = True
    started = [e for e in TEST.exercise(host, Bout(7, 0, tmp_path)) if isinstance(e, Evidence) and e.kind == "fio"]
    assert sorted(e.subject for e in started) == ["nvme0", "sda"]
    for e in started:
        words = e.source.split()
        assert "--readonly" in words
        assert {w for w in words if w.startswith("--rw=")} == {"--rw=randread"}
        assert {"--runtime=7", "--randseed=1", "--randrepeat=0"} <= set(words)
    assert {w for e in started for w in e.source.split() if w.startswith("--filename=")} == {
        "--filename=/dev/nvme0n1",
        "--filename=/dev/sda",
    }


def fio(*args: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["/usr/bin/fio", *args], capture_output=True, check=False, timeout=60)
    except FileNotFoundError:
        pytest.skip("fio is not installed")


@pytest.mark.parametrize("mode", ["write", "randwrite", "rw", "randrw", "trim", "trimwrite"])
def test_fio_so_started_refuses_to_write(mode: str, tmp_path: Path) -> None:
    """Whatever might be asked of it by mistake: nothing is changed."""
    target = tmp_path / "drive"
    target.write_bytes(b"precious" * 4096)
    ran = fio("--name=x", f"--filename={target}", *_SAFE, f"--rw={mode}", "--bs=4096")
    assert ran.returncode != 0
    assert b"read-only mode" in ran.stderr
    assert target.read_bytes() == b"precious" * 4096


def test_the_seed_decides_the_order(tmp_path: Path) -> None:
    target, log = tmp_path / "drive", tmp_path / "log"
    target.write_bytes(bytes(16 * 4096))

    def order(seed: int) -> list[str]:
        log.unlink(missing_ok=True)
        how = ("--rw=randread", "--randrepeat=0", f"--randseed={seed}", "--bs=4096", f"--write_iolog={log}")
        assert fio("--name=x", f"--filename={target}", *_SAFE, *how).returncode == 0
        return [line.split()[-2] for line in log.read_text().splitlines() if " read " in line]

    assert order(1) == order(1)
    assert order(1) != order(2**31)
    assert len(set(order(1))) == 16, "each block once"


@pytest.fixture
def cut_short(tmp_path: Path) -> Iterator[Drive]:
    """A device of 64 MiB of which the last MiB and 8 KiB before it cannot be read."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    os.truncate(file, 64 << 20)
    try:
        made = subprocess.run(
            ["/usr/sbin/losetup", "-f", "--show", str(file)], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no loop devices here")
    os.truncate(file, (63 << 20) - 2 * PIECE)
    try:
        yield Drive("sda", made.stdout.strip().removeprefix("/dev/"), 64 << 20, True)
    finally:
        subprocess.run(["/usr/sbin/losetup", "-d", made.stdout.strip()], check=True)


def test_the_real_program_over_a_device_with_a_bad_end(cut_short: Drive) -> None:
    if not Path("/usr/bin/fio").exists():
        pytest.skip("fio is not installed")
    seen = values([Evidence("tree", "", TREE.encode(), "", TIME), *_read(Host(), cut_short, Bout(5, 1, Path("/")))])
    assert (seen["errors"], seen["covered"], seen["share"]) == (2, 62 << 20, 96.88)
    assert seen["bad_map"] == f"{(63 << 20) - 2 * PIECE}+{BLOCK + 2 * PIECE}"
