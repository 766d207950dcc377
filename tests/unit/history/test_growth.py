"""Two runs of one unit after another: what has grown between them, and whatever the earlier one may be."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import history
from agent.diagnose.judge import judged
from agent.diagnose.of_run import of_run_directory
from agent.history.earlier import KIND, Earlier, of_parts
from agent.history.search import is_same_unit
from agent.journal import RunStore, read
from agent.model import Component, Evidence, Finding, Gap, Outcome, Reading, Readings
from agent.model.inventory import inventory
from agent.model.run_view import RunView
from agent.probes.storage import PROBE as STORAGE
from agent.rules import growth, rules
from tests.aio import TIME, Aio, Drive
from uploader.strict_json import Malformed

NVME = Aio()
ATA = replace(
    NVME, drives=(Drive("sda", "ST1000LM035", "WL1ABCDE", "LCM2", attributes={197: ("Current_Pending_Sector", 0)}),)
)
AREAS = ("memory", "storage")
JUDGES = [rule for rule in rules() if rule.name.startswith("growth.")]
CODES = {code for judge in JUDGES for code in judge.codes}


def view_of(state: Path, run_id: str) -> RunView:
    return RunView.from_records(read(RunStore(state).path(run_id) / "journal.jsonl"))


def later(run_id: str, state: Path) -> None:
    """Make a run one that began at a time of its own: two in one second have no order."""
    folder = RunStore(state).path(run_id)
    count = len(os.listdir(folder.parent))
    folder.rename(folder.with_name(f"2020010{count}T000000Z-0000"))


def two_runs(state: Path, first: Aio, second: Aio) -> RunView:
    later(first.record(state, AREAS), state)
    return view_of(state, second.record(state, AREAS))


def found(view: RunView) -> list[tuple[str, str, str]]:
    return [
        (f.finding.code, f.finding.subject, f.finding.verdict.value) for f in view.findings if f.finding.code in CODES
    ]


def attribute(number: int, name: str, raw: int) -> Aio:
    return ATA.with_drive(attributes={number: (name, raw)})


def attributes(number: int, name: str, before: int, now: int) -> tuple[Aio, Aio]:
    return attribute(number, name, before), attribute(number, name, now)


def health(name: str, before: int, now: int) -> tuple[Aio, Aio]:
    return NVME.with_drive(health={name: before}), NVME.with_drive(health={name: now})


GROWN = {
    "pending again": (*attributes(197, "Current_Pending_Sector", 8, 16), "DISK-1804", "fail"),
    "pending, the first": (*attributes(197, "Current_Pending_Sector", 0, 8), "DISK-1812", "unknown"),
    "offline uncorrectable": (*attributes(198, "Offline_Uncorrectable", 1, 2), "DISK-1804", "fail"),
    "read errors": (*attributes(187, "Reported_Uncorrect", 0, 1), "DISK-1820", "fail"),
    "replaced": (*attributes(5, "Reallocated_Sector_Ct", 3, 9), "DISK-1836", "unknown"),
    "timeouts": (*attributes(188, "Command_Timeout", 3, 9), "DISK-1848", "unknown"),
    "cable": (*attributes(199, "UDMA_CRC_Error_Count", 3, 4), "DISK-1857", "unknown"),
    "media errors": (*health("media_errors", 1, 2), "DISK-1861", "fail"),
    "unsafe shutdowns": (*health("unsafe_shutdowns", 3, 4), "DISK-1873", "unknown"),
    "memory": (replace(NVME, memory_errors=2), replace(NVME, memory_errors=1), "MEM-3526", "unknown"),
    "memory, of no module": (
        *(replace(NVME, memory_errors_of_no_module=count) for count in (2, 1)),
        *("MEM-3526", "unknown"),
    ),
}


@pytest.mark.parametrize(("first", "second", "code", "verdict"), GROWN.values(), ids=GROWN)
def test_what_has_grown(first: Aio, second: Aio, code: str, verdict: str, tmp_path: Path) -> None:
    view = two_runs(tmp_path, first, second)
    ((found_code, _, found_verdict),) = found(view)
    assert (found_code, found_verdict) == (code, verdict)
    (finding,) = [f for f in view.findings if f.finding.code == code]
    assert len(finding.records) == len(finding.finding.evidence), "each reading that it rests on is a record"
    assert {r.name for r in finding.finding.evidence} & {r.name for r in view.steps["earlier"].readings.values()}


@pytest.mark.parametrize(("first", "second", "code", "verdict"), GROWN.values(), ids=GROWN)
def test_what_has_not_grown(first: Aio, second: Aio, code: str, verdict: str, tmp_path: Path) -> None:
    assert found(two_runs(tmp_path, second, second)) == []
    assert view_of(tmp_path, RunStore(tmp_path).latest() or "").outcomes["earlier"] is Outcome.PASS


def test_what_kept_growing_is_not_hidden_by_what_is_new(tmp_path: Path) -> None:
    first, second = (
        ATA.with_drive(attributes={197: ("Current_Pending_Sector", new), 198: ("Offline_Uncorrectable", old)})
        for new, old in ((0, 3), (2, 5))
    )
    assert found(two_runs(tmp_path, first, second)) == [("DISK-1804", "sda", "fail")]


def test_it_is_judged_the_same_from_the_evidence(tmp_path: Path) -> None:
    first, second, code, _ = GROWN["media errors"]
    live = two_runs(tmp_path, first, second)
    again = judged(of_run_directory(RunStore(tmp_path).path(RunStore(tmp_path).latest() or "")))
    assert found(again) == found(live)
    assert found(again)[0][0] == code


def test_a_drive_is_not_held_against_its_predecessor(tmp_path: Path) -> None:
    second = NVME.with_drive(serial="ANOTHER", health={"media_errors": 9})
    assert found(two_runs(tmp_path, NVME, second)) == []


def test_a_drive_that_is_called_otherwise_now_is_the_same(tmp_path: Path) -> None:
    second = NVME.with_drive(name="nvme1", health={"media_errors": 9})
    assert found(two_runs(tmp_path, NVME, second)) == [("DISK-1861", "nvme1", "fail")]


def test_two_drives_that_claim_one_serial_number_are_not_compared(tmp_path: Path) -> None:
    twin = Drive("nvme1", address="0000:05:00.0", health={"media_errors": 9})
    first, second = (replace(NVME, drives=(NVME.drives[0], other)) for other in (replace(twin, health={}), twin))
    assert found(two_runs(tmp_path, first, second)) == []


def test_a_drive_that_has_grown_younger_is_not_compared(tmp_path: Path) -> None:
    assert found(two_runs(tmp_path, NVME, NVME.with_drive(hours=10, health={"media_errors": 9}))) == []


def test_an_attribute_of_another_meaning_is_not_compared(tmp_path: Path) -> None:
    first, second = attribute(197, "Bogus_Thing", 1), attribute(197, "Bogus_Thing", 5)
    assert found(two_runs(tmp_path, first, second)) == []


def battery(volts: float, before: float) -> list[Finding]:
    from agent.model import ComponentKind

    now = Reading("board.battery.voltage", volts, "V", ComponentKind.RTC_BATTERY, "chip/Vbat", "hwmon", TIME)
    was = replace(now, name="earlier.board.battery.voltage", value=before)
    run = Reading("earlier.run", TIME, "", ComponentKind.CHASSIS, "", "journal", TIME)
    return list(growth.battery_runs_down(Readings([now, was, run])))


@pytest.mark.parametrize(
    ("volts", "before", "count"), [(2.75, 2.95, 1), (2.95, 3.2, 0), (2.75, 2.8, 0), (2.75, 2.5, 0), (0.0, 3.0, 0)]
)
def test_the_clock_battery(volts: float, before: float, count: int) -> None:
    findings = battery(volts, before)
    assert len(findings) == count
    assert all(f.values == {"voltage": volts, "before": before, "since": TIME[:10]} for f in findings)


# Whatever the earlier run may be.


def test_the_first_run_says_that_there_is_none(tmp_path: Path) -> None:
    view = view_of(tmp_path, NVME.record(tmp_path, AREAS))
    (gap,) = view.steps["earlier"].gaps
    assert (gap.outcome, gap.essential) == (Outcome.UNSUPPORTED, False)


def test_a_foreign_unit_is_passed_over(tmp_path: Path) -> None:
    """As on a stick that was in many units."""
    later(NVME.record(tmp_path, AREAS), tmp_path)
    later(replace(NVME, serial="OTHER").record(tmp_path, AREAS), tmp_path)
    view = view_of(tmp_path, NVME.with_drive(health={"media_errors": 2}).record(tmp_path, AREAS))
    assert found(view) == [("DISK-1861", "nvme0", "fail")]
    foreign = view_of(
        tmp_path, replace(NVME, serial="THIRD").with_drive(health={"media_errors": 2}).record(tmp_path, AREAS)
    )
    assert found(foreign) == []


def cut(journal: Path) -> None:
    data = journal.read_bytes()
    journal.write_bytes(data[: len(data) // 2])


def garbled(journal: Path) -> None:
    journal.write_bytes(b"no journal\n" * 1000)


def huge(journal: Path) -> None:
    with journal.open("ab") as file:
        file.truncate(64 * 1024 * 1024)


def gone(journal: Path) -> None:
    journal.rename(journal.with_name("journal.damaged-1.jsonl"))


def linked(journal: Path) -> None:
    journal.unlink()
    journal.symlink_to("/etc/passwd")


def pipe(journal: Path) -> None:
    journal.unlink()
    os.mkfifo(journal)


def nonsense(journal: Path) -> None:
    """Valid records whose numbers no counter has."""
    data = journal.read_text()
    journal.write_text(re.sub(r'("name":"storage\.nvme\.media_errors","value":)\d+', r"\g<1>1" + "0" * 30, data))


@pytest.mark.parametrize("spoil", [cut, garbled, huge, gone, linked, pipe, nonsense], ids=lambda f: f.__name__)
def test_a_spoilt_run_blocks_nothing(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    """The one before it is taken; alone it is a gap that is not essential."""
    later(NVME.record(tmp_path, AREAS), tmp_path)
    later(NVME.record(tmp_path, AREAS), tmp_path)
    spoil(tmp_path / "runs" / "20200102T000000Z-0000" / "journal.jsonl")
    view = view_of(tmp_path, NVME.with_drive(health={"media_errors": 2}).record(tmp_path, AREAS))
    earlier = view.steps["earlier"]
    if spoil is nonsense:
        assert [gap.outcome for gap in earlier.gaps] == [Outcome.ERROR]
    else:
        assert found(view) == [("DISK-1861", "nvme0", "fail")]
    assert not any(gap.essential for gap in earlier.gaps)
    assert earlier.outcome in (Outcome.PASS, Outcome.UNSUPPORTED)
    assert view.outcomes["rules"] is Outcome.PASS
    assert view.complete


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"serial": "A1"}, {"serial": "A1"}, True),
        ({"serial": "A1"}, {"serial": "A2"}, False),
        ({"serial": "A1"}, {}, False),
        ({"uuid": "x"}, {"uuid": "x"}, True),
        ({"uuid": "x", "model": "m"}, {"uuid": "y", "model": "m"}, False),
        ({"serial": "A1", "uuid": "x"}, {"uuid": "x"}, False),
        ({"model": "m"}, {"model": "m"}, True),
        ({"model": "m"}, {"model": "n"}, False),
        ({}, {}, True),
    ],
)
def test_which_runs_are_of_one_unit(one: dict[str, str], other: dict[str, str], same: bool) -> None:
    assert is_same_unit(one, other) is same
    assert is_same_unit(other, one) is same


READING = {"name": "a.b", "value": 1, "unit": "", "component": "fan", "subject": "", "source": "", "time": ""}


class TestDocument:
    EARLIER = of_parts("run", TIME, (), ())

    @pytest.mark.parametrize(
        "change",
        [
            {"schema": 2},
            {"more": 1},
            {"readings": [{}]},
            {"readings": [[]] * 2001},
            {"readings": [READING | {"name": "x"}]},
            {"readings": [READING | {"value": None}]},
            {"readings": [READING | {"value": 2**70}]},
            {"readings": [READING | {"unit": "furlong"}]},
            {"readings": [READING | {"component": "furnace"}]},
            {"readings": [READING | {"more": ""}]},
        ],
    )
    def test_what_is_none_is_refused(self, change: dict[str, Any]) -> None:
        document = self.EARLIER.to_json() | change
        with pytest.raises(Malformed):
            Earlier.decode(json.dumps(document).encode())

    def test_it_is_read_as_it_was_written(self) -> None:
        document = self.EARLIER.to_json() | {"readings": [READING]}
        assert Earlier.decode(json.dumps(document).encode()).to_json() == document

    @given(st.binary(max_size=200))
    def test_no_content_breaks_the_interpreter(self, data: bytes) -> None:
        for item in history.interpret([Evidence(KIND, "", data, "x", TIME)]):
            assert isinstance(item, Gap)
            assert not item.essential


# On real drives.


def real(shared: Path) -> Iterator[tuple[str, list[Component], list[Reading]]]:
    from tests.corpus.index import rows

    for row in rows(shared):
        if row.kind == "smart" and row.subkind.startswith(("smartctl-json", "smartctl-text")):
            kind = row.subkind[:13]
            seen = list(STORAGE.interpret([Evidence(kind, "sda", row.file.read_bytes(), "smartctl", TIME)]))
            parts = [item for item in seen if isinstance(item, Component)]
            yield row.path, parts, [item for item in seen if isinstance(item, Reading)]


def grown(parts: list[Component], now: list[Reading], before: list[Reading]) -> list[str]:
    # The corpus masks serial numbers; in the two runs it is the same drive.
    known = [replace(part, serial=part.serial or "KNOWN-1") for part in parts]
    earlier = of_parts("run", TIME, known, before).as_readings("x", TIME)
    readings = Readings([*now, *inventory(known), *earlier])
    return [finding.code for judge in JUDGES for finding in judge.judge(readings)]


def test_every_real_drive_against_itself_and_against_what_it_was(shared: Path) -> None:
    """No finding for a drive that stands still. One for a drive whose every counter was lower: by which attribute it
    says so, smartctl's drive database must call it what it means.
    """
    compared = fell = 0
    for path, parts, now in real(shared):
        assert grown(parts, now, now) == [], path
        lower = [replace(r, value=r.value - 1) if _counts(r) else r for r in now]
        codes = grown(parts, now, lower)
        compared += 1
        fell += bool(codes)
        names = {r.name for r in now if _counts(r)}
        if "storage.nvme.media_errors" in names:
            assert "DISK-1861" in codes, path
    assert compared > 300
    assert fell > 50


def _counts(reading: Reading) -> bool:
    from agent.history.counters import GROWING

    return bool(GROWING.fullmatch(reading.name)) and type(reading.value) is int and reading.value > 0
