"""Every plan and symptom names areas that exist, in every language."""

from __future__ import annotations

import pytest

from agent.catalogue import LANGUAGES, entries
from agent.model.marker import SOURCES
from agent.plans import BURN_IN, Cause, Exercise, causes, exercises, plan, plans, symptom, symptoms
from agent.probes import areas
from agent.tests_hw import load
from agent.tests_hw import tests as hardware_tests


@pytest.mark.parametrize("name", plans())
def test_plan(name: str) -> None:
    known = plan(name)
    assert set(known.title) == set(LANGUAGES)
    assert known.needed
    assert set(known.needed) | set(known.areas) <= set(areas())
    assert not known.areas or set(known.needed) <= set(known.areas)
    assert set(known.needed_tests) <= set(known.tests)


@pytest.mark.parametrize("name", symptoms())
def test_symptom(name: str) -> None:
    known = symptom(name)
    assert set(known.title) == set(LANGUAGES)
    assert known.needed
    assert set(known.needed) <= set(areas())
    assert set(known.causes) <= {cause.name for cause in causes()}
    assert all(weight > 0 for weight in known.causes.values())


@pytest.mark.parametrize("cause", causes(), ids=lambda cause: cause.name)
def test_cause(cause: Cause) -> None:
    assert set(cause.title) == set(LANGUAGES)
    assert cause.shape > 0
    assert cause.scale > 0
    known = {*entries(), *(code.partition("-")[0] for code in entries())}
    assert cause.codes
    assert set(cause.codes) <= known
    assert any(cause.exposed_by in exercise.gives for exercise in exercises()), "nothing brings it out"
    assert set(cause.sound_too) <= set(entries())
    measuring = {e.name: {reading for test in e.tests for reading in load(test).measures} for e in exercises()}
    if cause.markers_by is not None:
        assert measuring[cause.markers_by] & {source.reading for source in SOURCES}, "it measures no marker"


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.name)
def test_exercise(exercise: Exercise) -> None:
    assert set(exercise.title) == set(LANGUAGES)
    assert bool(exercise.tests) is not exercise.restarts, "it exercises something, or restarts the unit"
    assert set(exercise.tests) <= set(hardware_tests())
    assert all(exercise.seconds >= load(test).least_s for test in exercise.tests)
    assert exercise.rest_s >= 0
    assert exercise.times >= 1
    assert exercise.gives or exercise.name in {cause.markers_by for cause in causes()}, "nothing needs it"
    assert all(amount > 0 for amount in exercise.gives.values())


def test_there_is_a_burn_in() -> None:
    assert BURN_IN in {exercise.name for exercise in exercises()}


def test_what_does_not_exist_is_said() -> None:
    with pytest.raises(KeyError):
        plan("../quick")
    with pytest.raises(KeyError):
        symptom("nothing")
