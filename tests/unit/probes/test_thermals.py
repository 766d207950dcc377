"""The thermals probe, from a copy of sysfs to readings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading, Readings
from agent.probes.thermals import PROBE
from agent.rules.thermals import answer_to_heat

TIME = "2026-01-01T00:00:00Z"
ZONE = "/sys/class/thermal/thermal_zone0"
FAN = "/sys/class/thermal/cooling_device0"


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")


def look(root: Path) -> tuple[Readings, list[Gap]]:
    evidence: list[Evidence] = []
    gaps: list[Gap] = []
    for item in PROBE.gather(Host(str(root))):
        (gaps if isinstance(item, Gap) else evidence).append(item)
    seen = list(PROBE.interpret(evidence))
    gaps += [item for item in seen if isinstance(item, Gap)]
    return Readings(item for item in seen if isinstance(item, Reading)), gaps


def values(readings: Readings, subject: str) -> dict[str, object]:
    return {r.name.removeprefix("thermals."): r.value for r in readings if r.subject == subject}


def write_hot(root: Path, fan_state: int) -> None:
    """A zone that is past the point at which its fan is driven up, and that fan."""
    zone = {"type": "acpitz", "temp": "72000", "trip_point_0_type": "active", "trip_point_0_temp": "65000"}
    write(root, {f"{ZONE}/{name}": text for name, text in zone.items()})
    write(root, {f"{FAN}/type": "Fan", f"{FAN}/cur_state": str(fan_state), f"{FAN}/max_state": "3"})


@pytest.mark.parametrize("follows", [True, False])
def test_a_fan_that_is_still_to_be_driven_up_is_given_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, follows: bool
) -> None:
    write_hot(tmp_path, fan_state=0)
    waited: list[float] = []

    def pass_time(seconds: float) -> None:
        waited.append(seconds)
        write(tmp_path, {f"{ZONE}/temp": "71000", f"{FAN}/cur_state": "3" if follows else "0"})

    monkeypatch.setattr("agent.probes.thermals.time.sleep", pass_time)
    readings, gaps = look(tmp_path)
    assert (gaps, len(waited)) == ([], 1)
    assert values(readings, "thermal_zone0")["temperature"] == 71.0
    assert values(readings, "cooling_device0")["cooling.state"] == (3 if follows else 0)
    assert len(list(answer_to_heat(readings))) == (0 if follows else 1)


def test_a_fan_that_turns_faster_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hot(tmp_path, fan_state=1)
    monkeypatch.setattr("agent.probes.thermals.time.sleep", lambda _: pytest.fail("waited"))
    assert look(tmp_path)[1] == []


def test_a_zone_with_its_trip_points(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"{ZONE}/type": "acpitz",
            f"{ZONE}/temp": "45500",
            f"{ZONE}/trip_point_0_type": "critical",
            f"{ZONE}/trip_point_0_temp": "105000",
            f"{ZONE}/trip_point_1_type": "hot",
            f"{ZONE}/trip_point_1_temp": "99000",
            f"{ZONE}/trip_point_2_type": "active",
            f"{ZONE}/trip_point_2_temp": "71000",
            f"{ZONE}/trip_point_3_type": "active",
            f"{ZONE}/trip_point_3_temp": "55000",
            f"{ZONE}/trip_point_4_type": "passive",
            f"{ZONE}/trip_point_4_temp": "-274000",
        },
    )
    readings, gaps = look(tmp_path)
    assert gaps == []
    assert values(readings, "thermal_zone0") == {
        "type": "acpitz",
        "temperature": 45.5,
        "trip.critical": 105.0,
        "trip.hot": 99.0,
        "trip.active": 55.0,
        "headroom": 53.5,
    }
    temperature = readings.get("thermals.temperature", "thermal_zone0")
    assert temperature is not None
    assert temperature.unit == "°C"


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        ("acpitz", "27800", {"temperature": 27.8, "placeholder": True}),
        ("x86_pkg_temp", "27800", {"temperature": 27.8}),
        ("acpitz", "0", {"placeholder": True}),
        ("x86_pkg_temp", "0", {"temperature": 0.0}),
        ("acpitz", "-273200", {"implausible": -273.2}),
        ("acpitz", "-40000", {"implausible": -40.0}),
        ("acpitz", "150000", {"implausible": 150.0}),
        ("acpitz", "149999", {"temperature": 149.999}),
        ("acpitz", "garbage", {}),
        ("acpitz", "9" * 30, {}),
    ],
)
def test_values_that_cannot_be(tmp_path: Path, kind: str, raw: str, expected: dict[str, object]) -> None:
    write(tmp_path, {f"{ZONE}/type": kind, f"{ZONE}/temp": raw})
    readings, gaps = look(tmp_path)
    assert values(readings, "thermal_zone0") == {"type": kind} | expected
    assert [g.outcome for g in gaps] == ([] if "temperature" in expected else [Outcome.UNSUPPORTED])


def test_nothing_at_all_is_unsupported(tmp_path: Path) -> None:
    readings, gaps = look(tmp_path)
    assert list(readings) == []
    assert [(g.outcome, g.essential) for g in gaps] == [(Outcome.UNSUPPORTED, True)]


def test_processor_sensors_and_no_others(tmp_path: Path) -> None:
    intel, amd, board = (f"/sys/class/hwmon/hwmon{n}" for n in range(3))
    write(
        tmp_path,
        {
            f"{intel}/name": "coretemp",
            f"{intel}/temp1_label": "Package id 0",
            f"{intel}/temp1_input": "61000",
            f"{intel}/temp1_crit": "100000",
            f"{amd}/name": "k10temp",
            f"{amd}/temp1_label": "Tctl",
            f"{amd}/temp1_input": "80000",
            f"{amd}/temp2_label": "Tdie",
            f"{amd}/temp2_input": "60000",
            f"{board}/name": "nct6798",
            f"{board}/temp1_input": "35000",
        },
    )
    readings, _ = look(tmp_path)
    assert {r.subject: r.value for r in readings.all("thermals.temperature")} == {
        "hwmon0/Package id 0": 61.0,
        "hwmon1/Tdie": 60.0,
    }
    assert {r.subject: r.value for r in readings.all("thermals.headroom")} == {"hwmon0/Package id 0": 39.0}


def test_processors_as_a_whole(tmp_path: Path) -> None:
    cpu = "/sys/devices/system/cpu"
    files = {f"{cpu}/online": "0-2,5", "/proc/uptime": "7200.50 100.00", "/proc/loadavg": "1.00 0.5 0.2 1/100 7"}
    for number, count in ((0, "3"), (5, "12")):
        files |= {
            f"{cpu}/cpu{number}/thermal_throttle/core_throttle_count": count,
            f"{cpu}/cpu{number}/thermal_throttle/core_throttle_total_time_ms": "1500",
            f"{cpu}/cpu{number}/cpufreq/scaling_cur_freq": f"{800 + number}000",
            f"{cpu}/cpu{number}/cpufreq/cpuinfo_max_freq": "4200000",
        }
    write(tmp_path, files)
    assert values(look(tmp_path)[0], "") == {
        "throttle.core_count": 12,
        "throttle.core_time": 1.5,
        "frequency": 805_000_000.0,
        "frequency_max": 4_200_000_000.0,
        "uptime": 7200.5,
        "load": 0.25,
    }


def test_cooling_devices(tmp_path: Path) -> None:
    fan = "/sys/class/thermal/cooling_device0"
    write(tmp_path, {f"{fan}/type": "Fan", f"{fan}/cur_state": "2", f"{fan}/max_state": "5"})
    readings, _ = look(tmp_path)
    assert values(readings, "cooling_device0") == {"cooling.type": "Fan", "cooling.state": 2, "cooling.max_state": 5}


def test_a_zone_that_is_switched_off_is_a_gap() -> None:
    tree = json.dumps({f"{ZONE}/type": "iwlwifi_1", f"{ZONE}/temp": {"error": "ENODATA"}}).encode()
    gaps = [g for g in PROBE.interpret([Evidence("tree", "", tree, "", TIME)]) if isinstance(g, Gap)]
    assert [(g.subject, g.essential) for g in gaps] == [("thermal_zone0", False), ("", True)]
    assert "ENODATA" in str(gaps[0].reason)


def test_captured_tree(shared: Path) -> None:
    """The fixture of prometheus/procfs: two zones, two throttled processors."""
    root = shared / "corpora/sensors/procfs-sysfs/fixtures"
    readings, _ = look(root)
    zones = {r.subject: r.value for r in readings.all("thermals.temperature") if r.subject.startswith("thermal_zone")}
    assert zones == {"thermal_zone0": 49.925}
    assert values(readings, "thermal_zone1")["implausible"] == -44.0
    counts = [int(p.read_text()) for p in root.glob("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count")]
    throttled = readings.get("thermals.throttle.core_count")
    assert throttled is not None
    assert throttled.value == max(counts)


CONTENT = st.one_of(
    st.sampled_from(["45000", "critical", "hot", "acpitz", "coretemp", "Tdie", "-1", "9" * 5000, "1e999", "nan", ""]),
    st.text("ab09-+. ,\n\0é\ud800", max_size=12),
    st.integers(),
    st.none(),
    st.fixed_dictionaries({"error": st.sampled_from(["EIO", ""])}),
)
PATHS = st.sampled_from(
    [
        *(f"{ZONE}/{file}" for file in ("type", "temp", "trip_point_0_type", "trip_point_0_temp")),
        *(f"/sys/class/hwmon/hwmon0/{file}" for file in ("name", "temp1_input", "temp1_label", "temp1_crit")),
        *(f"/sys/class/thermal/cooling_device0/{file}" for file in ("type", "cur_state", "max_state")),
        "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_total_time_ms",
        "/sys/devices/system/cpu/online",
        "/proc/uptime",
        "/proc/loadavg",
    ]
)
SENSORS = st.dictionaries(
    st.sampled_from(["coretemp-isa-0000", "k10temp-pci-00c3", "x"]),
    st.dictionaries(
        st.sampled_from(["Adapter", "Tctl", "Tdie"]),
        st.dictionaries(
            st.sampled_from(["temp1_input", "temp1_crit"]),
            st.floats() | st.integers() | st.booleans() | st.text("a1", max_size=2),
        )
        | st.none(),
    )
    | st.integers(),
)


@given(
    st.one_of(st.dictionaries(PATHS, CONTENT), SENSORS).map(lambda data: json.dumps(data).encode())
    | st.binary(max_size=100),
    st.sampled_from(["tree", "sensors-json", "other"]),
)
def test_any_evidence_is_interpreted(data: bytes, kind: str) -> None:
    for item in PROBE.interpret([Evidence(kind, "x", data, "test", TIME)]):
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
