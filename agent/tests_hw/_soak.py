"""What was seen during a soak, as series. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from agent.tests_hw._first_order import Sample

Look = list[Any]
"""One look: seconds since the test began; whether the exerciser ran (0 or 1); ticks that the processors were busy, and
all ticks, since the start; the energy counter (µJ), ``None`` where it is not told; the sensors (m°C, those of fans
turns a minute, or ``None``).
"""
FAN = re.compile(r"/fan(?:\d{1,3}_input|_speed_rpm)$", re.ASCII)
"""What the path of a fan's speed ends with (Documentation/hwmon/sysfs-interface.rst, admin-guide/acpi/
fan_performance_states.rst).
"""
MOST_W = 2000.0
"""More than any processor of an all-in-one takes: a counter that was set back, or read in the wrong unit; ours."""
_HUGE = 1 << 62


@dataclass(frozen=True, slots=True)
class Soak:
    """The series of a soak, all of one length (2 or more). ``times`` in s, rising; ``load`` (0 to 1) and ``watts`` from
    each time until the next one, the last repeated, ``None`` where not told; by its path ``celsius`` of each sensor and
    ``rpm`` of each fan.
    """

    times: list[float]
    heating: list[bool]
    load: list[float | None]
    watts: list[float | None]
    celsius: Mapping[str, list[float | None]]
    rpm: Mapping[str, list[int | None]]

    def mean(self, series: Sequence[float | None], where: Callable[[Soak, int], bool]) -> float | None:
        """The mean over the samples for which ``where`` says so; ``None`` where there is none."""
        values = [v for i, v in enumerate(series) if v is not None and where(self, i)]
        return math.fsum(values) / len(values) if values else None

    def second_half(self) -> Callable[[Soak, int], bool]:
        """Tells the samples of the second half of the heating."""
        heated = [i for i, heating in enumerate(self.heating) if heating]
        later = set(heated[len(heated) // 2 :])
        return lambda _, i: i in later

    def samples(self, path: str, drive: Sequence[float | None], plausible: tuple[float, float]) -> list[Sample]:
        """The samples of one sensor for the model; what is not told or cannot be is left out."""
        low, high = plausible
        series = zip(self.times, drive, self.celsius[path], strict=True)
        return [Sample(t, u, c) for t, u, c in series if u is not None and c is not None and low < c < high]


def is_heating(soak: Soak, index: int) -> bool:
    """Whether the exerciser ran."""
    return soak.heating[index]


def joined(pieces: Iterable[Any], energy_range: int | None) -> Soak | None:
    """The soak in the decoded pieces of evidence, in their order; ``None`` where there are no two looks. Looks that are
    malformed or not later than the one before are left out, and so are pieces with other sensors than the first.
    ``energy_range`` is where the energy counter starts again from zero (µJ).
    """
    paths: list[str] | None = None
    looks: list[Look] = []
    for piece in pieces:
        found = piece.get("paths") if isinstance(piece, Mapping) else None
        if not isinstance(found, list) or not found or not all(isinstance(path, str) for path in found):
            continue
        paths = paths or found
        if found == paths and isinstance(piece.get("looks"), list):
            for look in piece["looks"]:
                if _is_look(look, len(paths)) and (not looks or look[0] > looks[-1][0]):
                    looks.append(look)
    if paths is None or len(looks) < 2:
        return None
    load = [_load(a, b) for a, b in pairwise(looks)]
    watts = [_watts(a, b, energy_range) for a, b in pairwise(looks)]
    return Soak(
        times=[float(look[0]) for look in looks],
        heating=[bool(look[1]) for look in looks],
        load=[*load, load[-1]],
        watts=[*watts, watts[-1]],
        celsius={
            path: [None if look[5][i] is None else look[5][i] / 1000 for look in looks]
            for i, path in enumerate(paths)
            if not FAN.search(path)
        },
        rpm={path: [look[5][i] for look in looks] for i, path in enumerate(paths) if FAN.search(path)},
    )


def _is_look(look: Any, sensors: int) -> bool:
    if not isinstance(look, list) or len(look) != 6 or not isinstance(look[5], list) or len(look[5]) != sensors:
        return False
    at, heating, *rest = look[:5]
    numbers = [heating, *rest[:2], *(v for v in (rest[2], *look[5]) if v is not None)]
    return isinstance(at, int | float) and 0 <= at < 1e9 and all(isinstance(v, int) and abs(v) < _HUGE for v in numbers)


def _load(earlier: Look, later: Look) -> float | None:
    busy, ticks = later[2] - earlier[2], later[3] - earlier[3]
    return min(busy / ticks, 1.0) if ticks > 0 and busy >= 0 else None


def _watts(earlier: Look, later: Look, energy_range: int | None) -> float | None:
    if earlier[4] is None or later[4] is None:
        return None
    energy = later[4] - earlier[4]
    if energy < 0:
        energy += energy_range if energy_range and energy_range > 0 else 0
    watts = energy / 1e6 / (later[0] - earlier[0])
    return watts if 0 < watts < MOST_W else None
