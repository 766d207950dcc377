"""The interval of a rate: against scipy, and that it holds as often as it says."""

from __future__ import annotations

import numpy
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from agent.replay import Observed, Per, rate

SIMULATED = 4000
MISSES_ALLOWED = 0.05 + 3.0 * (0.05 * 0.95 / SIMULATED) ** 0.5


@given(st.integers(1, 60), st.floats(0.01, 500.0), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_by_hour_it_is_the_chi_squared_interval(r: int, hours: float, confidence: float) -> None:
    tail = (1.0 - confidence) / 2.0
    for at_failure, above in ((True, 2 * r), (False, 2 * r + 2)):
        said = rate(Observed(r, hours, Per.HOUR, at_failure), confidence)
        assert said.low == pytest.approx(scipy.stats.chi2.ppf(tail, 2 * r) / 2 / hours, 1e-8)
        assert said.high == pytest.approx(scipy.stats.chi2.isf(tail, above) / 2 / hours, 1e-8)
        assert said.low < said.value < said.high


@given(st.integers(0, 40), st.integers(0, 400))
def test_by_cycle_it_is_that_of_clopper_and_pearson(r: int, good: int) -> None:
    if r + good == 0:
        return
    theirs = scipy.stats.binomtest(r, r + good).proportion_ci(0.95, "exact")
    said = rate(Observed(r, r + good, Per.CYCLE, at_failure=False))
    if r:  # where nothing was seen ours is one-sided
        assert said.low == pytest.approx(theirs.low, 1e-7, 1e-12)
        assert said.high == pytest.approx(theirs.high, 1e-7)


def test_nothing_seen_gives_the_rule_of_three() -> None:
    said = rate(Observed(0, 30.0, Per.HOUR, at_failure=False))
    assert (said.value, said.low) == (0.0, 0.0)
    assert said.high == pytest.approx(2.9957 / 30.0, 1e-4)


@pytest.mark.parametrize("chance", [0.02, 0.2, 0.7])
@pytest.mark.parametrize("r", [1, 3, 10])
def test_a_count_of_cycles_that_ends_at_a_failure_is_covered(chance: float, r: int) -> None:
    random = numpy.random.default_rng(20260401 + r)
    cycles = r + random.negative_binomial(r, chance, SIMULATED)
    said = {int(n): rate(Observed(r, int(n), Per.CYCLE, at_failure=True)) for n in set(cycles.tolist())}
    missed = sum(not said[n].low <= chance <= said[n].high for n in cycles.tolist())
    assert missed / SIMULATED <= MISSES_ALLOWED


@pytest.mark.parametrize("failures", [-1, 3])
def test_what_cannot_be_is_refused(failures: int) -> None:
    with pytest.raises(ValueError, match="failures"):
        Observed(failures, 2, Per.CYCLE, at_failure=False)
