"""Tails and quantiles of our own against scipy's."""

from __future__ import annotations

import pytest
import scipy.stats
from hypothesis import example, given
from hypothesis import strategies as st

from agent.replay.student import student_below, student_quantile
from agent.replay.tails import (
    binomial_at_most,
    chance_where_at_most,
    mean_where_at_most,
    poisson_at_most,
)

CLOSE = 1e-10
COUNTS = st.integers(-1, 2000)
TAILS = st.floats(1e-6, 1.0 - 1e-6)


@given(COUNTS, st.floats(0.0, 3000.0))
def test_poisson(count: int, mean: float) -> None:
    assert poisson_at_most(count, mean) == pytest.approx(float(scipy.stats.poisson.cdf(count, mean)), CLOSE, 1e-13)


@given(COUNTS, st.integers(0, 5000), st.floats(0.0, 1.0))
def test_binomial(count: int, trials: int, chance: float) -> None:
    theirs = float(scipy.stats.binom.cdf(count, trials, chance))
    assert binomial_at_most(count, trials, chance) == pytest.approx(theirs, CLOSE, 1e-12)


@given(st.integers(0, 500), TAILS)
def test_the_mean_at_a_tail(count: int, tail: float) -> None:
    theirs = float(scipy.stats.chi2.isf(tail, 2 * count + 2)) / 2.0
    assert mean_where_at_most(count, tail) == pytest.approx(theirs, 1e-9)


@given(st.integers(0, 200), st.integers(1, 2000), TAILS)
def test_the_chance_at_a_tail(count: int, more: int, tail: float) -> None:
    trials = count + more
    theirs = float(scipy.stats.beta.isf(tail, count + 1, trials - count))
    assert chance_where_at_most(count, trials, tail) == pytest.approx(theirs, 1e-8)


@given(st.floats(-50.0, 50.0), st.integers(1, 300))
@example(1e-9, 1)
def test_student(t: float, freedom: int) -> None:
    """Beside 0 scipy gives the half itself, which is wrong in the tenth digit; the density is right there, and does not
    change.
    """
    beside = abs(t) < 1e-7
    theirs = 0.5 + t * scipy.stats.t.pdf(0.0, freedom) if beside else scipy.stats.t.cdf(t, freedom)
    assert student_below(t, freedom) == pytest.approx(float(theirs), CLOSE, 1e-13)


@given(st.floats(0.5, 0.9999), st.integers(1, 300))
def test_the_quantile_of_student(chance: float, freedom: int) -> None:
    theirs = float(scipy.stats.t.ppf(chance, freedom))
    assert student_quantile(chance, freedom) == pytest.approx(theirs, 1e-8, 1e-12)
