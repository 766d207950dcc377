"""Under which conditions the customer's unit was when it was checked, or went down in the check. Pure.

The search prefers exercises that reach them; how long the unit had been on is for whoever reproduces it: no exercise
changes that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.model import Heartbeat, Readings
from agent.replay.recipe import COOLER_C, LESS_LOAD
from agent.replay.round import Conditions

WARM = ("thermals.temperature", "thermals_watch.peak", "thermal_test.peak")
ZONE = "thermal_zone"
"""Of what subjects these are: the highest of a zone is what is measured in a round too."""
PLAUSIBLE_C = (-40.0, 150.0)
"""Exclusive; as the probe of the thermals has it."""


@dataclass(frozen=True, slots=True)
class Reported:
    """``peak_c`` is the highest temperature of a thermal zone (°C), ``load`` the share of the processors that had work
    (0 to 1), ``uptime_s`` the seconds since the start; each ``None`` where it is not on record.
    """

    peak_c: float | None = None
    load: float | None = None
    uptime_s: float | None = None

    @property
    def known(self) -> bool:
        """Whether any of it is."""
        return any(value is not None for value in (self.peak_c, self.load, self.uptime_s))

    @property
    def least(self) -> Conditions:
        """What a round must measure to have reached them, with the leave of a recipe's conditions."""
        warm = None if self.peak_c is None else self.peak_c - COOLER_C
        return Conditions(warm, None if self.load is None else self.load * LESS_LOAD)


def reported(readings: Readings, last_beats: Iterable[Heartbeat]) -> Reported:
    """From the readings of a check, and the last heartbeats of steps in which the unit went down."""
    beats = list(last_beats)
    seen = [r.value for name in WARM for r in readings.all(name) if r.subject.startswith(ZONE) and r.unit == "°C"]
    warm = [float(v) for v in seen if isinstance(v, int | float)] + [b.temperature for b in beats if b.temperature]
    load, uptime = readings.number("thermals.load"), readings.number("thermals.uptime")
    return Reported(
        max((c for c in warm if PLAUSIBLE_C[0] < c < PLAUSIBLE_C[1]), default=None),
        None if load is None else min(1.0, max(0.0, load)),
        max((beat.boottime_s for beat in beats), default=uptime),
    )
