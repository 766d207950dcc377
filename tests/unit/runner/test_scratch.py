"""The directory in which a hardware test may write."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
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


def a_link(folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to("/usr/share")


def a_file(folder: Path) -> None:
    folder.rmdir()
    folder.write_bytes(b"x")


def nothing(folder: Path) -> None:
    folder.rmdir()


def closed_directories(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "data").write_bytes(b"x")
    (folder / "a" / "link").symlink_to("/usr/share")
    for closed in (folder / "a" / "b", folder / "a", folder):
        closed.chmod(0)


@pytest.mark.parametrize("becomes", [a_link, a_file, nothing, closed_directories], ids=lambda f: str(f.__name__))
def test_it_is_gone_whatever_a_test_made_of_it(becomes: Callable[[Path], None], tmp_path: Path) -> None:
    """As whoever runs the agent without being root, too: a process of its own tries it."""
    mode = Path("/usr/share").stat().st_mode
    tmp_path.chmod(0o777)
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.chdir(tmp_path)  # what is above may be closed to that user
            if os.geteuid() == 0:
                os.setgroups(())
                os.setuid(65534)
            with scratch(Path("run")) as folder:
                becomes(folder)
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(tmp_path.iterdir()) == []
    assert Path("/usr/share").stat().st_mode == mode
