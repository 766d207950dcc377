"""The self-check on this very machine, as its user runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agent.cli.commands.selfcheck import announce_length
from agent.journal import RunStore, read
from agent.model import Outcome
from agent.model.run_view import RunView
from agent.plans import plan
from agent.probes import areas
from agent.watch import watchers
from tests.agent_process import AGENT, Ran, aiodiag, environment
from tests.ocp import validate_lines

SERIAL = "AIO24-TEST-0001"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    state = tmp_path_factory.mktemp("state")
    return state, aiodiag(state, "selfcheck", "--serial", SERIAL, "--json")


def test_it_prints_the_documented_object(checked: tuple[Path, Ran]) -> None:
    _, ran = checked
    document = ran.json()
    assert ran.status == {"pass": 0, "fail": 1, "incomplete": 3}[document["verdict"]]
    assert set(document) == {
        "schema", "run_id", "unit", "verdict", "findings", "outcomes", "not_seen", "duration_s", "bundle",
    }  # fmt: skip
    assert document["schema"] == 1
    assert set(document["outcomes"]) == {
        *(f"probe.{area}" for area in areas()),
        "test.memory",
        *(f"watch.memory.{watcher}" for watcher in watchers()),
        "profile",
        "earlier",
        "rules",
    }
    assert set(document["outcomes"].values()) <= {outcome.value for outcome in Outcome}
    assert Path(document["bundle"]).is_file()
    for finding in document["findings"]:
        assert {
            "code",
            "component",
            "subject",
            "severity",
            "verdict",
            "confidence",
            "message",
            "advice",
            "evidence",
        } <= set(finding)


def test_what_could_not_be_looked_at_is_no_pass(checked: tuple[Path, Ran]) -> None:
    """This is a virtual machine or a container as a rule: without panel or sensors there must be no "pass"."""
    _, ran = checked
    document = ran.json()
    needed = ["probe.panel", "probe.storage", "probe.thermals", "probe.memory", "probe.kernel_log"]
    if any(document["outcomes"][step] != "pass" for step in needed):
        assert document["verdict"] != "pass"


def test_progress_goes_to_standard_error_in_lines(checked: tuple[Path, Ran]) -> None:
    _, ran = checked
    assert len(ran.err.splitlines()) >= len(areas())
    assert "\r" not in ran.err


def test_the_journal_says_the_same_as_the_screen(checked: tuple[Path, Ran]) -> None:
    state, ran = checked
    document = ran.json()
    view = RunView.from_records(read(RunStore(state).path(document["run_id"]) / "journal.jsonl"))
    assert view.complete
    assert view.verdict.value == document["verdict"]
    assert {step: outcome.value if outcome else None for step, outcome in view.outcomes.items()} == document["outcomes"]
    assert [f.finding.code for f in view.findings] == [f["code"] for f in document["findings"]]
    assert view.unit["serial"] == document["unit"]["serial"]


def test_every_line_of_the_journal_is_ocp(checked: tuple[Path, Ran], shared: Path) -> None:
    state, ran = checked
    assert validate_lines(RunStore(state).path(ran.json()["run_id"]) / "journal.jsonl", shared) > 50


def test_the_bundle_can_be_verified_and_shown(checked: tuple[Path, Ran]) -> None:
    state, ran = checked
    bundle = ran.json()["bundle"]
    verified = aiodiag(state, "bundle", "verify", bundle, "--json")
    assert verified.status == 0
    assert verified.json()["serial"] == ran.json()["unit"]["serial"]
    shown = aiodiag(state, "bundle", "show", bundle, "--json")
    assert shown.json()["verdict"] == ran.json()["verdict"]
    assert aiodiag(state, "bundle", "show", bundle).status == 0


def test_a_flipped_byte_is_refused(checked: tuple[Path, Ran], tmp_path: Path) -> None:
    state, ran = checked
    data = bytearray(Path(ran.json()["bundle"]).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.zip").write_bytes(data)
    refused = aiodiag(state, "bundle", "verify", str(tmp_path / "bad.zip"))
    assert refused.status == 2
    assert len(refused.err.splitlines()) == 1


@pytest.mark.parametrize("language", ["en", "es", "zh_Hant"])
def test_the_result_for_people(language: str, checked: tuple[Path, Ran]) -> None:
    state, first = checked
    ran = aiodiag(state, "bundle", "show", first.json()["bundle"], "--lang", language)
    assert ran.status == 0
    assert first.json()["unit"]["serial"] in ran.out
    words = {"en": "What was looked at", "es": "Lo que se ha examinado", "zh_Hant": "檢查項目"}
    assert words[language] in ran.out


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_stops_it_everything_stops_and_what_was_found_is_kept(by: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, a service manager, a terminal that is closed."""
    with started(tmp_path) as agent:
        wait_for_journal(tmp_path)
        agent.send_signal(by)
        _, err = agent.communicate(timeout=20)
    assert agent.returncode == 130
    assert "Traceback" not in err
    (run_id,) = os.listdir(tmp_path / "runs")
    view = RunView.from_records(read(tmp_path / "runs" / run_id / "journal.jsonl"))
    assert view.ended
    assert not view.complete
    assert RunStore(tmp_path).open_runs() == []


def test_a_killed_self_check_is_closed_by_the_next_one(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        wait_for_journal(tmp_path)
        agent.kill()
        agent.communicate(timeout=20)
    (killed,) = RunStore(tmp_path).open_runs()
    again = aiodiag(tmp_path, "selfcheck", "--serial", SERIAL, "--json")
    assert again.status in {0, 1, 3}
    assert killed in again.err
    view = RunView.from_records(read(tmp_path / "runs" / killed / "journal.jsonl"))
    assert Outcome.INTERRUPTED in view.outcomes.values()
    assert view.verdict.value != "pass"
    assert RunStore(tmp_path).open_runs() == []


def started(state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [AGENT, "selfcheck", "--serial", SERIAL],
        env=environment(state),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_journal(state: Path) -> None:
    """Until a step has begun."""
    limit = time.monotonic() + 20
    while not any(b"testStepStart" in j.read_bytes() for j in state.glob("runs/*/journal.jsonl")):
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_plan_that_takes_long_says_so_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    announce_length(plan("quick"), "en")
    assert capsys.readouterr().err == ""
    announce_length(plan("extended"), "es")
    told = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"esto dura unos 2\d minutos", told[0])
    assert len(told) == len(set(told)) > 3
