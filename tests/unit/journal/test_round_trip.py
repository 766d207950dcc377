"""What goes into a journal comes out of its view."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.journal import Journal, read
from agent.model import Component, Evidence, Finding, Gap, Outcome, Reading, RunVerdict, ocp
from agent.model.run_view import RunView
from tests import runs
from tests.unit.model import strategies as any_

STEPS = ("storage", "thermals 溫度", "")

items = st.one_of(any_.readings, any_.gaps, any_.components, any_.findings, any_.evidence)


def record(journal: Journal, step: str, item: object) -> int:
    """Write one item as the runner does; returns the sequence number of its (last) record."""
    match item:
        case Reading():
            return journal.append(ocp.measurement(step, item))[0]
        case Gap():
            return journal.append(ocp.gap(step, item))[0]
        case Component():
            return journal.append(ocp.component(step, item))[0]
        case Finding():
            return journal.append(*ocp.finding(step, item, "message", [1, 2]))[1]
        case Evidence():
            return journal.attach(step, item)
    raise AssertionError(item)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(STEPS), items), max_size=15),
    st.dictionaries(st.sampled_from(STEPS), st.tuples(st.sampled_from(Outcome), st.none() | any_.texts)),
)
def test_what_is_written_is_what_is_viewed(content, outcomes):
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent) / "run"
        with Journal.create(directory) as journal:
            journal.append(runs.run_start())
            journal.append(*(ocp.step_start(step, step) for step in STEPS))
            sequences = [record(journal, step, item) for step, item in content]
            for step, (outcome, reason) in outcomes.items():
                journal.append(*ocp.step_end(step, outcome, reason, 1.0, 2.5))
            journal.append(ocp.run_end(RunVerdict.PASS, complete=True))
        view = RunView.from_records(read(directory / "journal.jsonl"))
        assert view.unit["serial"] == "HB24A0017"
        assert view.parameters == {"plan": "quick", "needed": ["storage", "thermals"]}
        assert view.complete
        assert view.ended >= view.started
        for step in STEPS:
            mine = [(n, item) for n, (s, item) in zip(sequences, content, strict=True) if s == step]
            seen = view.steps[step]
            assert seen.readings == {n: item for n, item in mine if isinstance(item, Reading)}
            assert seen.gaps == [item for _, item in mine if isinstance(item, Gap)]
            assert seen.components == [item for _, item in mine if isinstance(item, Component)]
            assert [f.finding for f in seen.findings] == [item for _, item in mine if isinstance(item, Finding)]
            assert all(f.records == (1, 2) for f in seen.findings)
            assert [stored(directory, f) for f in seen.files] == [
                item for _, item in mine if isinstance(item, Evidence)
            ]
            outcome, reason = outcomes.get(step, (None, None))
            assert (seen.outcome, seen.reason) == (outcome, reason)
            assert seen.duration_s == (2.5 if outcome else 0.0)


def stored(directory: Path, file: dict) -> Evidence:
    data = (directory / file["uri"]).read_bytes()
    return Evidence.from_header(file["metadata"], gzip.decompress(data) if file["uri"].endswith(".gz") else data)


@settings(deadline=None)
@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_makes_a_record_that_reads(value):
    with tempfile.TemporaryDirectory() as parent:
        with Journal.create(Path(parent) / "run") as journal:
            journal.append(ocp.extension("step", "anything", {"value": value}))
        _, record = read(Path(parent) / "run" / "journal.jsonl")
        again = record["testStepArtifact"]["extension"]["content"]["value"]
        if not any("\ud800" <= c <= "\udfff" for c in repr_of(value)):
            assert again == value


def repr_of(value: object) -> str:
    """All text in ``value``, halves of surrogate pairs too."""
    if isinstance(value, dict):
        return "".join(map(repr_of, (*value, *value.values())))
    return "".join(map(repr_of, value)) if isinstance(value, list) else str(value)
