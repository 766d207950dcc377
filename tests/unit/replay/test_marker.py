"""Markers: a repair that is seen in one soak."""

from __future__ import annotations

import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.replay.marker import Measured, Population, Restored, compare
from agent.tests_hw._first_order import Sample, fit

WATTS, REST_WATTS, ROOM, TAU_S = 35.0, 5.0, 24.0, 120.0
SOUND_RISE, AMONG_UNITS = 1.0, 0.04
"""K per watt of a sound unit, and how far units differ (standard deviation)."""
SOAKS = 40
DECISIONS = 4_000
AT_LEAST = 0.95 - 3.0 * (0.95 * 0.05 / DECISIONS) ** 0.5


def soak(rise: float, random: numpy.random.Generator) -> list[Sample]:
    """A minute at rest, ten under load, four of cooling down: a sensor of whole degrees, a room that gets warmer or
    cooler, a load that is not quite even.
    """
    smoothed, samples, drift = REST_WATTS, [], random.normal(0.0, 0.5)
    for second in range(900):
        watts = WATTS + random.normal(0.0, 2.0) if 60 <= second < 660 else REST_WATTS
        shown = ROOM + drift * second / 900 + rise * smoothed + random.normal(0.0, 0.3)
        samples.append(Sample(float(second), watts, float(round(shown))))
        smoothed += (watts - smoothed) * -math.expm1(-1.0 / TAU_S)
    return samples


def measured(rise: float, random: numpy.random.Generator) -> Measured:
    model = fit(soak(rise, random))
    assert model is not None
    return Measured(model.rise, model.rise_error)


def sound_units(units: int, error: float, random: numpy.random.Generator) -> Population:
    values = random.normal(SOUND_RISE, AMONG_UNITS, units) + random.normal(0.0, error, units)
    return Population.of([float(value) for value in values])


def test_from_one_soak_a_restored_heat_sink_is_verified_and_another_is_not() -> None:
    """One whose heat sink had 1.3 times its own resistance, restored or not, each seen in one soak."""
    random = numpy.random.default_rng(11)
    restored = unrestored = 0
    for _ in range(SOAKS):
        sound, own = sound_units(10, 0.003, random), random.normal(SOUND_RISE, AMONG_UNITS)
        before = measured(1.3 * own, random)
        restored += compare(before, measured(own, random), sound).restored is Restored.YES
        unrestored += compare(before, measured(1.3 * own, random), sound).restored is Restored.YES
    assert restored >= 0.95 * SOAKS
    assert unrestored <= 0.05 * SOAKS


@pytest.mark.parametrize(("units", "speaks"), [(5, 0.8), (8, 0.95), (20, 0.99)])
@pytest.mark.parametrize("error", [0.005, 0.02])
def test_it_is_so_in_19_of_20_for_any_number_of_sound_units(units: int, speaks: float, error: float) -> None:
    """The judgement alone, over many more units than can be soaked. Of five sound units too little is known to tell
    each such heat sink from theirs: then it says nothing.
    """
    random = numpy.random.default_rng([12, units])
    restored = unrestored = spoke = 0
    for _ in range(DECISIONS):
        sound, own = sound_units(units, error, random), random.normal(SOUND_RISE, AMONG_UNITS)
        before, good, bad = (Measured(k * own + random.normal(0.0, error), error) for k in (1.3, 1.0, 1.3))
        said = compare(before, good, sound).restored
        spoke += said is not Restored.UNKNOWN
        restored += said is Restored.YES
        unrestored += compare(before, bad, sound).restored is Restored.YES
    assert spoke >= speaks * DECISIONS
    assert restored >= AT_LEAST * spoke
    assert unrestored <= (1.0 - AT_LEAST) * DECISIONS


@settings(max_examples=25)
@given(st.floats(0.2, 5.0), st.floats(10.0, 400.0), st.floats(-10.0, 40.0))
def test_a_soak_without_noise_gives_the_model_back(rise: float, tau: float, room: float) -> None:
    smoothed, samples = REST_WATTS, []
    for second in range(0, 1200, 4):
        watts = WATTS if 100 <= second < 800 else REST_WATTS
        samples.append(Sample(float(second), watts, room + rise * smoothed))
        smoothed += (watts - smoothed) * -math.expm1(-4.0 / tau)
    model = fit(samples)
    assert model is not None
    assert model.rise == pytest.approx(rise, 1e-3)
    assert model.tau_s == pytest.approx(tau, 1e-2)
    assert model.plateau(WATTS) == pytest.approx(room + rise * WATTS, abs=0.05 + 1e-3 * rise * WATTS)


def test_a_soak_without_a_change_of_load_says_nothing() -> None:
    assert fit([Sample(float(t), 30.0, 60.0) for t in range(600)]) is None
    assert fit([Sample(float(t), 30.0 + t % 2, 60.0) for t in range(10)]) is None


def test_a_marker_that_looked_sound_before_says_nothing() -> None:
    sound = Population(1.0, 0.05, 10)
    assert compare(Measured(1.02, 0.01), Measured(1.0, 0.01), sound).restored is Restored.UNKNOWN


def test_one_just_outside_that_is_measured_a_little_lower_is_not_restored() -> None:
    sound = Population(1.0, 0.05, 10)
    outside = 1.0 + sound.reach() + 0.001
    said = compare(Measured(outside, 0.02), Measured(outside - 0.01, 0.02), sound)
    assert (said.was_outside, said.is_inside, said.restored) == (True, True, Restored.NO)


@pytest.mark.parametrize("values", [[1.0, 1.1], [1.0, 1.0, 1.0]])
def test_too_little_is_known_of_sound_units(values: list[float]) -> None:
    with pytest.raises(ValueError, match="units"):
        Population.of(values)
