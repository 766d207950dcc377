"""How warm it gets at work, over trees of files that change while they are watched."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Reading, Readings, Verdict
from agent.rules import apply
from agent.watch import for_seconds
from agent.watch.thermals import WATCHER

TIME = "2026-01-01T00:00:00.000Z"
ZONE = "thermal_zone0"


def zone(root: Path, millidegrees: int, critical: int | None = 105_000) -> Path:
    folder = root / f"sys/class/thermal/{ZONE}"
    folder.mkdir(parents=True)
    (folder / "type").write_text("acpitz\n")
    if critical is not None:
        (folder / "trip_point_0_type").write_text("critical\n")
        (folder / "trip_point_0_temp").write_text(f"{critical}\n")
    (folder / "temp").write_text(f"{millidegrees}\n")
    return folder / "temp"


def watched(root: Path, seconds: float) -> dict[str, object]:
    evidence = [e for e in WATCHER.watch(Host(str(root)), for_seconds(seconds)) if isinstance(e, Evidence)]
    return {r.name: r.value for r in WATCHER.interpret(evidence) if isinstance(r, Reading)}


def test_the_rise_is_seen(tmp_path: Path) -> None:
    temp = zone(tmp_path, 40_000)

    def heat() -> None:
        for value in (60_000, 97_000, 80_000):
            time.sleep(0.5)
            fresh = temp.with_name("fresh")
            fresh.write_text(f"{value}\n")
            fresh.rename(temp)

    thread = threading.Thread(target=heat)
    thread.start()
    seen = watched(tmp_path, 2.2)
    thread.join()
    assert seen["thermals_watch.type"] == "acpitz"
    assert seen["thermals_watch.start"] == 40.0
    assert seen["thermals_watch.peak"] == 97.0
    assert seen["thermals_watch.spread"] == 57.0
    assert seen["thermals_watch.headroom"] == 8.0
    assert isinstance(seen["thermals_watch.samples"], int)
    assert seen["thermals_watch.samples"] >= 5


@pytest.mark.parametrize("critical", [None, 0, -274_000, 255_000])
def test_without_a_limit_there_is_no_headroom(tmp_path: Path, critical: int | None) -> None:
    zone(tmp_path, 40_000, critical)
    seen = watched(tmp_path, 0.1)
    assert "thermals_watch.headroom" not in seen
    assert seen["thermals_watch.peak"] == 40.0


@pytest.mark.parametrize("value", [-273_000, 511_000])
def test_what_no_sensor_can_show_is_left_to_the_probe(tmp_path: Path, value: int) -> None:
    zone(tmp_path, value)
    assert watched(tmp_path, 0.1) == {}


@pytest.mark.parametrize(
    "values",
    [
        {"start": 1, "low": 2, "high": 3, "samples": 1},
        {"start": True, "low": 0, "high": 9},
        {"start": 1 << 60, "low": 1, "high": 1 << 61},
        {},
    ],
)
def test_evidence_that_contradicts_itself_gives_nothing(values: dict[str, object]) -> None:
    data = json.dumps({"seconds": 5.0, "zones": {ZONE: values}}).encode()
    assert list(WATCHER.interpret([Evidence("thermals-watch-json", "", data, "somewhere", TIME)])) == []


def reading(name: str, value: bool | float | str, unit: str = "°C") -> Reading:
    return Reading(name, value, unit, ComponentKind.MOTHERBOARD, ZONE, "somewhere", TIME)


def judged(
    *,
    headroom: float = 40.0,
    spread: float = 9.0,
    samples: int = 20,
    seconds: float = 5.0,
    kind: str = "acpitz",
    told_by: str = "thermals.type",
    made_up: bool = False,
) -> list[Finding]:
    readings = [
        reading(told_by, kind, ""),
        reading("thermals_watch.peak", 105.0 - headroom),
        reading("thermals_watch.headroom", headroom),
        reading("thermals_watch.spread", spread),
        reading("thermals_watch.samples", samples, "count"),
        reading("thermals_watch.seconds", seconds, "s"),
        *([reading("thermals.placeholder", True, "")] if made_up else []),
    ]
    return list(apply(Readings(readings)))


@pytest.mark.parametrize("told_by", ["thermals.type", "thermals_watch.type"])
def test_a_unit_that_comes_near_its_emergency_stop_at_once_has_a_fault(told_by: str) -> None:
    """Also where hardware is tested and the probe of the thermals does not run."""
    (found,) = judged(headroom=5.0, told_by=told_by)
    assert (found.code, found.verdict, found.subject) == ("HEAT-2035", Verdict.FAIL, ZONE)
    assert found.values == {"temperature": 100, "limit": 105}


def test_a_unit_that_stays_cool_has_none_and_a_processor_may_get_hot() -> None:
    assert judged(headroom=30.0) == []
    assert judged(headroom=2.0, kind="x86_pkg_temp") == []
    assert judged(headroom=2.0, kind="x86_pkg_temp", told_by="thermals_watch.type") == []


def test_a_zone_that_does_not_move_is_a_note() -> None:
    (found,) = judged(spread=0.0)
    assert (found.code, found.verdict) == ("HEAT-2215", Verdict.UNKNOWN)


def test_a_slow_machine_under_load_takes_fewer_looks_in_the_same_time() -> None:
    (found,) = judged(spread=0.0, samples=9)
    assert found.code == "HEAT-2215"


def test_one_that_was_hardly_looked_at_or_is_made_up_anyway_is_not() -> None:
    assert judged(spread=0.0, samples=5) == []
    assert judged(spread=0.0, samples=9, seconds=2.3) == []
    assert judged(spread=0.0, made_up=True) == []
    assert judged(spread=0.0, kind="x86_pkg_temp") == []
