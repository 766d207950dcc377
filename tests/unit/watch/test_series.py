"""How all sensors went, over trees of files as the kernel makes them."""

from __future__ import annotations

import json
import os
import threading
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from agent.host import Host
from agent.model import Evidence
from agent.watch import _series, for_seconds
from agent.watch._series import KIND
from agent.watch.thermals import WATCHER


def put(root: Path, path: str, text: str) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name("fresh")
    fresh.write_text(f"{text}\n")
    fresh.rename(file)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    put(tmp_path, "/sys/class/thermal/thermal_zone0/temp", "40000")
    put(tmp_path, "/sys/class/thermal/thermal_zone0/type", "acpitz")
    put(tmp_path, "/sys/class/hwmon/hwmon1/name", "nct6775")
    put(tmp_path, "/sys/class/hwmon/hwmon1/in0_input", "1208")
    put(tmp_path, "/sys/class/hwmon/hwmon1/fan2_input", "1450")
    put(tmp_path, "/sys/class/hwmon/hwmon1/fan2_label", "CPU fan")
    put(tmp_path, "/sys/class/hwmon/hwmon1/pwm1", "120")
    put(tmp_path, "/proc/loadavg", "2.05 1.00 0.50 3/200 4711")
    return tmp_path


def series(root: Path, seconds: float) -> dict[str, Any]:
    (piece,) = [
        e for e in WATCHER.watch(Host(str(root)), for_seconds(seconds)) if isinstance(e, Evidence) and e.kind == KIND
    ]
    loaded = json.loads(piece.data)
    return {column["sensor"]: column for column in loaded["columns"]}


def numbers(column: dict[str, Any]) -> list[int]:
    return list(accumulate(column["deltas"]))


def test_every_sensor_has_its_column_with_name_and_unit(unit: Path) -> None:
    columns = series(unit, 0.1)
    assert {name: (c["name"], c["unit"], c["scale"], c["deltas"][0]) for name, c in columns.items()} == {
        "time": ("", "s", 0.1, 0),
        "thermal_zone0": ("acpitz", "°C", 0.001, 40000),
        "hwmon1/fan2": ("nct6775 CPU fan", "rpm", 1.0, 1450),
        "hwmon1/in0": ("nct6775", "V", 0.001, 1208),
        "load": ("", "1", 0.01, 205),
    }


def test_it_goes_on_and_what_does_not_answer_is_left_open(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_series, "INTERVAL_S", 0.2)

    def change() -> None:
        time.sleep(0.5)
        put(unit, "/sys/class/thermal/thermal_zone0/temp", "55000")
        (unit / "sys/class/hwmon/hwmon1/in0_input").unlink()

    thread = threading.Thread(target=change)
    thread.start()
    columns = series(unit, 2.0)
    thread.join()
    went = numbers(columns["thermal_zone0"])
    assert (went[0], went[-1]) == (40000, 55000)
    assert columns["hwmon1/in0"]["deltas"][0] == 1208
    assert columns["hwmon1/in0"]["deltas"][-1] is None
    times = numbers(columns["time"])
    assert times == sorted(times)
    assert len({len(c["deltas"]) for c in columns.values()}) == 1


def test_however_long_it_takes_it_stays_small(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_series, "INTERVAL_S", 0.1)
    monkeypatch.setattr(_series, "LOOKS_MOST", 6)
    columns = series(unit, 3.0)
    times = numbers(columns["time"])
    assert len(times) < 6
    assert times[0] == 0
    assert times[-1] >= 10


def test_a_sensor_that_hangs_takes_nothing_else_along(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To open it waits, as reading the sensor of a drive does that does not answer."""
    real, hung = os.open, threading.Event()

    def opens(path: str, flags: int, *more: int) -> int:
        if str(path).endswith("in0_input"):
            hung.wait(20)
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", opens)
    begun = time.monotonic()
    gathered = [e for e in WATCHER.watch(Host(str(unit)), for_seconds(0.5)) if isinstance(e, Evidence)]
    assert time.monotonic() - begun < 15
    hung.set()
    assert [e.kind for e in gathered] == ["tree", "thermals-watch-json", KIND]
    assert json.loads(gathered[-1].data)["columns"] == []


def test_without_sensors_there_is_none(tmp_path: Path) -> None:
    put(tmp_path, "/proc/loadavg", "2.05 1.00 0.50 3/200 4711")
    assert list(WATCHER.watch(Host(str(tmp_path)), for_seconds(0.1))) == []
