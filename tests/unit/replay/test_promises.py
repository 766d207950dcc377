"""What verification promises, held to in simulated repairs: 10 000 for each setting."""

from __future__ import annotations

from functools import cache

import numpy
import pytest
from scipy.stats import chi2

from agent.replay import Observed, Per, SequentialTest, Verdict, advise, clean_needed

ALPHA = 0.05
REPAIRS = 10_000
AT_MOST = ALPHA + 3.0 * (ALPHA * (1.0 - ALPHA) / REPAIRS) ** 0.5
"""Three standard errors of a share of 5 % in so many."""
RATES = [0.1, 0.5, 2.0, 20.0]
CHANCES = [0.005, 0.05, 0.3, 0.8]
TIMES = range(1, 11)


@cache
def per_hour_needed(r: int) -> float:
    return clean_needed(Observed(r, 1.0, Per.HOUR, at_failure=True), ALPHA)


@cache
def cycles_needed(r: int, cycles: int) -> int:
    return int(clean_needed(Observed(r, cycles, Per.CYCLE, at_failure=True), ALPHA))


@pytest.mark.parametrize("per_hour", RATES)
@pytest.mark.parametrize("r", TIMES)
def test_an_unrepaired_unit_hardly_passes_after_the_rth_failure(r: int, per_hour: float) -> None:
    random = numpy.random.default_rng([1, r, int(per_hour * 10)])
    until_rth = random.gamma(r, 1.0 / per_hour, REPAIRS)
    shows_after = random.exponential(1.0 / per_hour, REPAIRS)
    assert numpy.mean(shows_after > until_rth * per_hour_needed(r)) <= AT_MOST


@pytest.mark.parametrize("per_hour", RATES)
@pytest.mark.parametrize("r", TIMES)
def test_an_unrepaired_unit_hardly_passes_after_a_set_time(r: int, per_hour: float) -> None:
    """The time is such that ``r`` failures are expected; those that show none are not verified at all."""
    random = numpy.random.default_rng([2, r, int(per_hour * 10)])
    hours = r / per_hour
    seen = random.poisson(r, REPAIRS)
    shows_after = random.exponential(1.0 / per_hour, REPAIRS)
    needed = numpy.array([hours * per_hour_needed(n) if n else numpy.inf for n in seen.tolist()])
    passes = shows_after > needed
    assert numpy.mean(passes) <= AT_MOST
    assert numpy.mean(passes[seen > 0]) <= AT_MOST


@pytest.mark.parametrize("expected", [0.001, 0.01, 0.05, 0.1, 0.3])
def test_a_lucky_reproduction_in_a_short_time_lets_no_more_units_pass(expected: float) -> None:
    """Where hardly any failure was to be expected, most units are not reproduced, and those cannot pass."""
    random = numpy.random.default_rng([3, int(expected * 1000)])
    seen = random.poisson(expected, REPAIRS)
    needed = numpy.array([expected * per_hour_needed(n) if n else numpy.inf for n in seen.tolist()])
    assert numpy.mean(random.exponential(1.0, REPAIRS) > needed) <= AT_MOST


@pytest.mark.parametrize("chance", CHANCES)
@pytest.mark.parametrize("r", TIMES)
def test_an_unrepaired_unit_hardly_passes_by_cycles(r: int, chance: float) -> None:
    random = numpy.random.default_rng([4, r, int(chance * 1000)])
    until_rth = r + random.negative_binomial(r, chance, REPAIRS)
    needed = numpy.array([cycles_needed(r, n) for n in until_rth.tolist()])
    assert numpy.mean(random.geometric(chance, REPAIRS) > needed) <= AT_MOST


@pytest.mark.parametrize("chance", CHANCES)
@pytest.mark.parametrize("r", TIMES)
def test_an_unrepaired_unit_hardly_passes_after_a_set_number_of_cycles(r: int, chance: float) -> None:
    random = numpy.random.default_rng([5, r, int(chance * 1000)])
    cycles = max(r, round(r / chance))
    seen = random.binomial(cycles, chance, REPAIRS)
    needed = numpy.array([cycles_needed(n, cycles) if n else numpy.inf for n in seen.tolist()])
    passes = random.geometric(chance, REPAIRS) > needed
    assert numpy.mean(passes) <= AT_MOST
    assert numpy.mean(passes[seen > 0]) <= AT_MOST


def spent(per: Per, rate: float, stop_at: int | None, random: numpy.random.Generator) -> float:
    """Hours or cycles of RD and QC together: stopping at the ``stop_at``-th failure, or when the planner says so."""
    exposure, failures = 0.0, 0
    while True:
        exposure += random.exponential(1.0 / rate) if per is Per.HOUR else random.geometric(rate)
        failures += 1
        observed = Observed(failures, exposure, per, at_failure=True)
        if failures == stop_at or (stop_at is None and advise(observed, ALPHA).stop):
            return float(exposure + clean_needed(observed, ALPHA))


def mean_spent(per: Per, rate: float, stop_at: int | None, times: int, random: numpy.random.Generator) -> float:
    return float(numpy.mean([spent(per, rate, stop_at, random) for _ in range(times)]))


@pytest.mark.parametrize(
    ("per", "rate", "times"),
    [
        (Per.HOUR, 0.1, 4000),
        (Per.HOUR, 20.0, 4000),
        (Per.CYCLE, 0.02, 2000),
        (Per.CYCLE, 0.3, 2000),
        (Per.CYCLE, 0.8, 2000),
    ],
)
def test_the_planners_advice_costs_hardly_more_than_the_best(per: Per, rate: float, times: int) -> None:
    random = numpy.random.default_rng(6)
    best = min(mean_spent(per, rate, r, times, random) for r in range(1, 7))
    assert mean_spent(per, rate, None, times, random) <= 1.1 * best


def decided(test: SequentialTest, true_rate: float, random: numpy.random.Generator) -> tuple[Verdict, float]:
    """The verdict over events at a true rate per hour, and the hours until it."""
    hours, events = 0.0, 0
    while True:
        next_event = float(random.exponential(1.0 / true_rate))
        clean = test.clean_needed(events, hours)
        if next_event >= clean:
            return Verdict.REPAIRED, hours + clean
        hours, events = hours + next_event, events + 1
        if test.verdict(events, hours) is Verdict.FAILING:
            return Verdict.FAILING, hours


def fixed_hours(failing: float, sound: float) -> float:
    """The shortest time after which a count of events tells the rates apart with the same two errors."""
    limits = ((c, chi2.isf(ALPHA, 2 * c + 2) / 2 / failing, chi2.ppf(ALPHA, 2 * c + 2) / 2 / sound) for c in range(400))
    return float(next(least for _, least, most in limits if least <= most))


@pytest.mark.parametrize(("failing", "sound"), [(1.5, 1.0), (2.0, 1.0), (4.0, 1.0), (10.0, 2.0), (0.4, 0.1)])
def test_the_sequential_test_is_right_as_often_and_takes_less(failing: float, sound: float) -> None:
    test = SequentialTest(failing, sound, Per.HOUR, ALPHA, ALPHA)
    random = numpy.random.default_rng([8, int(failing * 10)])
    of_failing = [decided(test, failing, random) for _ in range(REPAIRS)]
    of_sound = [decided(test, sound, random) for _ in range(REPAIRS)]
    assert sum(said is Verdict.REPAIRED for said, _ in of_failing) / REPAIRS <= AT_MOST
    assert sum(said is Verdict.FAILING for said, _ in of_sound) / REPAIRS <= AT_MOST
    mean = float(numpy.mean([hours for _, hours in of_failing + of_sound]))
    assert mean <= 0.6 * fixed_hours(failing, sound)


def test_the_sequential_test_by_cycle_is_right_as_often() -> None:
    test = SequentialTest(0.2, 0.05, Per.CYCLE, ALPHA, ALPHA)
    random = numpy.random.default_rng(9)
    wrong = 0
    for true, right in [(0.2, Verdict.FAILING), (0.05, Verdict.REPAIRED)] * (REPAIRS // 10):
        events = cycles = 0
        while (said := test.verdict(events, cycles)) is Verdict.GOES_ON:
            cycles, events = cycles + 1, events + int(random.random() < true)
        wrong += said is not right
    assert wrong / (REPAIRS // 5) <= AT_MOST
