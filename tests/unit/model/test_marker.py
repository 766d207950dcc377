"""Which readings are markers, and that they are read as they were written."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.model import ComponentKind, Reading, Readings
from agent.model.marker import SOURCES, Marker, MarkerKey, markers
from tests.unit.model.strategies import readings
from tests.unit.tests_hw.test_thermal import readings as measured
from tests.unit.tests_hw.test_thermal import soak

NAMES = [name for source in SOURCES for name in source if name]
values = st.floats(allow_nan=False, allow_infinity=False)
made = st.builds(
    Marker,
    st.builds(MarkerKey, st.text(), st.text(), st.text()),
    values,
    st.none() | st.floats(0.0, 1e9),
    st.sampled_from(["K", "K/W", "s"]),
    st.text(),
)


def test_a_soak_gives_the_rise_of_each_sensor_with_its_error() -> None:
    found = {marker.key: marker for marker in markers(measured(soak(0.8)), "soak")}
    marker = found[MarkerKey("thermal_test.rise_per_watt", "thermal_zone0", "acpitz")]
    assert abs(marker.value - 0.8) < 0.03
    assert marker.error is not None
    assert 0.0 < marker.error < 0.05
    assert (marker.unit, marker.exercise) == ("K/W", "soak")
    assert {key.of for key in found} == {"thermal_zone0", "hwmon2/Package id 0"}
    assert {key.reading for key in found} == {"thermal_test.rise_per_watt", "thermal_test.rise"}


def test_a_latency_has_no_error_of_its_own_and_a_rise_without_one_is_no_marker() -> None:
    def reading(name: str, value: Any, unit: str) -> Reading:
        return Reading(name, value, unit, ComponentKind.STORAGE_DEVICE, "sda", "fio", "")

    latency = reading("storage_read_test.latency_p99", 0.02, "s")
    disk = reading("storage_read_test.rotational", True, "")
    (marker,) = markers(Readings([latency, disk, reading("thermal_test.rise", 20.0, "K")]), "drives")
    assert marker == Marker(MarkerKey("storage_read_test.latency_p99", "sda", "True"), 0.02, None, "s", "drives")


@given(made)
def test_it_is_read_as_it_was_written(marker: Marker) -> None:
    assert Marker.from_json(marker.to_json()) == marker


@given(
    st.dictionaries(
        st.sampled_from([*Marker.__dataclass_fields__, "reading", "of", "kind"]), st.none() | values | st.text()
    )
)
def test_nothing_else_is_raised(document: dict[str, Any]) -> None:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        Marker.from_json(document)


@given(st.lists(readings.flatmap(lambda r: st.sampled_from(NAMES).map(lambda name: (r, name))), max_size=12))
def test_whatever_a_unit_measures_its_markers_are_numbers(seen: list[tuple[Reading, str]]) -> None:
    renamed = [Reading(name, r.value, r.unit, r.component, r.subject, r.source, r.time) for r, name in seen]
    for marker in markers(Readings(renamed), "soak"):
        assert isinstance(marker.value, float)
        assert Marker.from_json(marker.to_json()) == marker
