"""The abort temperature: no test may drive a unit into its emergency shutdown."""

from __future__ import annotations

import glob

from agent.model import Text
from agent.watch._look import number, word

MARGIN_C = 5.0
"""°C below the critical trip point, where the kernel switches the unit off at once; ours."""
LIMIT_C = 100.0
"""°C for a zone without a critical trip point; the highest junction temperature that Intel and AMD state for most
desktop and mobile processors (TjMax 100 to 105 °C, TjMax 95 °C).
"""
ABSURD_C = 150.0
"""°C above which it is the sensor that is broken: no processor works there; ours."""
LEAST_C = -40.0
"""°C up to which it is no temperature of a room either: firmware without a sensor gives -274; ours."""


def too_hot(root: str = "") -> Text | None:
    """Why exercising must stop now, or ``None``. Reads the thermal zones (millidegrees Celsius, kernel
    Documentation/driver-api/thermal/sysfs-api.rst); a zone that cannot be read says nothing.
    """
    for zone in _zones(root):
        temperature = _celsius(f"{zone}/temp")
        if temperature is not None and _limit(zone) <= temperature < ABSURD_C:
            return Text("stopped at {temperature} °C, too close to the limit", {"temperature": round(temperature, 1)})
    return None


def hottest(root: str = "") -> float | None:
    """The highest temperature of any thermal zone, °C; ``None`` where none shows any that can be."""
    shown = [celsius for zone in _zones(root) if (celsius := _celsius(f"{zone}/temp")) is not None]
    return max((celsius for celsius in shown if LEAST_C < celsius < ABSURD_C), default=None)


def _zones(root: str) -> list[str]:
    return glob.glob(f"{glob.escape(root)}/sys/class/thermal/thermal_zone*")


def _limit(zone: str) -> float:
    critical = [
        celsius - MARGIN_C
        for kind in glob.glob(f"{glob.escape(zone)}/trip_point_*_type")
        if word(kind) == "critical"
        and (celsius := _celsius(kind.removesuffix("type") + "temp"))
        and 0 < celsius < ABSURD_C
    ]
    return min([LIMIT_C, *critical])


def _celsius(path: str) -> float | None:
    value = number(path)
    return None if value is None else value / 1000
