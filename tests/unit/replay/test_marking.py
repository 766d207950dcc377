"""What a verification makes of the markers beside the rounds, and that neither way lets more unrepaired units pass."""

from __future__ import annotations

from dataclasses import replace

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.marker import Marker, MarkerKey
from agent.replay.marker import Measured, Population, Restored, compare
from agent.replay.marking import sound_from_json, sound_to_json
from agent.replay.observed import Observed, Per
from agent.replay.recipe import Recipe, Work
from agent.replay.round import Round, Signature
from agent.replay.verification import Standing, Verification
from tests.unit.replay.test_recipe import HEAT, RECIPE, played

RISE = MarkerKey("thermal_test.rise_per_watt", "thermal_zone0", "acpitz")
LATENCY = MarkerKey("storage_read_test.latency_p99", "sda", "")
SOAK = Work("soak", ("thermal",), 900.0, 0.0, 1, {})
KNOWN = Population(1.0, 0.04, 10)
ERROR = 0.01
ALPHA = 0.05
REPAIRS = 20_000


def rise(value: float, key: MarkerKey = RISE) -> Marker:
    return Marker(key, value, ERROR, "K/W", "soak")


HOT = replace(RECIPE, fault=HEAT, markers=(rise(1.3),), soak=SOAK)


def soaked(*values: float, whole: bool = True, shown: tuple[Signature, ...] = ()) -> Round:
    keys = (RISE, MarkerKey("thermal_test.rise", "thermal_zone0", "acpitz"))
    found = tuple(rise(value, key) for value, key in zip(values, keys, strict=False))
    return replace(played(*shown, whole=whole), exercise="soak", markers=found)


def verification(*rounds: Round, recipe: Recipe = HOT, known: Population | None = KNOWN) -> Verification:
    return Verification(recipe, ALPHA, 10.0, list(rounds), sound={RISE: known} if known else {})


def test_the_markers_are_measured_first_and_one_round_is_then_enough() -> None:
    state = verification()
    assert state.next() == SOAK
    assert state.hours_left == pytest.approx(SOAK.hours + 5 * HOT.work.hours)
    state.took(soaked(1.02))
    assert (state.standing, state.restored, state.clean) == (Standing.GOES_ON, Restored.YES, 0)
    assert state.next() == HOT.work, "a soak is no round of the recipe"
    state.took(played())
    assert (state.standing, state.by_markers, state.by_count) == (Standing.VERIFIED, True, False)


def test_one_that_is_not_restored_ends_it() -> None:
    state = verification(soaked(1.29))
    assert (state.standing, state.next()) == (Standing.NOT_RESTORED, HOT.work)
    assert verification(*[played()] * 5, soaked(1.29)).standing is Standing.NOT_RESTORED


def test_the_fault_counts_whatever_the_markers_say() -> None:
    assert verification(soaked(1.0), played(HEAT)).standing is Standing.STILL_FAULTY
    assert verification(soaked(1.0, shown=(HEAT,))).standing is Standing.STILL_FAULTY
    other = HEAT._replace(code="MEM-3908")
    assert verification(soaked(1.0), played(other)).standing is Standing.OTHER_FAULT


def test_all_that_tell_must_be_restored() -> None:
    second = MarkerKey("thermal_test.rise", "thermal_zone0", "acpitz")
    recipe = replace(HOT, markers=(rise(1.3), rise(1.3, second)))
    state = Verification(recipe, ALPHA, 10.0, sound={RISE: KNOWN, second: KNOWN})
    for after, standing in (
        ([1.0, 1.3], Standing.NOT_RESTORED),
        ([1.0], Standing.GOES_ON),
        ([1.0, 1.0], Standing.VERIFIED),
    ):
        state.rounds = [soaked(*after), played()]
        assert state.standing is standing
    looked_sound = replace(recipe, markers=(rise(1.3), rise(1.0, second)))
    state = Verification(looked_sound, ALPHA, 10.0, [soaked(1.0, 1.3), played()], sound={RISE: KNOWN, second: KNOWN})
    assert state.standing is Standing.VERIFIED, "one by which the failing unit looked sound says nothing"


@pytest.mark.parametrize(
    ("recipe", "known"), [(HOT, None), (replace(HOT, markers=(rise(1.05),)), KNOWN), (replace(HOT, markers=()), KNOWN)]
)
def test_where_no_marker_tells_the_rounds_alone_decide(recipe: Recipe, known: Population | None) -> None:
    state = verification(recipe=recipe, known=known)
    assert (state.next(), state.needed, state.can_be_marked) == (recipe.work, 3, False)
    assert verification(*[played()] * 3, recipe=recipe, known=known).standing is Standing.VERIFIED
    assert all(marking.restored is Restored.UNKNOWN for marking in state.markings)


def test_a_soak_that_gave_nothing_is_not_repeated_and_the_rounds_decide() -> None:
    state = verification(soaked(whole=False))
    assert (state.next(), state.needed) == (HOT.work, 5)
    assert verification(soaked(whole=False), *[played()] * 5).standing is Standing.VERIFIED


def test_only_the_first_measurement_counts() -> None:
    assert verification(soaked(1.3), soaked(1.0), played()).standing is Standing.NOT_RESTORED


def test_far_on_the_other_side_is_another_part_and_no_word_about_this_one() -> None:
    said = compare(Measured(1.3, ERROR), Measured(0.5, ERROR), KNOWN)
    assert (said.restored, said.was_outside, said.is_inside) == (Restored.UNKNOWN, True, False)
    assert verification(soaked(0.5), played()).standing is Standing.GOES_ON


def test_without_an_error_of_its_own_it_must_move_as_far_as_sound_units_differ() -> None:
    before = Marker(LATENCY, 0.020, None, "s", "memory")
    recipe = replace(HOT, markers=(before,), soak=None)
    near = Population(0.010, 0.0025, 10)
    assert near.reach() == pytest.approx(0.0085, abs=1e-4)
    for after, standing in ((0.0184, Standing.NOT_RESTORED), (0.010, Standing.VERIFIED)):
        state = Verification(recipe, ALPHA, 10.0, sound={LATENCY: near})
        state.took(replace(played(), markers=(replace(before, value=after),)))
        assert state.standing is standing


def test_a_recipe_with_markers_is_read_as_it_was_written_and_one_without_stays_as_it_was() -> None:
    assert Recipe.from_json(HOT.to_json()) == HOT
    assert not {"markers", "soak"} & set(RECIPE.to_json())
    with pytest.raises(ValueError, match="one name"):
        Recipe.from_json(replace(HOT, soak=replace(SOAK, name=HOT.work.name)).to_json())


@given(st.dictionaries(st.builds(MarkerKey, st.text(), st.text(), st.text()), st.builds(
    Population, st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(3, 99))))  # fmt: skip
def test_sound_units_are_read_as_they_were_written(sound: dict[MarkerKey, Population]) -> None:
    assert sound_from_json(sound_to_json(sound)) == sound


@given(
    st.floats(0.5, 2.0), st.none() | st.floats(0.5, 2.0), st.none() | st.just(KNOWN),
    st.lists(st.sampled_from([(), (HEAT,)]), max_size=6),
)  # fmt: skip
def test_what_is_certified_follows_from_what_was_seen(
    before: float, after: float | None, known: Population | None, shown: list[tuple[Signature, ...]]
) -> None:
    rounds = [soaked(*([] if after is None else [after])), *(played(*one) for one in shown)]
    state = verification(*rounds, recipe=replace(HOT, markers=(rise(before),)), known=known)
    (marking,) = state.markings
    said = marking.to_json()
    assert said["restored"] == state.restored.value
    if any(shown):
        assert state.standing is Standing.STILL_FAULTY
    elif state.restored is Restored.NO:
        assert state.standing is Standing.NOT_RESTORED
        assert said["was_outside"]
    elif state.standing is Standing.VERIFIED:
        assert state.by_count or (said["was_outside"] and said["is_inside"] and said["chance_unchanged"] <= ALPHA / 2)


@pytest.mark.parametrize("chance", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("resistance", [1.16, 1.2, 1.3])
def test_by_either_way_hardly_any_unrepaired_unit_passes(chance: float, resistance: float) -> None:
    """RD stops at the third failure; the heat sink of a unit whose fault comes so often is as it was, just outside what
    sound units show or far from it; how sound units lie is learnt from ten of them.
    """
    random = numpy.random.default_rng([21, round(100 * resistance), round(10 * chance)])
    needed = {n: replace(HOT, observed=Observed(3, n, Per.CYCLE, at_failure=True)).clean_needed(ALPHA / 2)
              for n in range(3, 400)}  # fmt: skip
    passed = told = 0
    for _ in range(REPAIRS // 10):
        known = Population.of([float(v) for v in random.normal(1.0, 0.04, 10)])
        before, after = (float(v) for v in random.normal(resistance, ERROR, 2))
        rd_rounds = min(3 + int(random.negative_binomial(3, chance)), 399)
        clean = int(random.geometric(chance)) - 1
        said = compare(Measured(before, ERROR), Measured(after, ERROR), known, ALPHA / 2)
        if not said.was_outside:
            continue
        told += 1
        by_count = clean >= needed[rd_rounds] and said.restored is not Restored.NO
        passed += by_count or (clean > 0 and said.restored is Restored.YES)
    assert passed <= (ALPHA + 3.0 * (ALPHA * (1.0 - ALPHA) / max(told, 1)) ** 0.5) * told
