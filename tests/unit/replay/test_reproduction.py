"""From the search to the recipe: what counts, when it is over, and that unrepaired units do not pass for all that."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ComponentKind
from agent.replay.clean import clean_needed
from agent.replay.observed import Observed, Per
from agent.replay.reproduction import Ending, Reproduction, Shows
from agent.replay.round import Conditions, Round, Signature
from agent.replay.search import Cause, Exercise

MEMORY = Signature("MEM-3908", ComponentKind.MEMORY_MODULE, "")
DRIVE = Signature("DISK-1013", ComponentKind.STORAGE_DEVICE, "sda")
NAMES = ("everything", "memory", "steps")
LIMIT_H = 400.0


def reproduction(limit_h: float = LIMIT_H, exercises: Sequence[str] = NAMES, *, given: bool = False) -> Reproduction:
    causes = [
        Shows(Cause("memory", "hours", 1.0, 0.7, 2.0), ("MEM",), (ComponentKind.MEMORY_MODULE,)),
        Shows(Cause("drive", "reads", 1.0, 0.7, 2.0), ("DISK-1013",)),
    ]
    todo = [Exercise(name, 0.1, {"hours": 1.0, "reads": 1.0 if name != "memory" else 0.0}) for name in exercises]
    return Reproduction(causes, todo, "everything", limit_h=limit_h, given=given)


def played(state: Reproduction, *shown: Signature, whole: bool = True, exercise: str | None = None) -> Round:
    name = exercise or state.next().name
    exposed = {"hours": 0.1, "reads": 0.1}
    return Round(len(state.rounds) + 1, name, 1, 0.1, exposed, Conditions(), shown, whole)


def test_a_fault_that_always_comes_is_reproduced_in_four_rounds_and_verified_in_three() -> None:
    state = reproduction()
    while state.ending is Ending.GOES_ON:
        state.took(played(state, MEMORY))
    assert (state.ending, state.fault, len(state.rounds)) == (Ending.REPRODUCED, MEMORY, 4)
    assert state.observed == Observed(3, 3, Per.CYCLE, at_failure=True)
    assert clean_needed(state.observed) == 3
    assert state.cause() == "memory"


def test_by_a_recipe_nothing_is_chosen_so_every_round_counts() -> None:
    state = reproduction(exercises=["everything"], given=True)
    for shown in ([], [MEMORY], [], [MEMORY]):
        state.took(played(state, *shown))
    assert state.observed == Observed(2, 4, Per.CYCLE, at_failure=True)


def test_once_it_showed_the_exercise_that_showed_it_is_run_again() -> None:
    state = reproduction()
    state.took(played(state))
    state.took(played(state, MEMORY, exercise="steps"))
    assert state.next().name == "steps"
    state.took(played(state))
    assert state.observed == Observed(1, 3, Per.CYCLE, at_failure=False), "seen once: all rounds count"
    state.took(played(state, DRIVE))
    assert state.observed == Observed(1, 4, Per.CYCLE, at_failure=False), "another fault is not this one"
    state.took(played(state, DRIVE, MEMORY))
    assert state.observed == Observed(1, 3, Per.CYCLE, at_failure=True)


def test_what_no_cause_explains_is_no_reproduction() -> None:
    state = reproduction()
    state.took(played(state, Signature("SND-7607", ComponentKind.SPEAKER, "")))
    assert state.fault is None
    state.took(played(state, Signature("DISK-1026", ComponentKind.STORAGE_DEVICE, "sda")))
    assert state.fault is None, "an exact code is not its whole area"


def test_what_the_log_says_is_of_the_part_that_it_speaks_of() -> None:
    state = reproduction()
    state.took(played(state, Signature("LOG-8400", ComponentKind.STORAGE_DEVICE, "sda")))
    assert state.fault is None, "this cause of the drive has one code alone"
    state.took(played(state, Signature("LOG-8484", ComponentKind.MEMORY_MODULE, "")))
    assert state.fault is not None
    assert (state.fault.code, state.cause()) == ("LOG-8484", "memory")


def test_nothing_in_the_time_is_not_reproduced_and_once_is_rare() -> None:
    state = reproduction(limit_h=0.35)
    while state.ending is Ending.GOES_ON:
        state.took(played(state))
    assert (state.ending, len(state.rounds)) == (Ending.NOT_REPRODUCED, 4)
    assert state.observed == Observed(0, 4, Per.CYCLE, at_failure=False)
    rare = reproduction(limit_h=0.35)
    rare.took(played(rare, MEMORY))
    while rare.ending is Ending.GOES_ON:
        rare.took(played(rare))
    assert rare.ending is Ending.RARE
    assert rare.observed == Observed(1, 4, Per.CYCLE, at_failure=False)


def test_rounds_that_were_not_whole_say_nothing_for_the_unit() -> None:
    state = reproduction()
    state.took(played(state, whole=False))
    assert state.observed is None
    state.took(played(state, MEMORY, whole=False))
    assert state.fault == MEMORY, "what failed did fail"
    state.took(played(state, whole=False))
    state.took(played(state, MEMORY, whole=False))
    assert state.observed == Observed(1, 1, Per.CYCLE, at_failure=True)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_it_is_made_again_from_its_rounds(rounds: list[tuple[bool, bool]]) -> None:
    state = reproduction()
    for fails, whole in rounds:
        state.took(played(state, *([MEMORY] if fails else []), whole=whole))
    again = reproduction()
    for one in state.rounds:
        again.took(Round.from_json(one.to_json()))
    assert (again.fault, again.exercise, again.ending, again.observed) == (
        state.fault,
        state.exercise,
        state.ending,
        state.observed,
    )
    assert again.next() == state.next()


@pytest.mark.parametrize("chance", [0.03, 0.1, 0.3, 0.6, 0.95])
def test_unrepaired_units_pass_in_one_of_twenty_at_most_though_the_search_chose_by_luck(chance: float) -> None:
    """The fault comes with the same chance in whatever is exercised, so the exercise that showed it was just lucky."""
    random = numpy.random.default_rng([7, round(1000 * chance)])
    passes = []
    for _ in range(1500):
        state = reproduction()
        while state.ending is Ending.GOES_ON:
            state.took(played(state, *([MEMORY] if random.random() < chance else [])))
        observed = state.observed
        assert observed is not None
        reproduced = state.fault is not None
        passes.append((1.0 - chance) ** clean_needed(observed) if reproduced else 0.0)
    error = statistics.stdev(passes) / len(passes) ** 0.5
    assert statistics.mean(passes) <= 0.05 + 3.0 * error
