"""The directory in which hardware tests may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.journal import JournalError, RunStore
from agent.runner.recovery import close_interrupted
from agent.runner.scratch import scratch


def test_it_is_empty_ours_alone_and_gone_afterwards(tmp_path: Path) -> None:
    def writes_and_breaks() -> None:
        with scratch(tmp_path / "run") as folder:
            assert folder.stat().st_mode & 0o077 == 0
            (folder / "data").write_bytes(b"x" * 4096)
            raise RuntimeError("the run broke")

    with pytest.raises(RuntimeError):
        writes_and_breaks()
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_one_left_is_gone(tmp_path: Path) -> None:
    (tmp_path / "run.scratch").mkdir()
    (tmp_path / "run.scratch" / "data").write_bytes(b"x")
    with scratch(tmp_path / "run") as folder:
        assert list(folder.iterdir()) == []


def test_where_it_cannot_be_made_nothing_is_recorded_either(tmp_path: Path) -> None:
    with pytest.raises(JournalError), scratch(tmp_path / "nowhere" / "run"):
        raise AssertionError("there is no such directory")


def test_what_a_killed_run_left_goes_when_the_run_is_closed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run_id, journal = store.new()
    journal.close()  # as a kill does: the run stays open
    left = store.path(run_id).with_name(f"{run_id}.scratch")
    left.mkdir()
    (left / "data").write_bytes(b"x")
    assert [closed.run_id for closed in close_interrupted(store)] == [run_id]
    assert not left.exists()
