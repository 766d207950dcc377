"""The watchdog is fed while the block lasts, and let go of at its end, also where the agent was killed in it. A file is
in the place of the device: what the kernel makes of it is for the bench.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.tools import watchdog


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "watchdog0"
    file.touch()
    monkeypatch.setattr(watchdog, "DEVICE", str(file))
    monkeypatch.setattr(watchdog, "_NO_WAY_OUT", str(tmp_path / "nowayout"))
    monkeypatch.setattr(watchdog, "FED_EACH_S", 0.05)
    return file


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_it_is_fed_and_stopped_at_the_end(device: Path) -> None:
    with watchdog.watched() as held:
        assert held
        assert until(lambda: len(device.read_bytes()) >= 3)
        assert set(device.read_bytes()) == {0}, "a V would stop it"
    fed = device.read_bytes()
    assert fed.endswith(b"V"), "else the unit would restart after the test"
    time.sleep(0.2)
    assert device.read_bytes() == fed, "nobody feeds it any more"


def test_it_is_stopped_after_an_error(device: Path) -> None:
    with pytest.raises(ValueError, match="broke"), watchdog.watched():
        raise ValueError("broke")
    assert device.read_bytes().endswith(b"V")


def test_who_is_forked_meanwhile_does_not_hold_it(device: Path) -> None:
    with watchdog.watched():
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    assert device.read_bytes().endswith(b"V")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_an_agent_that_was_killed_does_not_restart_the_unit(device: Path) -> None:
    child = os.fork()
    if child == 0:
        with watchdog.watched():
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert until(lambda: device.read_bytes().endswith(b"V"))


def test_one_that_could_not_be_stopped_is_left_alone(device: Path, tmp_path: Path) -> None:
    (tmp_path / "nowayout").write_text("1\n")
    with watchdog.watched() as held:
        assert not held
    assert device.read_bytes() == b""


def test_where_there_is_none_nothing_happens(device: Path) -> None:
    device.unlink()
    with watchdog.watched() as held:
        assert not held


def test_where_there_can_be_no_more_processes_it_is_let_go_of(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", fork)
    with watchdog.watched() as held:
        assert not held
        assert device.read_bytes() == b"V"
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ()), "Ctrl-C would not be heard"
