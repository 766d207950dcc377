"""Many files at once: each gets its answer, whatever the others do to the process that looks at them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agent.diagnose import judge, pool
from agent.diagnose.capture_file import encode
from agent.diagnose.diagnosis import Diagnosis, diagnose
from agent.diagnose.pool import Refused, diagnoses
from agent.model import Outcome
from tests.unit.diagnose.hostile import put_in
from tests.unit.diagnose.test_judge import THERMALS, WARM, CapturedStep, capture


@pytest.fixture
def good(tmp_path: Path) -> str:
    file = tmp_path / "good.capture.json"
    file.write_bytes(encode(capture(THERMALS)))
    return str(file)


@pytest.fixture
def hostile(tmp_path: Path) -> str:
    file = tmp_path / "hostile.capture.json"
    file.write_bytes(encode(capture(CapturedStep("probe.cpu", (WARM,)), THERMALS)))
    return str(file)


def whole(diagnosis: Diagnosis) -> Diagnosis:
    return diagnosis


def test_every_file_has_its_answer_in_its_place(good: str, tmp_path: Path) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("Dear Sirs,\n")
    files = [good, str(other), str(tmp_path / "absent"), good] * 40
    answers = list(diagnoses(files, whole))
    assert [file for file, _ in answers] == files
    for file, answer in answers:
        assert isinstance(answer, Diagnosis if file == good else Refused)
    assert not any(answer.broke for _, answer in answers if isinstance(answer, Refused))


def test_it_is_the_diagnosis_of_one_file_alone(good: str) -> None:
    ((_, answer),) = diagnoses([good], whole)
    assert isinstance(answer, Diagnosis)
    alone = diagnose(good).view
    assert (answer.view.outcomes, answer.view.unit) == (alone.outcomes, alone.unit)
    assert [r.to_json() for r in answer.view.readings.values()] == [r.to_json() for r in alone.readings.values()]


@pytest.mark.parametrize("how", ["raises", "hangs", "passes over everything", "eats memory", "dies"])
def test_a_file_that_gets_the_better_of_a_step(
    how: str, good: str, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(monkeypatch, how)
    monkeypatch.setattr(judge, "INTERPRET_S", 0.5)
    answers = [answer for _, answer in diagnoses([good, hostile, good], whole)]
    assert all(isinstance(answer, Diagnosis) for answer in answers), answers
    outcomes = [answer.view.outcomes for answer in answers if isinstance(answer, Diagnosis)]
    assert outcomes[0] == outcomes[2] == {"probe.thermals": Outcome.PASS, "rules": Outcome.PASS}
    assert outcomes[1] == {"probe.cpu": Outcome.ERROR, "probe.thermals": Outcome.PASS, "rules": Outcome.PASS}


@pytest.mark.parametrize("how", ["dies", "hangs"])
def test_a_file_that_cannot_even_be_read(how: str, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path, kind: str | None = None) -> None:
        if how == "dies":
            os._exit(3)
        time.sleep(60)

    monkeypatch.setattr(pool, "AT_ONCE_S", 0.5)
    monkeypatch.setattr(pool, "ISOLATED_S", 0.5)
    monkeypatch.setattr("agent.diagnose.diagnosis.read", read)
    ((_, answer),) = diagnoses([good], whole)
    assert isinstance(answer, Refused)
    assert answer.broke
    assert "broke" in str(answer.reason)


def test_left_early_it_leaves_no_process_behind(good: str) -> None:
    answers = diagnoses([good] * 50, whole)
    next(answers)
    answers.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
