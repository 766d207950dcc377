"""The directory of runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from agent.journal import Journal, JournalError, RunStore
from agent.model import RunVerdict, ocp


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "root")


def ended(store: RunStore, run_id: str) -> None:
    with Journal.create(store._runs / run_id) as journal:
        journal.append(ocp.run_end(RunVerdict.PASS, complete=True))


def left_open(store: RunStore, run_id: str) -> None:
    Journal.create(store._runs / run_id).close()


def test_an_empty_store(store):
    assert (store.open_runs(), store.latest()) == ([], None)
    with pytest.raises(KeyError):
        store.path("20261123T142233Z-7f3a")


def test_a_new_run_is_named_by_its_time(store):
    run_id, journal = store.new()
    with journal:
        assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", run_id)
        age = datetime.now(UTC) - datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert timedelta(0) <= age < timedelta(seconds=60)
        assert store.path(run_id) == journal.directory
        assert store.latest() == run_id
        assert store.open_runs() == [run_id]
        journal.append(ocp.run_end(RunVerdict.PASS, complete=True))
        assert store.open_runs() == []


def test_a_taken_name_is_not_used_again(store, monkeypatch):
    suffixes = iter(["7f3a", "7f3a", "7f3a", "0001"])
    monkeypatch.setattr("agent.journal.store.secrets.token_hex", lambda _: next(suffixes))
    first, second = store.new(), store.new()
    assert first[0] != second[0]
    assert first[1].directory != second[1].directory


def test_open_runs_oldest_first(store):
    left_open(store, "20261123T142233Z-7f3a")
    ended(store, "20261123T142234Z-0000")
    left_open(store, "20251123T142233Z-ffff")
    assert store.open_runs() == ["20251123T142233Z-ffff", "20261123T142233Z-7f3a"]
    assert store.latest() == "20261123T142234Z-0000"


def test_damaged_runs_stop_nobody(store, tmp_path):
    names = [f"20261123T14223{i}Z-7f3a" for i in range(9)]
    for name in names[:5]:
        left_open(store, name)
    runs = store._runs
    (runs / names[0] / "journal.jsonl").write_bytes(b"\xff garbage\n" * 9)
    (runs / names[1] / "journal.jsonl").write_bytes(bytes(9000))
    (runs / names[2] / "journal.jsonl").rename(runs / names[2] / "journal.damaged-1.jsonl")
    with open(runs / names[3] / "journal.jsonl", "ab") as file:
        file.write(b'"testRunEnd"\n[' + b"[" * 30_000 + b'"testRunEnd"\n{"testRunArtifact":"testRunEnd"}\n')
    (runs / names[4] / "journal.jsonl").unlink()
    (runs / names[4] / "journal.jsonl").mkdir()
    (runs / names[5]).mkdir()  # never came to a journal
    (runs / names[6]).write_text("a file")
    (runs / names[7]).symlink_to(runs / names[0])
    (runs / "lost+found").mkdir()
    assert store.open_runs() == names[:5]
    for name in names[:4]:
        Journal.reopen(store.path(name))[0].close()
    with pytest.raises(JournalError):
        Journal.reopen(store.path(names[4]))
    with store.new()[1]:
        pass


def test_an_end_is_found_behind_a_torn_line_and_in_a_long_journal(store):
    name = "20261123T142233Z-7f3a"
    with Journal.create(store._runs / name) as journal:
        journal.append(*[ocp.run_log("INFO", "testRunEnd " * 10)] * 2000)
        assert store.open_runs() == [name]
        journal.append(ocp.run_end(RunVerdict.PASS, complete=True))
    with open(store.path(name) / "journal.jsonl", "ab") as file:
        file.write(b'{"sequ')
    assert store.open_runs() == []


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../runs", "20261123T142233Z-7F3A", "20261123T142233Z-7f3a/", "/etc", "20261123T142233Z-7f3a\n"],
)
def test_only_plain_names_are_runs(store, name):
    left_open(store, "20261123T142233Z-7f3a")
    with pytest.raises(KeyError):
        store.path(name)


def test_a_store_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "root").write_text("a file")
    store = RunStore(tmp_path / "root")
    assert (store.open_runs(), store.latest()) == ([], None)
    with pytest.raises(JournalError, match="Not a directory"):
        store.new()
    (tmp_path / "root").unlink()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "runs").write_text("a file")
    with pytest.raises(JournalError, match="Not a directory"):
        store.new()
