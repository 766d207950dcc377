"""A run is viewed from records that nobody vouches for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.journal import Journal, read
from agent.model import ComponentKind, Finding, Outcome, RunVerdict, Severity, Verdict, ocp
from agent.model.run_view import RunView
from tests import runs

json_values: st.SearchStrategy = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def look_at(view: RunView) -> None:
    """Everything that a screen or a page asks for."""
    assert view.verdict in RunVerdict
    assert len(view.findings) <= len(view.steps) * 100
    assert set(view.outcomes) == set(view.steps)
    for found in view.findings:
        assert all(isinstance(n, int) for n in found.records)
    for reading in view.readings.values():
        assert isinstance(reading.value, bool | int | float | str)
    for gap in (gap for step in view.steps.values() for gap in step.gaps):
        assert isinstance(str(gap.reason), str)
    assert all(part.name is not None for part in view.components)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory) -> list:
    directory = tmp_path_factory.mktemp("view") / "run"
    with Journal.create(directory) as journal:
        for _ in runs.write(journal):
            pass
    return list(read(directory / "journal.jsonl"))


def test_a_whole_run(whole_run):
    view = RunView.from_records(whole_run)
    look_at(view)
    assert view.outcomes == {"storage": Outcome.PASS, "thermals": Outcome.UNSUPPORTED}
    assert view.verdict is RunVerdict.FAIL
    assert [(f.finding.code, f.records) for f in view.findings] == [("DISK-1117", (5, 6))]
    assert view.readings[6] == runs.media_errors(18)
    assert view.components == [runs.DISK]
    assert view.steps["storage"].name == "Almacenamiento 儲存裝置"
    assert view.version == "0.1.0"
    assert view.metadata["monotonic_s"] == 12.345


def test_findings_are_ordered_by_severity():
    records = []
    for i, severity in enumerate([Severity.INFO, Severity.CRITICAL, Severity.WARNING, Severity.CRITICAL]):
        finding = Finding(f"X-100{i}", ComponentKind.CPU, "", severity, Verdict.UNKNOWN, 0.5)
        records.append({"sequenceNumber": i, "timestamp": "", **ocp.finding("cpu", finding, "", [])[1]})
    found = RunView.from_records(records).findings
    assert [f.finding.code for f in found] == ["X-1001", "X-1003", "X-1002", "X-1000"]


@settings(deadline=None)
@given(st.lists(json_values))
def test_any_json_can_be_viewed(records):
    look_at(RunView.from_records(records))


def places(value: object) -> Iterator[tuple[dict | list, str | int]]:
    """Every member of every object and list within ``value``."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def test_a_tampered_run_can_be_viewed(whole_run):
    """Every value in the run, one after the other, is replaced by one of another type."""
    count = 0
    for container, key in places(whole_run):
        before = container[key]
        for other in (None, True, 5, 10**400, 1e400, "x", [], [5], [None], {}, {"name": {}}):
            container[key] = other
            look_at(RunView.from_records(whole_run))
            count += 1
        container[key] = before
    assert count > 1000
