"""A view that was kept is the one that a journal of the same steps gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.diagnose.capture_file import FILE_SUFFIX, decode
from agent.diagnose.in_place import InPlace
from agent.diagnose.judge import judged
from agent.journal import Journal, read
from agent.model.run_view import RunView
from agent.runner.engine import Observer
from agent.runner.recorder import Recorder
from tests.unit.diagnose.hostile import put_in
from tests.unit.diagnose.test_judge import THERMALS, WARM, CapturedStep, capture

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob(f"*{FILE_SUFFIX}"))
CASES = {file.name: decode(file.read_bytes()) for file in CAPTURES}
CASES["a step that breaks"] = capture(THERMALS, CapturedStep("probe.cpu", (WARM,)))


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_a_journal_gives(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "breaks" in case:
        put_in(monkeypatch, "raises")
    with Journal.create(tmp_path / "run") as journal:
        kept = judged(CASES[case], lambda observers: InPlace([*observers, recorder(journal)]))
    written = RunView.from_records(read(tmp_path / "run" / "journal.jsonl"))
    assert list(kept.steps) == list(written.steps)
    assert [shown(step) for step in kept.steps.values()] == [shown(step) for step in written.steps.values()]
    assert rests_on(kept) == rests_on(written)


def recorder(journal: Journal) -> Observer:
    return Recorder(journal)


def shown(step: Any) -> Any:
    findings = [found.finding.to_json() for found in step.findings]
    # When a record was written says nothing of a run that is judged again.
    return replace(step, started="", readings={}, findings=[]), [r.to_json() for r in step.readings.values()], findings


def rests_on(view: RunView) -> Sequence[Any]:
    readings = view.readings
    return [[(readings[n].name, readings[n].subject) for n in found.records] for found in view.findings]
