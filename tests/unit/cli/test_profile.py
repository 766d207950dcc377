"""``aiodiag profile`` as its user runs it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.diagnose.capture import CapturedStep
from agent.diagnose.capture_file import encode
from agent.diagnose.judge import judged
from agent.diagnose.of_run import of_run_directory
from agent.journal import RunStore, read
from agent.model.run_view import RunView
from tests.agent_process import Ran, aiodiag
from tests.aio import Aio, Panel
from tests.unit.tests_hw.test_thermal import soak

GOOD = Aio()


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "good").write_bytes(encode(GOOD.capture("20260101T000000Z-abcd")))
    return str(tmp_path / "good")


def learn(state: Path, *source: str) -> Ran:
    return aiodiag(state, "profile", "learn", *source)


def test_it_says_in_one_line_what_it_learnt_and_where_it_is(good: str, tmp_path: Path) -> None:
    ran = learn(tmp_path, good)
    assert (ran.status, len(ran.out.splitlines()), ran.err) == (0, 1, "")
    (path,) = (tmp_path / "profiles").iterdir()
    for word in ("Hibertek AIO 24", "2 × memory module", "1 × screen", str(path), "20260101T000000Z-abcd"):
        assert word in ran.out


def test_runs_of_other_units_of_the_model_tell_how_they_differ(good: str, tmp_path: Path) -> None:
    """A check of one unit, and soaks of three."""
    soaks = []
    for number, resistance in enumerate((0.97, 1.0, 1.04)):
        capture = replace(GOOD, serial=f"AIO24-000{number}").capture(f"20260101T00000{number}Z-abcd")
        soaked = CapturedStep("test.thermal", tuple(soak(resistance, seed=number)))
        (tmp_path / f"soak{number}").write_bytes(encode(replace(capture, steps=(*capture.steps, soaked))))
        soaks.append(str(tmp_path / f"soak{number}"))
    told = aiodiag(tmp_path, "profile", "learn", good, *soaks, "--json")
    assert (told.status, told.err) == (0, "")
    markers = {(m["reading"], m["of"]): m["values"] for m in told.json()["profile"]["markers"]}
    assert markers["thermal_test.rise_per_watt", "thermal_zone0"] == pytest.approx([0.97, 1.0, 1.04], rel=0.03)
    (tmp_path / "other").write_bytes(encode(replace(GOOD, model="AIO 27").capture()))
    ran = learn(tmp_path, good, str(tmp_path / "other"))
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert "is not of the model Hibertek AIO 24" in ran.err


def test_list_show_forget(good: str, tmp_path: Path) -> None:
    assert aiodiag(tmp_path, "profile", "list", "--json").json() == {"schema": 1, "profiles": []}
    assert "aiodiag profile learn" in aiodiag(tmp_path, "profile", "list").out
    told = aiodiag(tmp_path, "profile", "learn", good, "--json").json()
    (listed,) = aiodiag(tmp_path, "profile", "list", "--json").json()["profiles"]
    assert (listed["name"], listed["model"], listed["shipped"]) == (told["name"], "AIO 24", False)
    assert "Hibertek AIO 24" in aiodiag(tmp_path, "profile", "list").out
    shown = aiodiag(tmp_path, "profile", "show", told["name"], "--json")
    assert shown.json() == told["profile"] == json.loads(Path(told["path"]).read_bytes())
    assert "panel.width" in aiodiag(tmp_path, "profile", "show", told["name"]).out
    assert aiodiag(tmp_path, "profile", "forget", told["name"]).status == 0
    assert not Path(told["path"]).exists()
    again = aiodiag(tmp_path, "profile", "forget", told["name"])
    assert (again.status, len(again.err.splitlines())) == (2, 1)


def test_a_file_that_is_no_profile_is_listed_and_can_be_forgotten(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "odd.profile.json").write_text("{")
    (listed,) = aiodiag(tmp_path, "profile", "list", "--json").json()["profiles"]
    assert listed["problem"]
    assert "odd" in aiodiag(tmp_path, "profile", "list").out
    shown = aiodiag(tmp_path, "profile", "show", "odd")
    assert (shown.status, len(shown.err.splitlines())) == (2, 1)
    assert aiodiag(tmp_path, "profile", "forget", "odd").status == 0


@pytest.mark.parametrize(
    ("aio", "word"),
    [(GOOD.with_drive(health={"critical_warning": 4}), "DISK-1321"), (replace(GOOD, model=""), "model")],
)
def test_what_cannot_be_learnt_from(aio: Aio, word: str, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(encode(aio.capture()))
    ran = learn(tmp_path, str(tmp_path / "bad"))
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert word in ran.err
    assert not (tmp_path / "profiles").exists()


def test_what_was_not_seen_is_said(tmp_path: Path) -> None:
    capture = GOOD.capture()
    blind = replace(capture, steps=tuple(replace(s, evidence=()) if s.id == "probe.usb" else s for s in capture.steps))
    (tmp_path / "blind").write_bytes(encode(blind))
    ran = learn(tmp_path, str(tmp_path / "blind"))
    assert ran.status == 0
    assert "USB" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_what_no_profile_has_anything_of_is_not_missed(tmp_path: Path) -> None:
    capture = GOOD.capture()
    others = [step for step in capture.steps if step.id != "probe.last_shutdown"]
    blind = replace(capture, steps=(*others, replace(others[0], id="probe.last_shutdown", evidence=())))
    (tmp_path / "blind").write_bytes(encode(blind))
    ran = learn(tmp_path, str(tmp_path / "blind"))
    assert (ran.status, ran.err) == (0, "")


def test_a_source_that_is_none(tmp_path: Path) -> None:
    for source in ("nowhere", "20260101T000000Z-abcd", str(tmp_path)):
        ran = learn(tmp_path, source)
        assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
        assert "Traceback" not in ran.err


def test_this_machine_now(tmp_path: Path) -> None:
    """Whatever it is: a machine that says its model is learnt from, unless it has a fault."""
    ran = aiodiag(tmp_path, "profile", "learn", "--json")
    assert ran.status in {0, 2}
    assert (ran.status == 0) == bool(ran.out)
    shown = aiodiag(tmp_path, "profile", "show", "--json")
    assert shown.status == (0 if ran.status == 0 else 3)


def view(state: Path, run_id: str) -> RunView:
    return RunView.from_records(read(RunStore(state).path(run_id) / "journal.jsonl"))


def test_a_run_of_the_model_is_held_against_it_from_then_on_and_in_its_bundle_too(good: str, tmp_path: Path) -> None:
    learn(tmp_path, good)
    odd = replace(GOOD, panel=Panel(product="9999", name="OTHER"))
    live = view(tmp_path, odd.record(tmp_path, ("panel", "storage")))
    assert [f.finding.code for f in live.findings] == ["LCD-4500"]
    run_id = RunStore(tmp_path).latest()
    assert run_id is not None
    sealed: Any = aiodiag(tmp_path, "bundle", "seal", run_id, "--json").json()
    learnt = next((tmp_path / "profiles").iterdir())
    learnt.unlink()  # the bundle brings along what it was held against
    (again,) = aiodiag(tmp_path, "diagnose", sealed["bundle"], "--json").json()
    assert [f["code"] for f in again["findings"]] == ["LCD-4500"]
    assert again["outcomes"]["profile"] == "pass"
    assert [f.finding.code for f in judged(of_run_directory(RunStore(tmp_path).path(run_id))).findings] == ["LCD-4500"]


def test_another_model_is_not(good: str, tmp_path: Path) -> None:
    learn(tmp_path, good)
    other = replace(GOOD, model="AIO 27", panel=Panel(product="9999", name="OTHER"))
    assert view(tmp_path, other.record(tmp_path, ("panel", "storage"))).findings == []


@pytest.mark.parametrize(("language", "word"), [("en", "Learnt from"), ("es", "Aprendido de"), ("zh_Hant", "學習")])
def test_it_speaks_the_persons_language(language: str, word: str, good: str, tmp_path: Path) -> None:
    assert word in aiodiag(tmp_path, "profile", "learn", good, "--lang", language).out
