"""``aiodiag compare`` as its user runs it: captures, runs and bundles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.diagnose.capture_file import encode
from tests.agent_process import aiodiag
from tests.aio import Aio, Drive, Module, Panel
from tests.device import Device

BEFORE = Aio()
FILES = {
    "before": BEFORE,
    "after": BEFORE.with_drive(serial="NEW-1"),
    "worse": BEFORE.with_drive(health={"media_errors": 3}),
    "other": Aio("AIO24-0002", panel=Panel(serial=9), drives=(Drive(serial="D2"),), modules=(Module("A", "15C77402"),)),
    "board": replace(BEFORE, serial="BOARD-77"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("files")
    for name, aio in FILES.items():
        (found / name).write_bytes(encode(aio.capture()))
    blind = BEFORE.capture()
    (found / "blind").write_bytes(encode(replace(blind, steps=blind.steps[:3])))
    (found / "cut").write_bytes(encode(blind)[:-30])
    return found


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("before", "before", 0),
        ("before", "after", 0),
        ("before", "worse", 1),
        ("before", "other", 2),
        ("before", "cut", 2),
        ("nowhere", "before", 2),
        ("before", "board", 0),
        ("before", "blind", 3),
    ],
)
def test_exit_status(old: str, new: str, status: int, folder: Path, tmp_path: Path) -> None:
    ran = aiodiag(tmp_path, "compare", str(folder / old), str(folder / new), "--json")
    assert ran.status == status, ran.err
    assert "Traceback" not in ran.err
    if status == 2:
        assert (ran.out, len(ran.err.splitlines())) == ("", 1)
    else:
        assert ran.err == ""
        assert ran.json()["old"]["input"] == str(folder / old)


def test_two_units_are_named(folder: Path, tmp_path: Path) -> None:
    ran = aiodiag(tmp_path, "compare", str(folder / "before"), str(folder / "other"))
    assert "AIO24-0001" in ran.err
    assert "AIO24-0002" in ran.err


def test_runs_by_their_ids_and_by_their_directories(tmp_path: Path) -> None:
    first = BEFORE.record(tmp_path, ("storage",))
    second = FILES["worse"].record(tmp_path, ("storage",))
    by_id = aiodiag(tmp_path, "compare", first, second, "--json")
    by_path = aiodiag(tmp_path, "compare", *(str(tmp_path / "runs" / run_id) for run_id in (first, second)), "--json")
    assert (by_id.status, by_path.status) == (1, 1)
    assert by_id.json()["counters"] == by_path.json()["counters"]
    assert by_id.json()["counters"][0] == {
        "name": "storage.nvme.media_errors",
        "subject": "nvme0",
        "unit": "count",
        "old": 0,
        "new": 3,
        "fault": True,
    }
    assert by_id.json()["new"]["run_id"] == second


def test_a_bundle_and_a_capture(folder: Path, tmp_path: Path) -> None:
    bundle = Device(tmp_path, "AIO24-0001").bundle(None).path
    ran = aiodiag(tmp_path, "compare", str(bundle), str(folder / "before"), "--json")
    assert ran.status == 3, "this bundle has an old kind of step only"
    assert (ran.json()["old"]["kind"], ran.json()["new"]["kind"]) == ("bundle", "capture")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Parts that changed", "exchanged", "NEW-1", "The same unit."]),
        ("es", ["Piezas que han cambiado", "cambiada", "NEW-1", "El mismo equipo."]),
        ("zh_Hant", ["已變更的零件", "更換", "NEW-1", "同一台電腦。"]),
    ],
)
def test_the_result_for_people(language: str, words: list[str], folder: Path, tmp_path: Path) -> None:
    ran = aiodiag(tmp_path, "compare", str(folder / "before"), str(folder / "after"), "--lang", language)
    assert ran.status == 0
    assert [word for word in words if word not in ran.out] == []


def test_what_grew_for_people(folder: Path, tmp_path: Path) -> None:
    ran = aiodiag(tmp_path, "compare", str(folder / "before"), str(folder / "worse"))
    for word in ("storage.nvme.media_errors", "a fault", "DISK-1861", "Counters that grew"):
        assert word in ran.out


def test_nothing_for_people(folder: Path, tmp_path: Path) -> None:
    assert "Nothing changed." in aiodiag(tmp_path, "compare", str(folder / "before"), str(folder / "before")).out
