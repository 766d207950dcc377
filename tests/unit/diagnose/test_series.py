"""The watchers' series as curves: what the real watcher wrote, and whatever else stands in its place."""

from __future__ import annotations

import json
import math
import threading
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.diagnose.series import curves, curves_of_run
from agent.host import Host
from agent.journal import Journal
from agent.model import Evidence, Outcome, ocp
from agent.watch import for_seconds
from agent.watch._series import KIND
from agent.watch.thermals import WATCHER
from tests import runs
from tests.unit.watch.test_series import put

TIME = "2026-01-01T00:00:{:02}.000Z"


def series(deltas: list[int | None], second: int = 0, times: list[int] | None = None) -> Evidence:
    columns = [
        {"sensor": "time", "name": "", "unit": "s", "scale": 0.1, "deltas": times or [0, *[10] * (len(deltas) - 1)]},
        {"sensor": "thermal_zone0", "name": "acpitz", "unit": "°C", "scale": 0.001, "deltas": deltas},
    ]
    data = json.dumps({"seconds": 3.0, "columns": columns}).encode()
    return Evidence(KIND, "", data, "/sys", TIME.format(second))


def test_the_rounds_are_joined_in_their_order() -> None:
    (curve,) = curves([series([50000, 1000], 10), series([40000, None, 500], 0)])
    assert (curve.sensor, curve.name, curve.unit) == ("thermal_zone0", "acpitz", "°C")
    begin = curve.points[0][0]
    assert [(round(at - begin, 3), round(value, 3)) for at, value in curve.points] == [
        (0.0, 40.0), (2.0, 40.5), (10.0, 50.0), (11.0, 51.0),
    ]  # fmt: skip


def test_what_the_watcher_wrote_in_a_run_comes_back(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root, "/sys/class/thermal/thermal_zone0/temp", "40000")
    put(root, "/sys/class/thermal/thermal_zone0/type", "acpitz")
    put(root, "/proc/loadavg", "2.05 1.00 0.50 3/200 4711")

    def warms() -> None:
        time.sleep(0.5)
        put(root, "/sys/class/thermal/thermal_zone0/temp", "55000")

    thread = threading.Thread(target=warms)
    thread.start()
    pieces = [piece for piece in WATCHER.watch(Host(str(root)), for_seconds(2.3)) if isinstance(piece, Evidence)]
    thread.join()
    with Journal.create(tmp_path / "run") as journal:
        journal.append(runs.run_start(), ocp.step_start("1.1.watch.thermals", "1.1.watch.thermals"))
        for piece in pieces:
            journal.attach("1.1.watch.thermals", piece)
        journal.append(*ocp.step_end("1.1.watch.thermals", Outcome.PASS, None, 1.0, 2.3))
        journal.settle()
    found = {curve.sensor: curve for curve in curves_of_run(tmp_path / "run")}
    values = [value for _, value in found["thermal_zone0"].points]
    assert (values[0], values[-1]) == (40.0, 55.0)
    assert all(value == 2.05 for _, value in found["load"].points)


COLUMNS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "sensor": st.sampled_from(["time", "thermal_zone0", "x"]) | st.none() | st.integers(),
            "name": st.text(max_size=5),
            "unit": st.sampled_from(["°C", "V"]),
            "scale": st.floats() | st.integers() | st.none(),
            "deltas": st.none() | st.lists(st.none() | st.booleans() | st.integers() | st.floats(), max_size=5),
        },
    )
    | st.none()
)


@given(st.none() | COLUMNS | st.text(), st.sampled_from([TIME.format(1), "", "yesterday"]))
def test_whatever_it_says_the_points_are_numbers(columns: object, begun: str) -> None:
    data = json.dumps({"columns": columns}).encode()
    for curve in curves([Evidence(KIND, "", data, "", begun), Evidence(KIND, "", b"[", "", begun), series([1])]):
        assert all(math.isfinite(at) and math.isfinite(value) for at, value in curve.points)
