"""The search against a burn-in, over simulated units with intermittent faults."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.replay.search import Block, Cause, Search
from tests.unit.replay.simulated_unit import ROOM_C, STEP_H, Unit, causes, exercises, trace, units

LONGEST_H = 48.0
TIMES = 15
"""Each unit is searched so often, with another chance each time."""


Results = list[tuple[Unit, list[float], list[float]]]
"""Each unit with the hours of the searches and of the burn-ins."""


def hours_to_failure(unit: Unit, pick: Callable[[], str], ran: Callable[[Block], None], seed: list[int]) -> float:
    """Run what is picked until the unit fails; 48 h where it does not."""
    random = numpy.random.default_rng(seed)
    left, hours, celsius = random.exponential(), 0.0, round(ROOM_C)
    while hours < LONGEST_H:
        name = pick()
        block, celsius = trace(name, celsius)
        hazard = numpy.cumsum(unit.hazard(block))
        if hazard[-1] >= left:
            return min(LONGEST_H, hours + (1 + int(numpy.searchsorted(hazard, left))) * STEP_H)
        left -= float(hazard[-1])
        hours += block.hours
        ran(Block(name, block.hours, block.exposed(), failed=False))
    return LONGEST_H


def searched(unit: Unit, seed: list[int]) -> float:
    search = Search(causes(unit.told), exercises(), "burn-in")
    return hours_to_failure(unit, lambda: search.next().name, search.ran, seed)


def burnt_in(unit: Unit, seed: list[int]) -> float:
    return hours_to_failure(unit, lambda: "burn-in", lambda _: None, seed)


@pytest.fixture(scope="module")
def results() -> Results:
    return [
        (unit, [searched(unit, [k, n]) for n in range(TIMES)], [burnt_in(unit, [k, n]) for n in range(TIMES)])
        for k, unit in enumerate(units())
    ]


def test_it_finds_faults_in_a_third_of_the_time(results: Results) -> None:
    assert len(results) >= 60
    ours = statistics.median(hours for _, searches, _ in results for hours in searches)
    burn_in = statistics.median(hours for _, _, burn_ins in results for hours in burn_ins)
    assert ours <= burn_in / 3.0


def test_it_finds_nine_of_ten_within_eight_hours(results: Results) -> None:
    found = [hours <= 8.0 for _, searches, _ in results for hours in searches]
    assert statistics.mean(found) >= 0.9


def test_it_is_never_much_slower_than_a_burn_in(results: Results) -> None:
    """Unit by unit, with the same luck in both: one and a half times as long at most."""
    for unit, searches, burn_ins in results:
        assert all(ours <= 1.5 * theirs for ours, theirs in zip(searches, burn_ins, strict=True)), unit


def test_the_burn_in_comes_first_until_time_is_saved_up_for_something_else() -> None:
    search = Search(causes("cold start"), exercises(), "burn-in")
    run: list[str] = []
    celsius = round(ROOM_C)
    while "hot and cold" not in run:
        exercise = search.next()
        run.append(exercise.name)
        block, celsius = trace(exercise.name, celsius)
        search.ran(Block(exercise.name, block.hours, block.exposed(), failed=False))
    assert {"burn-in", "replugs", "mode sets"} >= set(run[:-1])
    assert len(run) > 2


def test_what_brought_nothing_is_believed_less_and_what_failed_more() -> None:
    search = Search(causes(""), exercises(), "burn-in")
    before = search.belief()
    search.ran(Block("restarts", 1.0, {"restarts": 30.0}, failed=False))
    assert search.belief()["restart"] < before["restart"]
    search.ran(Block("suspends", 0.5, {"suspends": 20.0, "hours": 0.5}, failed=True))
    believed = search.belief()
    assert max(believed, key=believed.__getitem__) == "suspend"
    assert sum(believed.values()) == pytest.approx(1.0)
    assert search.next().name == "suspends"


def test_a_failure_that_no_cause_explains_leaves_the_belief() -> None:
    search = Search(causes(""), exercises(), "burn-in")
    before = search.belief()
    search.ran(Block("elsewhere", 0.1, {}, failed=True))
    assert search.belief() == pytest.approx(before)


@given(st.lists(st.tuples(st.sampled_from([e.name for e in exercises()]), st.booleans()), max_size=30))
def test_beliefs_stay_beliefs_whatever_happens(blocks: list[tuple[str, bool]]) -> None:
    search, celsius = Search(causes("heat"), exercises(), "burn-in"), round(ROOM_C)
    for name, failed in blocks:
        block, celsius = trace(name, celsius)
        search.ran(Block(name, block.hours, block.exposed(), failed))
        assert sum(search.belief().values()) == pytest.approx(1.0)
        assert all(0.0 <= search.chance(exercise) <= 1.0 for exercise in exercises())
    search.next()


def test_there_must_be_something_to_search_with() -> None:
    with pytest.raises(ValueError, match="no exercise"):
        Search([Cause("sun spots", "sun", 1.0, 0.7, 1.0)], exercises(), "burn-in")
    with pytest.raises(KeyError):
        Search(causes(""), exercises(), "frying")
