from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agent.cli.main import main
from tests.planted import LINES
from tests.unit.uploader.test_redacted import contents, evidence_run


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runs").mkdir()
    evidence_run(tmp_path / "runs")
    monkeypatch.setenv("AIODIAG_STATE", str(tmp_path))
    return tmp_path


WORDS = {"en": "What would be replaced", "es": "Lo que se reemplazaría", "zh_Hant": "會被取代的內容"}


@pytest.mark.parametrize("language", WORDS)
def test_a_person_sees_what_would_be_replaced(state: Path, capsys: pytest.CaptureFixture[str], language: str) -> None:
    before = contents(state)
    assert main(["bundle", "preview", "--lang", language]) == 0
    shown = capsys.readouterr().out
    assert WORDS[language] in shown
    for value in ("203.0.114.77", "9a:8b:7c:6d:5e:4f", "zenzi-rechner", "wastl", "kathi@example.org", "Gartenlaube"):
        assert value.lower() in shown.lower()
    assert "attachments/unknown-blob-zenzi.txt" in shown
    assert contents(state) == before


def test_a_program_reads_the_same(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = os.listdir(state / "runs")
    assert main(["bundle", "preview", run, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["run_id"], document["rules"]) == (1, run, 1)
    assert document["left_out"] == ["attachments/unknown-blob-zenzi.txt"]
    (found,) = [
        f
        for f in document["replaced"]
        if f["value"] == "203.0.114.77" and f["file"].endswith("kernel_log-dmesg.txt.gz")
    ]
    assert (found["kind"], found["times"]) == ("ip", 100_000 // len(LINES))
    assert found["pseudonym"] != found["value"]


def test_a_run_that_is_not_there(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "preview", "20990101T000000Z-0000"]) == 2
    assert "20990101T000000Z-0000" in capsys.readouterr().err


def test_what_a_sealed_bundle_says_of_it(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "seal", "--json"]) == 0
    bundle = json.loads(capsys.readouterr().out)["bundle"]
    assert main(["bundle", "show", bundle, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["redaction_rules"] == 1
