"""What watchers saw, joined with what the probes saw before, and the watchers of several tests with each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ComponentKind, Reading, Verdict
from agent.rules import Exercised, apply

TIME = "2026-01-01T00:00:00.000Z"
EDAC = "memory.edac.corrected"


def reading(name: str, value: bool | float | str, unit: str = "count", subject: str = "mc0/DIMM A1") -> Reading:
    return Reading(name, value, unit, ComponentKind.MEMORY_MODULE, subject, "somewhere", TIME)


def joined(*readings: Reading) -> dict[str, object]:
    return {r.name: r.value for r in Exercised(readings).readings}


def test_what_was_added_meanwhile_goes_on_from_what_was_there() -> None:
    assert joined(reading(EDAC, 2), reading(f"counters_watch.{EDAC}", 3)) == {EDAC: 5}
    assert joined(reading(f"counters_watch.{EDAC}", 3)) == {EDAC: 3}


def test_a_finding_rests_on_what_was_read() -> None:
    before, meanwhile = reading(EDAC, 0), reading(f"counters_watch.{EDAC}", 3)
    (found,) = [f for f in apply([before, meanwhile]) if f.code == "MEM-3014"]
    assert found.verdict is Verdict.UNKNOWN
    assert found.values["count"] == 3
    assert found.evidence == (before, meanwhile)


def test_a_second_test_during_which_all_was_well_takes_nothing_back() -> None:
    watched = {"changes": ("count", 7, 0, 7), "seconds": ("s", 5.0, 60.0, 65.0)}
    for quantity, (unit, first, second, together) in watched.items():
        name = f"panel_watch.{quantity}"
        assert joined(reading(name, first, unit), reading(name, second, unit)) == {name: together}
    heat = {"peak": (98.0, 60.0, 98.0), "headroom": (2.0, 40.0, 2.0), "spread": (30.0, 0.0, 30.0)}
    for quantity, (first, second, together) in heat.items():
        name = f"thermals_watch.{quantity}"
        assert joined(reading(name, first, "°C"), reading(name, second, "°C")) == {name: together}


def test_what_only_probes_gave_stays_as_it_is_and_the_last_holds() -> None:
    assert joined(reading(EDAC, 2), reading(EDAC, 7)) == {EDAC: 7}


def test_times_reach_from_the_first_to_the_last() -> None:
    log = "kernel_log{}.usb_disconnect.{}"
    seen = joined(
        *(reading(log.format("", which), value, "s") for which, value in (("first_s", 30.0), ("last_s", 50.0))),
        *(reading(log.format("_watch", which), value, "s") for which, value in (("first_s", 80.0), ("last_s", 85.0))),
    )
    assert seen == {"kernel_log.usb_disconnect.first_s": 30.0, "kernel_log.usb_disconnect.last_s": 85.0}


@pytest.mark.parametrize("other", ["many", True])
def test_what_is_no_number_is_not_added(other: str | bool) -> None:
    assert joined(reading(EDAC, 2), reading(f"counters_watch.{EDAC}", other)) == {EDAC: 2}


@given(st.lists(st.integers(0, 1 << 50), min_size=1), st.randoms())
def test_the_sum_does_not_depend_on_the_order(counts: list[int], random: object) -> None:
    names = [EDAC, *(f"counters_watch.{EDAC}" for _ in counts[1:])]
    readings = [reading(name, count) for name, count in zip(names, counts, strict=True)]
    random.shuffle(readings)  # type: ignore[attr-defined]
    assert joined(*readings) == {EDAC: sum(counts)}
