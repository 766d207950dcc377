"""The conditions of the customer's check, and what the search makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.model import ComponentKind, Heartbeat, Reading, Readings, Value
from agent.replay.reported import Reported, reported
from agent.replay.reproduction import Reproduction, Shows
from agent.replay.round import Conditions, Round
from agent.replay.search import Block, Cause, Exercise, Search
from tests.unit.model.strategies import readings
from tests.unit.replay import simulated_unit

PERCENT = st.floats(0.0, 1.0)


def reading(name: str, value: Value, unit: str, subject: str = "") -> Reading:
    return Reading(name, value, unit, ComponentKind.MOTHERBOARD, subject, "", "")


def test_what_a_check_has_of_them() -> None:
    seen = [
        reading("thermals.temperature", 48.0, "°C", "thermal_zone0"),
        reading("thermals_watch.peak", 81.0, "°C", "thermal_zone1"),
        reading("thermals_watch.peak", 255.0, "°C", "thermal_zone2"),
        reading("thermals.temperature", 90.0, "°C", "hwmon2/Package id 0"),
        reading("thermals.load", 1.7, "1"),
        reading("thermals.uptime", 7200.0, "s"),
    ]
    assert reported(Readings(seen), []) == Reported(81.0, 1.0, 7200.0)
    assert Reported(81.0, 1.0).least == Conditions(79.0, 0.9)
    assert reported(Readings(), []) == Reported()
    assert not Reported().known


def test_how_it_was_when_it_went_down_in_the_check() -> None:
    seen = [reading("thermals.temperature", 48.0, "°C", "thermal_zone0"), reading("thermals.uptime", 60.0, "s")]
    beats = [Heartbeat(200.0, 9000.0, 4.0, 93.0), Heartbeat(5.0, 8000.0, 4.0, None)]
    assert reported(Readings(seen), beats) == Reported(93.0, None, 9000.0)


@given(st.lists(readings, max_size=20))
def test_whatever_it_has_they_are_numbers_that_can_be(seen: list[Reading]) -> None:
    named = [
        Reading(name, r.value, r.unit, r.component, "thermal_zone0" if "temp" in name else "", r.source, r.time)
        for r, name in zip(seen, ["thermals.temperature", "thermals.load", "thermals.uptime"] * 7, strict=False)
    ]
    found = reported(Readings(named), [])
    assert found.peak_c is None or -40.0 < found.peak_c < 150.0
    assert found.load is None or 0.0 <= found.load <= 1.0
    assert Conditions.from_json(found.least.to_json()) == found.least


@given(st.none() | PERCENT, st.none() | PERCENT)
def test_what_was_not_measured_does_not_fall_short(measured: float | None, asked: float | None) -> None:
    short = Conditions(load=measured).falls_short_of(Conditions(load=asked))
    assert short is (measured is not None and asked is not None and measured < asked)
    if asked is None or measured is not None:
        assert short is not Conditions(load=measured).reach(Conditions(load=asked))


def test_an_exercise_that_does_not_get_as_warm_as_at_the_customers_comes_later() -> None:
    """Two of the same worth: the one that reaches it is run again, the other one is not."""
    causes = [Shows(Cause("memory", "hours", 1.0, 0.7, 2.0), ("MEM",))]
    todo = [Exercise(name, 0.1, {"hours": 1.0}) for name in ("cool", "warm")]
    state = Reproduction(causes, todo, "cool", limit_h=10.0, wanted=Reported(81.0).least)
    blind = Reproduction(causes, todo, "cool", limit_h=10.0)
    order = []
    for number in range(1, 9):
        chosen = state.next().name
        order.append(chosen)
        at = Conditions(85.0 if chosen == "warm" else 60.0, 0.9)
        for search in (state, blind):
            search.took(Round(number, chosen, 1, 0.1, {"hours": 0.1}, at, (), whole=True))
    assert order == ["cool", *["warm"] * 7]
    assert blind.next().name == "cool"


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_conditions_that_nothing_reaches_do_not_hold_up_the_search(short: list[bool]) -> None:
    """No exposure falls further behind a burn-in than without them."""
    todo = simulated_unit.exercises()
    burn_in = next(e for e in todo if e.name == "burn-in")
    search = Search(simulated_unit.causes(""), todo, burn_in.name)
    exposed: dict[str, float] = {}
    for falls_short in short:
        chosen = search.next()
        gives = {name: amount * chosen.hours for name, amount in chosen.gives.items()}
        search.ran(Block(chosen.name, chosen.hours, gives, failed=False))
        search.reached(chosen.name, short=falls_short)
        exposed = {name: exposed.get(name, 0.0) + gives.get(name, 0.0) for name in {*exposed, *gives}}
        for name, per_hour in burn_in.gives.items():
            assert exposed.get(name, 0.0) >= 0.68 * per_hour * search.hours * (1.0 - 1e-9)
