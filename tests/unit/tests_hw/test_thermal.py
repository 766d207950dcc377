"""A soak of a unit whose heat is known, and what is concluded from it."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Verdict
from agent.profiles import learn
from agent.rules.thermal_test import fan_stops, fans_do_not_follow, rises_more, would_switch_off
from agent.tests_hw import Bout
from agent.tests_hw._soak import joined
from agent.tests_hw.thermal import TEST, interval
from tests.bench.hardware.heat_model import FULL_RPM, HeatModel

TIME = "2026-01-02T03:04:05.678Z"
ZONE = "/sys/class/thermal/thermal_zone0"
CHIP = "/sys/class/hwmon/hwmon2"
TREE = {
    f"{ZONE}/type": "acpitz\n",
    f"{ZONE}/temp": "36000\n",
    f"{ZONE}/trip_point_0_type": "critical\n",
    f"{ZONE}/trip_point_0_temp": "105000\n",
    f"{CHIP}/name": "coretemp\n",
    f"{CHIP}/temp1_input": "38000\n",
    f"{CHIP}/temp1_label": "Package id 0\n",
    "/sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850\n",
}
PATHS = [f"{ZONE}/temp", f"{CHIP}/temp1_input"]
# stress-ng 0.15.06 of Debian 12.
VERSION = b"stress-ng, version 0.15.06 (gcc 12.2.0, x86_64 Linux 6.1.0)\n"
DONE = b"""stress-ng: info:  [30579] setting to a 1 second run per stressor
stress-ng: info:  [30579] dispatching hogs: 2 matrix
stress-ng: info:  [30579] successful run completed in 1.03s
"""
REFUSED = b"aborting: temp-path '.' must be readable and writeable\n"


def evidence(kind: str, data: bytes, **more: Any) -> Evidence:
    return Evidence(kind, "", data, kind, TIME, **more)


def soak(
    resistance: float = 1.0,
    *,
    tau: float = 40.0,
    room: float = 25.0,
    watts: bool = True,
    seconds: int = 300,
    seed: int = 1,
) -> list[Evidence]:
    """A unit of 6 W at rest and 30 W under load, in which each watt gives ``resistance`` K; its sensors show whole
    degrees, its load and power waver a little.
    """
    chance = random.Random(seed)
    looks, warm, busy, energy = [], 6.0, 0, 262143000000
    for second in range(seconds):
        heating = seconds * 0.1 <= second < seconds * 0.6
        load = 0.97 + 0.03 * chance.random() if heating else 0.03 * chance.random()
        power = 6.0 + 24.0 * load + 0.2 * chance.random()
        celsius = room + resistance * warm
        shown = [round(celsius) * 1000, round(celsius + 2) * 1000]
        looks.append([float(second), int(heating), busy, second * 400, energy if watts else None, shown])
        busy += round(400 * load)
        energy = (energy + round(power * 1e6)) % 262143328850
        warm += (power - warm) * -math.expm1(-1.0 / tau)
    half = len(looks) // 2
    pieces = [json.dumps({"paths": PATHS, "looks": part}).encode() for part in (looks[:half], looks[half:])]
    return [
        evidence("stress-ng", VERSION, exit_status=0),
        evidence("tree", json.dumps(TREE).encode()),
        *(evidence("thermal-test-json", piece) for piece in pieces),
        evidence("stress-ng", DONE, exit_status=0),
    ]


def readings(seen: Sequence[Evidence]) -> Readings:
    return Readings(r for r in TEST.interpret(seen) if isinstance(r, Reading))


def gaps(seen: Sequence[Evidence]) -> list[Gap]:
    return [g for g in TEST.interpret(seen) if isinstance(g, Gap)]


def number(found: Readings, name: str, subject: str = "thermal_zone0") -> float:
    value = found.number(f"thermal_test.{name}", subject)
    assert value is not None, name
    return value


def against(found: Readings, healthy: Readings) -> list[Finding]:
    unit = {"manufacturer": "Hibertek", "model": "AIO 24"}
    profile = learn(unit, [], healthy, source="run", time=TIME, agent="0")
    known = [
        Reading(f"profile.{v.reading}", v.value, v.unit, v.component, v.of, "profile", TIME) for v in profile.values
    ]
    assert known
    return list(rises_more(Readings([*found, *known])))


def test_the_physics_of_the_unit_come_out() -> None:
    found = readings(soak(0.8, tau=45.0))
    assert number(found, "rise_per_watt") == pytest.approx(0.8, rel=0.03)
    assert number(found, "rise") == pytest.approx(0.8 * 24, rel=0.03)
    assert number(found, "tau") == pytest.approx(45.0, rel=0.1)
    assert number(found, "rest") == pytest.approx(25.0, abs=0.5)
    assert number(found, "plateau") == pytest.approx(25 + 0.8 * 29.7, abs=0.7)
    assert number(found, "load", "") == pytest.approx(0.985, abs=0.01)
    assert number(found, "power", "") == pytest.approx(29.7, abs=0.3)
    assert number(found, "critical") == 105.0
    assert number(found, "residual") < 0.5
    assert gaps(soak(0.8)) == []


@pytest.mark.parametrize(("resistance", "tau", "seed"), [(0.3, 8.0, 5), (0.9, 25.0, 6), (2.0, 80.0, 7)])
def test_the_rise_is_right_within_its_error(resistance: float, tau: float, seed: int) -> None:
    """Five standard errors; they have few degrees of freedom."""
    found = readings(soak(resistance, tau=tau, seed=seed))
    for subject in ("thermal_zone0", "hwmon2/Package id 0"):
        error = number(found, "rise_per_watt_error", subject)
        assert abs(number(found, "rise_per_watt", subject) - resistance) < max(5 * error, 0.02 * resistance)


def test_each_sensor_by_its_own_name_and_part() -> None:
    found = readings(soak())
    parts = {r.subject: r.component for r in found.all("thermal_test.rise")}
    assert parts == {"thermal_zone0": ComponentKind.MOTHERBOARD, "hwmon2/Package id 0": ComponentKind.CPU}
    assert {r.subject: r.value for r in found.all("thermal_test.type")} == {
        "thermal_zone0": "acpitz",
        "hwmon2/Package id 0": "coretemp",
    }


def test_without_watts_the_load_is_what_heats() -> None:
    found = readings(soak(watts=False))
    assert not found.all("thermal_test.rise_per_watt")
    assert not found.all("thermal_test.power")
    assert number(found, "rise") == pytest.approx(24.0, rel=0.03)
    assert number(found, "plateau") == pytest.approx(54.7, abs=0.7)


def test_a_warmer_room_changes_no_rise() -> None:
    cold, warm = readings(soak(room=18.0)), readings(soak(room=33.0))
    assert number(warm, "rise") == pytest.approx(number(cold, "rise"), rel=0.03)
    assert number(warm, "plateau") - number(cold, "plateau") == pytest.approx(15.0, abs=0.7)


def test_a_blocked_heat_sink_against_the_profile() -> None:
    healthy = readings(soak(1.0))
    assert against(readings(soak(1.05, seed=2)), healthy) == []
    (zone, package) = against(readings(soak(1.3, seed=3)), healthy)
    assert (zone.code, zone.subject, zone.verdict) == ("HEAT-2056", "thermal_zone0", Verdict.UNKNOWN)
    assert package.subject == "hwmon2/Package id 0"
    assert zone.values["percent"] == pytest.approx(30, abs=4)
    assert [r.name.removeprefix("profile.") for r in zone.evidence] == [
        *("thermal_test.rise_per_watt", "thermal_test.rise_per_watt_error") * 2
    ]


def test_watts_are_compared_with_watts_and_load_with_load() -> None:
    (zone, _) = against(readings(soak(1.4, watts=False)), readings(soak(1.0)))
    assert zone.evidence[0].name == "thermal_test.rise"
    assert against(readings(soak(1.0, watts=False)), readings(soak(1.0))) == []


def test_a_zone_that_is_another_sensor_now_is_not_compared() -> None:
    other = [replace(r, value="x86_pkg_temp") if r.value == "acpitz" else r for r in readings(soak(2.0))]
    assert [f.subject for f in against(Readings(other), readings(soak()))] == ["hwmon2/Package id 0"]


def test_a_soak_that_is_not_long_enough_to_be_sure_accuses_nobody() -> None:
    """Minutes of a housing that takes an hour: the plateau is not known yet."""
    found = readings(soak(3.5, tau=3000.0, seconds=150))
    assert list(would_switch_off(found)) == []


def test_a_plateau_at_the_critical_point_is_a_fault_though_it_was_never_reached() -> None:
    found = readings(soak(2.8, tau=200.0))
    assert number(found, "peak") < 95
    (finding,) = would_switch_off(found)
    assert (finding.code, finding.subject, finding.verdict) == ("HEAT-2043", "thermal_zone0", Verdict.FAIL)
    assert finding.values["limit"] == 105
    assert list(would_switch_off(readings(soak(2.2, tau=200.0)))) == []


def test_what_was_seen_before_it_was_stopped_counts() -> None:
    """The runner ends a soak that gets too hot: then there is no word of the exerciser, and half of the samples."""
    (gap,) = gaps([])
    assert (gap.outcome, gap.essential) == (Outcome.UNSUPPORTED, True)
    half = soak(2.0)[:3]
    assert gaps(half) == []
    assert number(readings(half), "peak") > 60
    assert number(readings(half), "rise_per_watt") == pytest.approx(2.0, rel=0.1)


def test_an_exerciser_that_gave_up_is_an_error_with_its_words() -> None:
    (gap,) = gaps([*soak()[:-1], evidence("stress-ng", REFUSED, exit_status=1)])
    assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)
    assert "must be readable" in str(gap.reason)
    missing = Text("{program} is not installed", {"program": "stress-ng"})
    (gap,) = gaps([Evidence("stress-ng", "version", b"", "stress-ng --version", TIME, None, problem=missing)])
    assert (gap.outcome, gap.remedy) == (Outcome.UNSUPPORTED, "sudo apt-get install stress-ng")


def test_a_sensor_that_stands_still_has_a_peak_and_no_model() -> None:
    stuck = [
        replace(e, data=e.data.replace(b"[[", b"[ [")) if e.kind != "thermal-test-json" else _stuck(e) for e in soak()
    ]
    found = readings(stuck)
    assert number(found, "peak") == 41.0
    assert found.get("thermal_test.rise", "thermal_zone0") is None
    assert found.get("thermal_test.rise", "hwmon2/Package id 0") is not None


def _stuck(piece: Evidence) -> Evidence:
    loaded = json.loads(piece.data)
    for look in loaded["looks"]:
        look[5][0] = 41000
    return replace(piece, data=json.dumps(loaded).encode())


def test_a_unit_that_was_busy_all_the_time_proves_nothing() -> None:
    """Nothing changed that heats, so no model can be fitted; the peak is told all the same."""
    busy = [replace(e, data=json.dumps(_busy(json.loads(e.data))).encode()) if "json" in e.kind else e for e in soak()]
    assert {r.name for r in readings(busy)} >= {"thermal_test.peak", "thermal_test.load"}
    assert not readings(busy).all("thermal_test.rise")
    (gap,) = gaps(busy)
    assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)


def _busy(piece: dict[str, Any]) -> dict[str, Any]:
    looks = [[at, heating, ticks, ticks, None, shown] for at, heating, _, ticks, _, shown in piece["looks"]]
    return {**piece, "looks": looks}


def on_the_virtual_aio(blocked: float) -> list[Evidence]:
    """A soak of two minutes as the heat model of the bench has it, its fan at half speed, seen each half second."""
    model, looks, busy = HeatModel(25.0, 25.0 + 6.0 * blocked / 0.55), [], 0
    for look in range(240):
        heating = 24 <= look < 144
        looks.append([look / 2, int(heating), busy, look * 100, None, [round(model.temperature * 1000)] * 2])
        busy += 100 if heating else 0
        for _ in range(10):
            model.step(0.05, float(heating), FULL_RPM / 2, blocked)
    tree, piece = json.dumps(TREE).encode(), json.dumps({"paths": PATHS, "looks": looks}).encode()
    return [evidence("tree", tree), evidence("thermal-test-json", piece)]


def test_a_heat_sink_that_is_so_many_times_harder_to_cool_rises_so_many_times_as_much() -> None:
    healthy, blocked = readings(on_the_virtual_aio(1.0)), readings(on_the_virtual_aio(1.3))
    assert number(healthy, "rise") == pytest.approx(24.0 / 0.55, rel=0.01)
    assert number(blocked, "rise") / number(healthy, "rise") == pytest.approx(1.3, rel=0.01)
    assert [f.values["percent"] for f in against(blocked, healthy)] == [30, 30]


CHIP_FAN = "/sys/class/hwmon/hwmon4/fan{}_input"


def with_fans(
    seen: Sequence[Evidence], *speeds: tuple[int | None, int | None], place: str = CHIP_FAN
) -> list[Evidence]:
    """The same soak of a unit whose fans have one speed at rest and another one from 20 s after the heat comes on."""
    fans = [place.format(n) for n, _ in enumerate(speeds, 1)]
    found = []
    for piece in seen:
        loaded = json.loads(piece.data) if piece.kind in {"tree", "thermal-test-json"} else {}
        if piece.kind == "tree":
            loaded |= {**dict.fromkeys(fans, "900\n"), "/sys/class/hwmon/hwmon4/fan1_label": "CPU Fan\n"}
        for look in loaded.get("looks", ()):
            look[5] += [hot if 50 <= look[0] < 190 else rest for rest, hot in speeds]
        if "paths" in loaded:
            loaded["paths"] += fans
        found.append(replace(piece, data=json.dumps(loaded).encode()) if loaded else piece)
    return found


def test_fans_are_measured_beside_the_temperatures() -> None:
    found = readings(with_fans(soak(2.0), (900, 2100), (600, 610)))
    fans = {(r.subject, r.name.removeprefix("thermal_test.fan.")): r.value for r in found if ".fan." in r.name}
    assert fans == {
        ("hwmon4/CPU Fan", "rest"): 900,
        ("hwmon4/CPU Fan", "hot"): 2100,
        ("hwmon4/CPU Fan", "after"): 900,
        ("hwmon4/fan2", "rest"): 600,
        ("hwmon4/fan2", "hot"): 610,
        ("hwmon4/fan2", "after"): 600,
    }
    assert {r.component for r in found if ".fan." in r.name} == {ComponentKind.FAN}
    assert number(found, "rise_per_watt") == number(readings(soak(2.0)), "rise_per_watt")
    assert [*fans_do_not_follow(found), *fan_stops(found)] == []


@pytest.mark.parametrize(
    ("place", "subject"),
    [
        ("/sys/class/hwmon/hwmon4/device/fan{}_input", "hwmon4/fan1"),
        ("/sys/bus/platform/drivers/acpi-fan/PNP0C0B:00/firmware_node/fan_speed_rpm", "acpi_fan-PNP0C0B:00/fan"),
    ],
)
def test_fans_of_older_drivers_and_of_firmware_are_fans(place: str, subject: str) -> None:
    (finding,) = fan_stops(readings(with_fans(soak(1.0), (900, 0), place=place)))
    assert (finding.code, finding.subject) == ("FAN-2569", subject)


def test_no_fan_that_follows_the_heat() -> None:
    found = readings(with_fans(soak(2.0), (900, 910), (0, 0)))
    (finding,) = fans_do_not_follow(found)
    assert (finding.code, finding.subject, finding.verdict) == ("FAN-2550", "hwmon4/CPU Fan", Verdict.UNKNOWN)
    assert finding.values["temperature"] == number(found, "peak", "hwmon2/Package id 0")
    for language in LANGUAGES:
        assert "CPU Fan" in message(finding, language)


@pytest.mark.parametrize(
    ("resistance", "speeds"),
    [(0.8, [(900, 910)]), (2.0, [(0, 0)]), (2.0, [(900, 910), (0, 1500)]), (2.0, [(None, None)]), (2.0, [(900, None)])],
)
def test_fans_that_need_not_follow_or_tell_nothing(resistance: float, speeds: list[tuple[Any, Any]]) -> None:
    """Not hot enough; none turned; one that stood still follows; they did not answer."""
    assert list(fans_do_not_follow(readings(with_fans(soak(resistance), *speeds)))) == []


def test_a_fan_that_stops_when_it_is_hot() -> None:
    (finding,) = fan_stops(readings(with_fans(soak(1.0), (900, 0), (100, 0))))
    assert (finding.code, finding.subject, finding.verdict) == ("FAN-2569", "hwmon4/CPU Fan", Verdict.UNKNOWN)
    for language in LANGUAGES:
        assert "900" in message(finding, language)


looks = st.lists(
    st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.integers(), max_size=2), max_size=6
)


@settings(max_examples=50)
@given(st.lists(st.fixed_dictionaries({"paths": st.lists(st.text(max_size=3), max_size=2), "looks": st.lists(looks)})))
def test_malformed_pieces_hurt_nobody(pieces: list[dict[str, Any]]) -> None:
    found = joined([*pieces, None, 3, {"looks": 1}], None)
    assert found is None or len(found.times) >= 2


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**9), st.integers(0, 10**15)), min_size=2))
def test_series_have_one_length_and_rise(rows: list[tuple[float, int, int]]) -> None:
    piece = {"paths": ["x"], "looks": [[t, 1, busy, busy * 2, energy, [40000]] for t, busy, energy in rows]}
    found = joined([piece], 10**15)
    if found is not None:
        assert len(found.times) == len(found.load) == len(found.watts) == len(found.celsius["x"])
        assert found.times == sorted(set(found.times))
        assert all(v is None or 0 <= v <= 1 for v in found.load)


@pytest.mark.parametrize("seconds", [60, 180, 1800, 3600, 86400])
def test_there_are_enough_looks_and_not_too_many(seconds: float) -> None:
    assert 180 <= seconds / interval(seconds) <= 3600


def test_a_unit_without_any_temperature_is_not_kept_busy(tmp_path: Path) -> None:
    items = list(TEST.exercise(Host(str(tmp_path)), Bout(600, 1, tmp_path)))
    assert [i.kind for i in items if isinstance(i, Evidence)] == ["stress-ng", "tree"]
