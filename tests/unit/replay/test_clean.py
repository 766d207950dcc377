"""How long a repaired unit must run: the formula, what it promises, and by how much RD can shorten it."""

from __future__ import annotations

import math

import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from agent.replay import Observed, Per, Prior, advise, chance_if_unrepaired, clean_needed

FAILURES = st.integers(1, 40)
ALPHAS = st.floats(0.001, 0.5)


@pytest.mark.parametrize(("r", "times"), [(1, 19.0), (2, 3.47), (3, 1.71), (5, 0.82)])
def test_what_is_written_of_it(r: int, times: float) -> None:
    assert clean_needed(Observed(r, 4.0, Per.HOUR, at_failure=True)) == pytest.approx(4.0 * times, abs=0.02 * 4.0)


@given(FAILURES, st.floats(0.001, 1000.0), ALPHAS)
def test_needed_is_where_the_chance_is_alpha(r: int, hours: float, alpha: float) -> None:
    observed = Observed(r, hours, Per.HOUR, at_failure=True)
    assert chance_if_unrepaired(observed, clean_needed(observed, alpha)) == pytest.approx(alpha, 1e-9)


@given(FAILURES, st.integers(0, 500), ALPHAS)
def test_by_cycle_it_is_the_least_whole_number(r: int, good: int, alpha: float) -> None:
    observed = Observed(r, r + good, Per.CYCLE, at_failure=True)
    needed = int(clean_needed(observed, alpha))

    def exactly(clean: int) -> float:
        return math.comb(r + good, r) / math.comb(r + good + clean, r)

    assert exactly(needed) <= alpha * (1 + 1e-8)
    assert needed == 1 or exactly(needed - 1) > alpha * (1 - 1e-8)


@given(FAILURES, st.integers(0, 500), st.integers(0, 3000), st.floats(0.0, 5.0), st.floats(0.0, 50.0))
def test_a_prior_by_cycle_is_that_of_the_beta_distribution(
    r: int, good: int, clean: int, failures: float, more: float
) -> None:
    observed, prior = Observed(r, r + good, Per.CYCLE, at_failure=True), Prior(failures, failures + more)
    a, b = r + failures, good + more + 1.0
    theirs = math.exp(scipy.special.betaln(a, b + clean) - scipy.special.betaln(a, b))
    assert chance_if_unrepaired(observed, clean, prior) == pytest.approx(theirs, 1e-6)


@given(FAILURES, st.floats(0.1, 100.0), st.floats(0.0, 300.0), st.floats(0.1, 5.0), st.floats(0.1, 50.0))
def test_a_prior_by_hour_is_the_gamma_mixture(r: int, hours: float, clean: float, shape: float, beside: float) -> None:
    """The negative binomial distribution: a Poisson count of a rate that is gamma distributed."""
    observed, prior = Observed(r, hours, Per.HOUR, at_failure=True), Prior(shape, beside)
    theirs = scipy.stats.nbinom.pmf(0, r + shape, (hours + beside) / (hours + beside + clean))
    assert chance_if_unrepaired(observed, clean, prior) == pytest.approx(theirs, 1e-9)


@given(FAILURES, st.floats(0.01, 100.0), st.floats(0.0, 100.0), st.floats(0.01, 100.0))
def test_more_without_the_fault_is_better_proof(r: int, hours: float, clean: float, more: float) -> None:
    observed = Observed(r, hours, Per.HOUR, at_failure=True)
    assert chance_if_unrepaired(observed, clean + more) < chance_if_unrepaired(observed, clean)


def test_what_was_not_reproduced_cannot_be_verified() -> None:
    with pytest.raises(ValueError, match="never reproduced"):
        clean_needed(Observed(0, 50.0, Per.HOUR, at_failure=False))


@given(st.floats(0.01, 100.0))
def test_rd_is_told_to_stop_at_the_third_time(hours: float) -> None:
    told = [advise(Observed(r, hours * r, Per.HOUR, at_failure=True)) for r in (1, 2, 3)]
    assert [advice.stop for advice in told] == [False, False, True]
    assert told[0].saved > told[1].saved > 0.0 > told[2].saved
