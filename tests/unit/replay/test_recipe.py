"""What RD hands on to QC, and what QC makes of it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Component, ComponentKind
from agent.replay.clean import chance_if_unrepaired
from agent.replay.observed import Observed, Per
from agent.replay.recipe import Recipe, Work, least_conditions
from agent.replay.round import Conditions, Round, Signature
from agent.replay.verification import Standing, Verification

FAULT = Signature("MEM-3908", ComponentKind.MEMORY_MODULE, "")
HEAT = Signature("HEAT-2032", ComponentKind.FAN, "")
WORK = Work("memory", ("memory",), 60.0, 0.0, 1, {"hours": 1.0})
RECIPE = Recipe(
    unit={"serial": "AIO24-0001"},
    rma="HB26-483920-5",
    symptom="restarts",
    run_id="20260101T000000Z-abcd",
    made="2026-01-01T00:00:00.000Z",
    agent="0.1.0",
    fault=FAULT,
    cause="memory",
    work=WORK,
    least=Conditions(60.0, 0.5),
    observed=Observed(3, 3, Per.CYCLE, at_failure=True),
    seed=11,
    parts=(Component(ComponentKind.MEMORY_MODULE, "DIMM A1", serial="123"),),
)
WARM = Conditions(65.0, 0.9)


def played(*shown: Signature, conditions: Conditions = WARM, whole: bool = True, hours: float = 0.1) -> Round:
    return Round(1, "memory", 1, hours, {}, conditions, shown, whole)


def verification(*rounds: Round, limit_h: float = 10.0) -> Verification:
    return Verification(RECIPE, 0.05, limit_h, list(rounds))


def test_it_is_read_as_it_was_written() -> None:
    assert Recipe.from_json(RECIPE.to_json()) == RECIPE


RESTARTS = Work("restarts", (), 120.0, 0.0, 1, {"restarts": 30.0}, restarts=True)


def test_restarts_are_read_as_they_were_written_and_take_as_long_as_they_take() -> None:
    assert Work.from_json(RESTARTS.to_json()) == RESTARTS
    assert RESTARTS.lasting(20.0) == RESTARTS
    earlier = {key: value for key, value in WORK.to_json().items() if key != "restarts"}
    assert Work.from_json(earlier) == WORK, "a recipe of before there were restarts"
    for work in ({**RESTARTS.to_json(), "tests": ["memory"]}, {**RESTARTS.to_json(), "restarts": False}):
        with pytest.raises(ValueError, match="tests"):
            Work.from_json(work)


def with_value(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    document = RECIPE.to_json()
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return document


@pytest.mark.parametrize(
    "document",
    [
        with_value(("kind",), "aiodiag-certificate"),
        with_value(("schema",), 2),
        with_value(("observed", "failures"), 0),
        with_value(("observed", "rounds"), 2),
        with_value(("work", "tests"), []),
        with_value(("work", "tests"), ["memory"] * 17),
        with_value(("work", "seconds"), 0),
        with_value(("work", "seconds"), float("inf")),
        with_value(("work", "times"), 10**9),
        with_value(("least",), None),
        with_value(("fault", "component"), "teapot"),
        with_value(("seed",), -1),
        with_value(("parts",), 5),
        with_value(("unit",), "AIO24-0001"),
    ],
)
def test_what_is_no_recipe_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        Recipe.from_json(document)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from([*RECIPE.to_json(), "x"]), x),
    )
)
def test_nothing_else_is_raised(document: Any) -> None:
    whole = {**RECIPE.to_json(), **document} if isinstance(document, dict) else document
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, OverflowError):
        Recipe.from_json(whole)


def test_the_conditions_are_those_of_every_round_that_failed() -> None:
    failing = [played(FAULT), played(FAULT, conditions=Conditions(62.0, 1.0))]
    assert least_conditions(FAULT, failing) == Conditions(60.0, pytest.approx(0.81))
    assert least_conditions(HEAT, failing).peak_c is None, "a repaired cooling need not get as warm"
    cut_off = [*failing, played(FAULT, conditions=Conditions())]
    assert least_conditions(FAULT, cut_off) == Conditions(None, None), "nobody knows how warm it was when it went down"


def test_three_clean_rounds_verify_three_of_three() -> None:
    state = verification(played(), played())
    assert (state.standing, state.clean, state.needed) == (Standing.GOES_ON, 2, 3)
    assert state.hours_left == pytest.approx(WORK.hours)
    state.rounds.append(played())
    assert state.standing is Standing.VERIFIED
    assert state.chance_if_unrepaired == chance_if_unrepaired(RECIPE.observed, 3.0) <= 0.05


def test_the_fault_ends_it_wherever_it_comes_and_another_one_does_too() -> None:
    assert verification(played(), played(FAULT)).standing is Standing.STILL_FAULTY
    assert verification(played(FAULT, conditions=Conditions(20.0, 0.0), whole=False)).standing is Standing.STILL_FAULTY
    assert verification(played(), played(HEAT)).standing is Standing.OTHER_FAULT
    assert verification(played(HEAT, FAULT)).standing is Standing.STILL_FAULTY
    moved = FAULT._replace(subject="DIMM B1")
    assert verification(played(moved)).standing is Standing.STILL_FAULTY


def test_what_the_whole_unit_shows_in_the_end_counts_too() -> None:
    state = verification(played(), played(), played())
    state.regressed = (HEAT,)
    assert (state.standing, state.faults) == (Standing.OTHER_FAULT, [HEAT])


def test_rounds_below_the_conditions_do_not_count_and_cannot_go_on_for_ever() -> None:
    cold = [played(conditions=Conditions(40.0, 0.9)) for _ in range(9)]
    assert verification(*cold[:8]).standing is Standing.GOES_ON
    assert (verification(*cold).standing, verification(*cold).clean) == (Standing.NOT_REACHED, 0)
    assert verification(played(whole=False)).clean == 0


def test_the_time_ends_it_too() -> None:
    assert verification(played(hours=11.0)).standing is Standing.OUT_OF_TIME
    assert verification(*[played(hours=11.0)] * 3).standing is Standing.VERIFIED


@pytest.mark.parametrize(
    ("seconds", "times", "each"), [(60.0, 2, 15.0), (600.0, 10, 30.0), (7.5, 1, 3.75), (1.0, 1, 1.0)]
)
def test_shorter_rounds_have_fewer_bouts_and_longer_rounds_longer_ones(seconds: float, times: int, each: float) -> None:
    steps = Work("steps", ("cpu",), 15.0, 15.0, 10, {"hours": 1.0}).lasting(seconds)
    assert (steps.times, steps.seconds) == (times, pytest.approx(each))
