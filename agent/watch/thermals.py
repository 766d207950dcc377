"""How warm the unit gets while it works: a look at an idle unit says little of its cooling.

Reads the temperature of every thermal zone again and again (``/sys/class/thermal/thermal_zone*/temp``, m°C) and once
its type and trip points. Readings of each zone that could be read: ``thermals_watch.type``, ``thermals_watch.start``,
``thermals_watch.peak``, ``thermals_watch.spread`` (highest less lowest) and, where the zone has a critical trip point,
``thermals_watch.headroom`` (from the peak to it), all in °C; ``thermals_watch.samples`` (count) and
``thermals_watch.seconds`` (s). Beside it all sensors are kept second by second for a plot (:mod:`agent.watch._series`).
Source of names and units: Linux Documentation/driver-api/thermal/sysfs-api.rst.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Reading, Tree, Value
from agent.watch._look import number
from agent.watch._lookout import Lookout
from agent.watch._series import Series
from agent.watch._watcher import Observed, Watcher

INTERVAL_S = 0.25
"""Seconds between two looks; ours. Firmware answers within milliseconds, and heat moves within seconds."""
PLAUSIBLE_C = (-40.0, 150.0)
"""Exclusive; as the probe of the thermals has it: below is no room, above no silicon."""
CRITICAL_C = (40.0, 150.0)
"""What can be a critical trip point; firmware that has none gives 0, -274 or 255."""

_ZONES = "/sys/class/thermal/thermal_zone*"
_KIND = "thermals-watch-json"
_ZONE = re.compile(r"thermal_zone\d{1,3}")


@dataclass(slots=True)
class _Seen:
    """What one zone showed, in m°C."""

    start: int
    low: int
    high: int
    samples: int = 1

    def add(self, value: int) -> None:
        self.low, self.high, self.samples = min(self.low, value), max(self.high, value), self.samples + 1


class ThermalsWatcher(Watcher):
    """See the module."""

    name = "thermals"

    def watch(self, host: Host, lookout: Lookout) -> Iterator[Evidence | Gap]:
        """The zones' trip points, one piece of evidence about the whole time, and how all sensors went in it."""
        zones = {path.split("/")[-1]: f"{host.root}{path}/temp" for path in host.glob(_ZONES)}
        series = Series(host)
        if not zones and not series.has_sensors:
            return
        if zones:
            yield host.tree(f"{_ZONES}/type", f"{_ZONES}/trip_point_*", subject="zones")
        started = now()
        series.start()
        seen = {zone: _Seen(value, value, value) for zone, value in _look(zones).items()}
        lookout.begin()
        while lookout.goes_on():
            lookout.pause(INTERVAL_S)
            for zone, value in _look(zones).items():
                if zone in seen:
                    seen[zone].add(value)
                else:
                    seen[zone] = _Seen(value, value, value)
        passed = round(lookout.passed, 2)
        if zones:
            told = {z: {"start": s.start, "low": s.low, "high": s.high, "samples": s.samples} for z, s in seen.items()}
            data = json.dumps({"seconds": passed, "zones": told}).encode()
            yield Evidence(_KIND, "", data, f"{_ZONES}/temp", started, duration_s=passed)
        yield series.ended(started, passed)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Observed]:
        """Readings per zone; one that shows what cannot be is passed over, the probe tells that."""
        tree = Tree.merged(evidence)
        for piece in evidence:
            loaded = piece.json() if piece.kind == _KIND else None
            if not isinstance(loaded, dict) or not isinstance(loaded.get("zones"), dict):
                continue
            for zone, values in loaded["zones"].items():
                if _ZONE.fullmatch(zone) and isinstance(values, dict):
                    yield from _readings(zone, values, loaded.get("seconds"), tree, piece)


WATCHER = ThermalsWatcher()


def _look(zones: Mapping[str, str]) -> dict[str, int]:
    """The zones' temperatures in m°C, of those that answer with a number."""
    found = {zone: number(path) for zone, path in zones.items()}
    return {zone: value for zone, value in found.items() if value is not None}


def _readings(zone: str, values: Mapping[str, Any], seconds: Any, tree: Tree, piece: Evidence) -> Iterator[Reading]:
    start, low, high = (_celsius(values.get(key)) for key in ("start", "low", "high"))
    samples = values.get("samples")
    if start is None or low is None or high is None or not low <= start <= high:
        return

    def reading(quantity: str, value: Value, unit: str = "°C") -> Reading:
        return Reading(
            f"thermals_watch.{quantity}", value, unit, ComponentKind.MOTHERBOARD, zone, piece.source, piece.time
        )

    kind = (tree.text(f"/sys/class/thermal/{zone}/type") or "")[:64]
    if kind:
        yield reading("type", kind, "")
    yield reading("start", start)
    yield reading("peak", high)
    yield reading("spread", round(high - low, 3))
    critical = _critical(tree, zone)
    if critical is not None:
        yield reading("headroom", round(critical - high, 3))
    if isinstance(samples, int) and 0 <= samples < 1 << 53:
        yield reading("samples", samples, "count")
    if isinstance(seconds, int | float) and 0 <= seconds < 1e9:
        yield reading("seconds", seconds, "s")


def _critical(tree: Tree, zone: str) -> float | None:
    """The lowest critical trip point, °C."""
    trips = tree.paths(f"/sys/class/thermal/{zone}/trip_point_*_type")
    limits = [tree.integer(t.removesuffix("type") + "temp") for t in trips if tree.text(t) == "critical"]
    found = [limit / 1000 for limit in limits if limit is not None and abs(limit) < 1 << 53]
    return min((limit for limit in found if CRITICAL_C[0] <= limit < CRITICAL_C[1]), default=None)


def _celsius(value: Any) -> float | None:
    """m°C as °C; ``None`` for what no sensor of a PC can show."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 53:
        return None
    return value / 1000 if PLAUSIBLE_C[0] < value / 1000 < PLAUSIBLE_C[1] else None
