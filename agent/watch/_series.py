"""How all sensors went while a test ran, second by second: what a plot is drawn from.

The evidence ``sensor-series-json`` is an object: ``seconds``, how long it was looked; ``columns``, of which each has
``sensor`` (``thermal_zone0``, ``hwmon3/temp1``, ``load``, ``time``), ``name`` (the zone's or chip's), ``unit``, by
``scale`` of which its numbers are to be multiplied, and ``deltas``: the first number, then by how much each differs
from the last one there was, or ``null`` where the sensor did not answer. The column ``time`` says when each look was.
Never more than :data:`LOOKS_MOST` looks are kept, however long it takes: then every second one is dropped, and looks
are taken half as often from there on.

Units: Linux Documentation/hwmon/sysfs-interface.rst and driver-api/thermal/sysfs-api.rst; proc_loadavg(5).
"""

from __future__ import annotations

import glob
import json
import re
import threading
import time
from dataclasses import dataclass

from agent.host import Host
from agent.model import Evidence
from agent.watch._look import number, word

KIND = "sensor-series-json"
INTERVAL_S = 1.0
LOOKS_MOST = 600
"""Ten minutes at first; 40 sensors take less than 100 kB then. Ours."""

_UNITS = {"temp": ("°C", 0.001), "fan": ("rpm", 1.0), "in": ("V", 0.001)}
_INPUT = re.compile(r"(?P<chip>hwmon\d{1,4})/(?P<channel>(?P<kind>temp|fan|in)\d{1,3})_input", re.ASCII)
_LOAD = "load"


@dataclass(frozen=True, slots=True)
class _Column:
    sensor: str
    name: str
    unit: str
    scale: float
    path: str

    def look(self) -> int | None:
        return _hundredths(word(self.path)) if self.sensor == _LOAD else number(self.path)


class Series(threading.Thread):
    """Looks at the sensors until it is ended, in a thread: a sensor that asks a drive or the firmware may not answer,
    and what was seen so far must not be lost with it.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(name="series", daemon=True)
        sensors = [*_zones(host), *_chips(host)]
        self.has_sensors = bool(sensors)
        self._columns = [*sensors, _Column(_LOAD, "", "1", 0.01, host.root + "/proc/loadavg")]
        self._over = threading.Event()
        self._rows: list[list[int | None]] = []
        self._interval_s = INTERVAL_S

    def run(self) -> None:
        """Look again and again."""
        begun = time.monotonic()
        while True:
            passed = round(10 * (time.monotonic() - begun))
            self._rows.append([passed, *(column.look() for column in self._columns)])
            if len(self._rows) >= LOOKS_MOST:
                self._rows = self._rows[::2]
                self._interval_s *= 2
            due = begun + self._interval_s * (passed / 10 // self._interval_s + 1)
            if self._over.wait(max(0.0, due - time.monotonic())):
                return

    def ended(self, started: str, seconds: float) -> Evidence:
        """What was seen until now."""
        self._over.set()
        looks = list(self._rows)
        columns = [_Column("time", "", "s", 0.1, ""), *self._columns]
        told = [
            {"sensor": c.sensor, "name": c.name, "unit": c.unit, "scale": c.scale, "deltas": _deltas(values)}
            for c, values in zip(columns, zip(*looks, strict=True), strict=False)  # of no look there is nothing
        ]
        data = json.dumps({"seconds": seconds, "columns": told}, ensure_ascii=False, separators=(",", ":")).encode()
        return Evidence(KIND, "", data, "/sys/class/thermal /sys/class/hwmon /proc/loadavg", started, None, seconds)


def _zones(host: Host) -> list[_Column]:
    return [
        _Column(path.split("/")[-2], word(path.removesuffix("temp") + "type"), *_UNITS["temp"], path)
        for path in _glob(host, "/sys/class/thermal/thermal_zone*/temp")
    ]


def _chips(host: Host) -> list[_Column]:
    found = []
    for path in _glob(host, "/sys/class/hwmon/hwmon*/*_input"):
        match = _INPUT.fullmatch("/".join(path.split("/")[-2:]))
        if match:
            name = word(f"{path.rpartition('/')[0]}/name")
            label = word(path.removesuffix("_input") + "_label")
            sensor = f"{match['chip']}/{match['channel']}"
            found.append(_Column(sensor, f"{name} {label}".strip(), *_UNITS[match["kind"]], path))
    return found


def _glob(host: Host, pattern: str) -> list[str]:
    return sorted(glob.glob(glob.escape(host.root) + pattern))


def _hundredths(load: str) -> int | None:
    match = re.match(r"(\d{1,6})\.(\d\d)(?= )", load, re.ASCII)
    return int(match[1] + match[2]) if match else None


def _deltas(values: tuple[int | None, ...]) -> list[int | None]:
    last = 0
    found: list[int | None] = []
    for value in values:
        found.append(None if value is None else value - last)
        last = last if value is None else value
    return found
