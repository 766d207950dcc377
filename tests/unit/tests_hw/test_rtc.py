"""Ticks that were caught, and how fast the clock runs by them."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading, Readings, Verdict
from agent.rules.rtc_test import runs_wrong
from agent.tests_hw import Bout
from agent.tests_hw.rtc import TEST

TIME = "2026-01-02T03:04:05.678Z"
CLOCK = "sys/class/rtc/rtc0/since_epoch"


def piece(*ticks: Sequence[Any]) -> Evidence:
    return Evidence("rtc-test-json", "rtc0", json.dumps({"ticks": ticks}).encode(), CLOCK, TIME)


def readings(evidence: Evidence) -> Readings:
    return Readings(r for r in TEST.interpret([evidence]) if isinstance(r, Reading))


def after(seconds: float, ticked: int) -> Evidence:
    """A clock that made so many ticks in so many seconds, each caught to 4 ms."""
    return piece((1_700_000_000, 100.0, 100.004), (1_700_000_000 + ticked, 100.0 + seconds, 100.004 + seconds))


@given(st.floats(-5000, 5000), st.integers(60, 100_000), st.floats(0, 0.02), st.floats(0, 0.02))
def test_the_drift_is_right_within_its_error(ppm: float, ticks: int, early: float, late: float) -> None:
    """Wherever in the two catches the ticks truly were."""
    begun, ended = 50.0, 50.0 + ticks / (1.0 + ppm / 1e6)
    found = readings(piece((7, begun - early, begun + late), (7 + ticks, ended - late, ended + early)))
    drift, error = found.number("rtc_test.drift", "rtc0"), found.number("rtc_test.error", "rtc0")
    assert drift is not None
    assert error is not None
    assert abs(drift - ppm) <= error * 1.01 + 0.02


@pytest.mark.parametrize("ticked", [600, 601])
def test_a_sound_clock_is_not_accused(ticked: int) -> None:
    """A tenth of what is measured in ten minutes is the catch."""
    assert list(runs_wrong(readings(after(ticked + 0.05, ticked)))) == []


@pytest.mark.parametrize("seconds", [599.0, 601.0])
def test_a_clock_that_is_wrong_by_minutes_a_day(seconds: float) -> None:
    (finding,) = runs_wrong(readings(after(seconds, 600)))
    assert (finding.code, finding.subject, finding.verdict) == ("CLOCK-8236", "rtc0", Verdict.UNKNOWN)
    assert finding.values["seconds"] == pytest.approx(144, abs=1)
    assert all("14" in message(finding, language) for language in LANGUAGES)


def test_a_short_look_is_no_proof() -> None:
    """Two catches of 20 ms in a minute: 333 ppm."""
    found = readings(piece((5, 10.0, 10.02), (65, 70.03, 70.05)))
    assert found.number("rtc_test.error", "rtc0") == pytest.approx(333, abs=1)
    assert list(runs_wrong(found)) == []


@pytest.mark.parametrize("evidence", [piece(), piece((5, 10.0, 10.1)), piece((5, 10.0, 10.1), (6, 10.0, 10.1))])
def test_ticks_that_were_not_caught_are_an_error(evidence: Evidence) -> None:
    (gap,) = TEST.interpret([evidence])
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)


def test_a_clock_that_ticks_while_it_is_looked_at(tmp_path: Path) -> None:
    """A file whose second changes as a clock's does."""
    clock, over = tmp_path / CLOCK, threading.Event()
    clock.parent.mkdir(parents=True)
    clock.write_text("1700000000\n")

    def tick() -> None:
        second = 1_700_000_000
        while not over.wait(0.9):
            second += 1
            (tmp_path / "next").write_text(f"{second}\n")
            os.replace(tmp_path / "next", clock)

    ticking = threading.Thread(target=tick)
    ticking.start()
    begun = time.monotonic()
    try:
        (evidence,) = TEST.exercise(Host(str(tmp_path)), Bout(5, 1, tmp_path))
    finally:
        over.set()
        ticking.join()
    assert time.monotonic() - begun < 60
    assert isinstance(evidence, Evidence)
    first, last = json.loads(evidence.data)["ticks"]
    assert first[0] < last[0]
    assert first[1] <= first[2] <= last[1] <= last[2]
    assert readings(evidence).number("rtc_test.drift", "rtc0") is not None


ticks = st.lists(st.lists(st.none() | st.integers() | st.floats() | st.text(max_size=2), max_size=4) | st.integers())


@given(ticks)
def test_odd_ticks_hurt_nobody(found: list[Any]) -> None:
    for reading in readings(piece(*found)):
        assert reading.subject == "rtc0"
