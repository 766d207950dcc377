"""How long is watched, seen from several processes."""

from __future__ import annotations

import os
import time

import pytest

from agent.watch import Exercise, for_seconds

LONG_S = 60.0


def test_somebody_who_only_looks_looks_for_so_many_seconds() -> None:
    lookout = for_seconds(0.3)
    lookout.begin()
    assert lookout.goes_on()
    lookout.pause()
    assert not lookout.goes_on()
    assert lookout.passed >= 0.3


def test_no_seconds_are_one_look() -> None:
    lookout = for_seconds(0.0)
    lookout.begin()
    assert not lookout.goes_on()


def test_it_goes_on_until_the_last_exerciser_is_over_and_at_least_so_long() -> None:
    exercise = Exercise(0.2)
    lookout = exercise.lookout()
    exercise.exerciser()
    exercise.exerciser()
    lookout.begin()
    lookout.pause(0.3)
    exercise.ended()
    assert lookout.goes_on()
    exercise.ended()
    assert not lookout.goes_on()
    early = exercise.lookout()
    early.begin()
    assert early.goes_on(), "it has not looked for its seconds yet"


def test_what_one_process_says_another_hears() -> None:
    exercise = Exercise(0.0)
    lookout = exercise.lookout()
    exercise.exerciser()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            time.sleep(0.1)
            lookout.begin()
            lookout.pause(LONG_S)
            status = int(lookout.passed >= LONG_S)
        finally:
            os._exit(status)
    exercise.await_watchers()
    assert lookout._page[1] == 1
    exercise.ended()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_one_that_does_not_look_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.watch._lookout.LOOKING_WITHIN_S", 0.05)
    exercise = Exercise(0.0)
    exercise.lookout()
    exercise.await_watchers()
