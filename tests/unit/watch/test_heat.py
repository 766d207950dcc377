"""The abort temperature, over trees of files as the kernel makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.watch._heat import LIMIT_C, MARGIN_C, too_hot


def zone(root: Path, number: int, millidegrees: str, *trips: tuple[str, str]) -> Path:
    folder = root / f"sys/class/thermal/thermal_zone{number}"
    folder.mkdir(parents=True)
    (folder / "temp").write_text(f"{millidegrees}\n")
    for index, (kind, temperature) in enumerate(trips):
        (folder / f"trip_point_{index}_type").write_text(f"{kind}\n")
        (folder / f"trip_point_{index}_temp").write_text(f"{temperature}\n")
    return folder


def reason(root: Path) -> str | None:
    stopped = too_hot(str(root))
    return None if stopped is None else str(stopped)


def test_a_cool_unit_goes_on(tmp_path: Path) -> None:
    zone(tmp_path, 0, "45000", ("critical", "105000"))
    zone(tmp_path, 1, "27800")
    assert reason(tmp_path) is None


def test_no_zone_says_nothing(tmp_path: Path) -> None:
    assert reason(tmp_path) is None


@pytest.mark.parametrize(("millidegrees", "stops"), [("84999", False), ("85000", True), ("91250", True)])
def test_it_stops_before_the_critical_trip_point(millidegrees: str, stops: bool, tmp_path: Path) -> None:
    assert MARGIN_C == 5
    zone(tmp_path, 0, millidegrees, ("passive", "70000"), ("critical", "90000"))
    assert (reason(tmp_path) is not None) is stops


@pytest.mark.parametrize(("millidegrees", "stops"), [("99999", False), ("100000", True)])
def test_without_a_critical_trip_point_the_processor_s_own_limit_holds(
    millidegrees: str, stops: bool, tmp_path: Path
) -> None:
    assert LIMIT_C == 100
    zone(tmp_path, 0, millidegrees, ("passive", "70000"), ("hot", "80000"))
    assert (reason(tmp_path) is not None) is stops


def test_a_trip_point_above_that_limit_does_not_raise_it(tmp_path: Path) -> None:
    zone(tmp_path, 0, "101000", ("critical", "125000"))
    assert "101" in (reason(tmp_path) or "")


@pytest.mark.parametrize("trip", ["0", "-274000", "nonsense", "", "999999999999", "1" * 5000])
def test_an_absurd_trip_point_is_none(trip: str, tmp_path: Path) -> None:
    zone(tmp_path, 0, "60000", ("critical", trip))
    assert reason(tmp_path) is None


@pytest.mark.parametrize("millidegrees", ["-273150", "150000", "2147483647", "nonsense", "", "9" * 5000, "٩٩٠٠٠x"])
def test_a_sensor_that_is_broken_stops_nobody(millidegrees: str, tmp_path: Path) -> None:
    zone(tmp_path, 0, millidegrees, ("critical", "90000"))
    assert reason(tmp_path) is None


def test_one_hot_zone_beside_broken_ones_is_enough(tmp_path: Path) -> None:
    zone(tmp_path, 0, "nonsense")
    (tmp_path / "sys/class/thermal/thermal_zone1").mkdir()
    zone(tmp_path, 2, "88000", ("critical", "90000"))
    assert "88.0" in (reason(tmp_path) or "")
