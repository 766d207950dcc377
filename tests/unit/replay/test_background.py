"""Events that sound units show too: how a verification counts them, and what it promises."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from agent.replay.background import BETA, sequential, sound_chance
from agent.replay.observed import Observed, Per
from agent.replay.sequential import SequentialTest, Verdict
from agent.replay.verification import Standing, Verification
from tests.unit.replay.test_recipe import FAULT, HEAT, RECIPE, played

ALPHA = 0.05
UNITS = 1000
LONGEST = 600
OFTEN = replace(RECIPE, observed=Observed(5, 6, Per.CYCLE, at_failure=True))


def verification(shown: str, background: float | None = 0.02) -> Verification:
    """``x`` is a round with the fault, ``.`` one without."""
    rounds = [played(FAULT) if one == "x" else played() for one in shown]
    return Verification(OFTEN, ALPHA, 100.0, rounds, background=background)


def test_a_single_event_proves_nothing_where_sound_units_have_it_too() -> None:
    assert verification("x").standing is Standing.GOES_ON
    assert verification("xx").standing is Standing.STILL_FAULTY
    needed = verification("").needed
    assert verification("." * (needed - 1)).standing is Standing.GOES_ON
    clean = verification("." * needed)
    assert (clean.standing, clean.by_count) == (Standing.VERIFIED, True)
    assert clean.chance_if_unrepaired <= ALPHA
    after_one = verification("x" + "." * needed)
    assert after_one.standing is Standing.GOES_ON
    assert after_one.needed > needed
    late = verification("x" + "." * after_one.needed)
    assert (late.standing, late.events) == (Standing.VERIFIED, 1)


@pytest.mark.parametrize("background", [None, 0.5, 0.9])
def test_where_it_is_not_known_or_no_rarer_in_sound_units_it_must_not_come_at_all(background: float | None) -> None:
    state = verification("x", background)
    assert (state.sequential, state.standing) == (None, Standing.STILL_FAULTY)
    assert verification("", background).needed == OFTEN.clean_needed(ALPHA)


def test_any_other_fault_is_one() -> None:
    state = verification(".")
    state.took(played(HEAT))
    assert state.standing is Standing.OTHER_FAULT
    late = verification("." * verification("").needed)
    late.regressed = (FAULT,)
    assert late.standing is Standing.VERIFIED, "one more of what sound units have too"
    late.regressed = (FAULT, HEAT)
    assert late.standing is Standing.OTHER_FAULT


@given(st.integers(1, 30), st.integers(0, 60), st.floats(0.001, 0.5), st.floats(0.001, 0.2))
def test_the_failing_chance_is_the_lower_bound_of_clopper_and_pearson(
    failures: int, more: int, sound: float, alpha: float
) -> None:
    test = sequential(Observed(failures, failures + more, Per.CYCLE, at_failure=False), sound, alpha)
    low = float(beta.ppf(alpha / 2.0, failures, more + 1))
    assert (test is not None) is (sound < low)
    if test:
        assert test.failing == pytest.approx(low, rel=1e-6)
        assert test.alpha / (1.0 - test.beta) <= alpha / 2.0 + 1e-12


@given(st.integers(1, 500), st.floats(0.0, 1.0), st.floats(0.001, 10.0), st.floats(0.001, 10.0))
def test_a_longer_round_of_a_sound_unit_has_it_more_often(
    rounds: int, share: float, hours_each: float, longer: float
) -> None:
    shown = int(share * rounds)
    known = sound_chance(shown, rounds, rounds * hours_each, hours_each)
    assert known == pytest.approx((shown + 0.5) / (rounds + 1.0))
    assert known <= sound_chance(shown, rounds, rounds * hours_each, hours_each + longer) <= 1.0


@cache
def the_test(failures: int, rounds: int, shown: int) -> SequentialTest | None:
    """The test after so many failures in RD's rounds; sound units had it in ``shown`` of 200 rounds."""
    observed = Observed(failures, rounds, Per.CYCLE, at_failure=True)
    return sequential(observed, sound_chance(shown, 200, 20.0, 0.1), ALPHA)


def decided(test: SequentialTest, chance: float, random: numpy.random.Generator) -> Verdict:
    """How a unit comes out that has it in a round with that chance."""
    events = 0
    for rounds, has_it in enumerate((random.random(LONGEST) < chance).tolist(), 1):
        events += has_it
        verdict = test.verdict(events, rounds)
        if verdict is not Verdict.GOES_ON:
            return verdict
    return Verdict.GOES_ON


@pytest.mark.parametrize("failures", [3, 6])
@pytest.mark.parametrize("chance", [0.3, 0.6, 0.95])
def test_unrepaired_units_hardly_pass_and_repaired_ones_do(chance: float, failures: int) -> None:
    """RD stops at the r-th failure; the sound chance is one that 200 rounds of sound units told."""
    random = numpy.random.default_rng([31, round(100 * chance), failures])
    true_sound = 0.02
    unrepaired, repaired = [], []
    for _ in range(UNITS):
        rounds = failures + int(random.negative_binomial(failures, chance))
        test = the_test(failures, rounds, int(random.binomial(200, true_sound)))
        if test is not None:  # else the strict count decides, which test_promises.py holds to
            unrepaired.append(decided(test, chance, random))
            repaired.append(decided(test, true_sound, random))
    told = len(repaired)
    assert told >= 0.9 * UNITS or chance < 0.6, "where it comes often enough the test can be had"
    at_most = ALPHA + 3.0 * (ALPHA * (1.0 - ALPHA) / told) ** 0.5
    assert unrepaired.count(Verdict.REPAIRED) <= at_most * told
    assert repaired.count(Verdict.FAILING) <= 2 * BETA * told, "the sound chance is an estimate too"
