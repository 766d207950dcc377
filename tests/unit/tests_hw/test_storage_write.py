"""What fio says of a file that it writes and reads back, and what is concluded from it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Tree, Verdict
from agent.rules.storage_write_test import failed, mismatches
from agent.tests_hw import Bout, storage_write
from agent.tests_hw.storage_write import TEST

TIME = "2026-01-02T03:04:05.678Z"
PART = "../../devices/pci0000:00/0000:00:1d.0/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p2"
PLACE = "/sys/dev/block/259:2"
# fio 3.33, of its JSON what is read.
WRITTEN = {
    "jobs": [
        {
            "error": 0,
            "write": {
                "io_bytes": 33554432,
                "bw_bytes": 360800344,
                "clat_ns": {"max": 6076633, "N": 32, "percentile": {"99.000000": 6062080}},
            },
            "read": {"io_bytes": 0},
        }
    ]
}
CHECKED = {"jobs": [{"error": 0, "total_err": 0, "read": {"io_bytes": 33554432}, "write": {"io_bytes": 0}}]}
# One byte was changed within a block, and one in the header of another.
DIFFERENT = """crc32c: verify failed at file SCRATCH/written offset 5242880, length 1048576 (requested block: \
offset=5242880, length=1048576, flags=8)
       Expected CRC: d957e49c
       Received CRC: 5e6c175a
verify: bad magic header ac58, wanted acca at file SCRATCH/written offset 9437184, length 1048576 (requested block: \
offset=9437184, length=1048576)
"""
# As fio 3.33 says it of reads, over a loop device whose file was cut.
ERROR = "fio: io_u error on file SCRATCH/written: Input/output error: {} offset=65011712, buflen=1048576\n"
FULL = "fio: io_u error on file SCRATCH/written: No space left on device: write offset=0, buflen=1048576\n"
LATE = Text("no answer within {seconds} s", {"seconds": 33.0})


def evidence(kind: str, data: str, problem: Text | None = None) -> Evidence:
    return Evidence(kind, "", data.encode(), "fio --name=storage_write", TIME, 0, 3.1, problem=problem)


def gathered(
    written: object = WRITTEN, checked: object = CHECKED, said: str = "", problem: Text | None = None
) -> list[Evidence]:
    return [
        Evidence("tree", "", Tree({PLACE: {"link": PART}}).encode(), PLACE, TIME),
        evidence("fio-write-json", json.dumps(written) if written else "", problem),
        evidence("fio-check-json", json.dumps(checked) if checked else "", problem),
        evidence("fio-check", said),
    ]


def readings(seen: list[Evidence]) -> Readings:
    return Readings(r for r in TEST.interpret(seen) if isinstance(r, Reading))


def values(seen: list[Evidence]) -> dict[str, object]:
    return {r.name.removeprefix("storage_write_test."): r.value for r in readings(seen)}


def judged(seen: list[Evidence]) -> list[Finding]:
    return [*mismatches(readings(seen)), *failed(readings(seen))]


def only_gap(seen: list[Evidence]) -> Gap:
    (gap,) = TEST.interpret(seen)
    assert isinstance(gap, Gap)
    assert gap.essential
    return gap


def test_a_sound_drive_is_measured_and_no_finding() -> None:
    assert values(gathered()) == {
        "mismatches": 0,
        "errors": 0,
        "written": 32 << 20,
        "checked": 32 << 20,
        "rate": 360800344,
        "latency_p99": 0.00606208,
        "latency_worst": 0.006076633,
    }
    assert {r.subject for r in readings(gathered())} == {"nvme0"}
    assert judged(gathered()) == []


def test_what_comes_back_different_is_a_fault_of_the_drive() -> None:
    (finding,) = judged(gathered(said=DIFFERENT))
    assert (finding.code, finding.subject, finding.verdict) == ("DISK-1523", "nvme0", Verdict.FAIL)
    for language in LANGUAGES:
        assert "2" in message(finding, language)


@pytest.mark.parametrize("what", ["read", "write"])
def test_what_fails_is_a_fault_of_the_drive(what: str) -> None:
    (finding,) = judged(gathered(checked=None, said=ERROR.format(what)))
    assert (finding.code, finding.values["count"]) == ("DISK-1538", 1)


def test_what_could_not_be_written_does_not_come_back_different_as_well() -> None:
    refused = ERROR.format("write").replace("65011712", "5242880")
    assert (values(gathered(said=DIFFERENT + refused))["mismatches"], values(gathered(said=refused))["errors"]) == (
        1,
        1,
    )


def test_a_drive_that_is_full_is_no_fault_of_it() -> None:
    document = {"jobs": [{"error": 28, "write": {"io_bytes": 0}}]}
    gap = only_gap(gathered(document, None, FULL))
    assert gap.outcome is Outcome.ERROR
    assert "No space left" in str(gap.reason)


def test_what_was_found_before_it_was_ended_counts() -> None:
    assert values(gathered(None, None, DIFFERENT, LATE))["mismatches"] == 2


def test_an_end_without_a_result_is_an_error_and_never_a_zero() -> None:
    assert only_gap(gathered(None, None, "", LATE)).outcome is Outcome.ERROR
    assert only_gap(gathered(WRITTEN, None, "", LATE)).outcome is Outcome.ERROR
    assert only_gap(gathered()[:2]).outcome is Outcome.ERROR


def test_a_program_that_is_not_there_is_unsupported_with_its_package() -> None:
    gap = only_gap(gathered(None, None, "", Text("{program} is not installed", {"program": "fio"})))
    assert (gap.outcome, gap.remedy) == (Outcome.UNSUPPORTED, "sudo apt-get install fio")


@pytest.mark.parametrize(
    ("links", "drive"),
    [
        ({"": PART}, "nvme0"),
        ({"": "../../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda3"}, "sda"),
        ({"": "../../devices/virtual/block/dm-1", "slaves/dm-0": "../../dm-0", "slaves/dm-0/slaves/sda3":
          "../../../pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda3"}, "sda"),
        ({"": "../../devices/virtual/block/md0", "slaves/sda1": "../../block/sda/sda1",
          "slaves/sdb1": "../../block/sdb/sdb1"}, None),
        ({"": "../../devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb/sdb1"}, None),
        ({"": "../../devices/virtual/block/zram0"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_which_drive_a_file_system_lies_on(links: dict[str, str], drive: str | None) -> None:
    tree = Tree({f"{PLACE}/{name}".rstrip("/"): {"link": link} for name, link in links.items()})
    assert storage_write._drive(tree) == drive


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PLACES = [("error",), ("write",), ("write", "io_bytes"), ("write", "bw_bytes"), ("write", "clat_ns")]


@given(
    path=st.sampled_from([*PLACES, ("write", "clat_ns", "percentile"), ("write", "clat_ns", "max")]), odd=json_values
)
def test_odd_documents_hurt_nobody(path: tuple[str, ...], odd: object) -> None:
    document = json.loads(json.dumps(WRITTEN))
    place = document["jobs"][0]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = odd
    for seen in TEST.interpret(gathered(document, said=DIFFERENT)):
        assert type(seen).from_json(json.loads(json.dumps(seen.to_json(), allow_nan=False))) == seen


def test_room_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = os.statvfs(tmp_path)
    free = there.f_bavail * there.f_frsize
    assert storage_write._room(tmp_path) <= min(storage_write.MOST_B, free * storage_write.SHARE_OF_FREE)
    monkeypatch.setattr(storage_write, "RESERVE_B", free + (1 << 30))
    assert storage_write._room(tmp_path) == 0
    seen = list(TEST.exercise(Host(), Bout(6, 1, tmp_path)))
    assert isinstance(seen[-1], Gap)
    assert seen[-1].outcome is Outcome.UNSUPPORTED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changed", [(), (5 * (1 << 20) + 5000,), (9 << 20, 5 * (1 << 20) + 5000)])
def test_the_real_program_over_a_file_that_changes(
    changed: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each changed byte is in a block of its own."""
    monkeypatch.setattr(storage_write, "MOST_B", 16 << 20)
    seen: list[Evidence] = []
    for item in TEST.exercise(Host(), Bout(20, 3, tmp_path)):
        if isinstance(item, Gap):
            pytest.skip(f"no room to write to here: {item.reason}")
        if item.kind == "fio-write":
            if item.problem:
                pytest.skip(f"no fio here: {item.problem}")
            with (tmp_path / "written").open("r+b") as file:
                for offset in changed:
                    file.seek(offset)
                    byte = file.read(1)
                    file.seek(offset)
                    file.write(bytes([byte[0] ^ 1]))
        seen.append(item)
    assert [f.name for f in tmp_path.iterdir()] == ["written"], "nothing beside the file"
    assert (tmp_path / "written").stat().st_size == 16 << 20
    found = values(seen)
    assert (found["mismatches"], found["errors"]) == (len(changed), 0)
    assert (found["written"], found["checked"]) == (16 << 20, 16 << 20)
    assert not [e for e in seen if os.fsencode(tmp_path) in e.data or str(tmp_path) in e.source]
