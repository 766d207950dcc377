"""Units with intermittent faults, for the search to find: what an exercise does to them, and when they fail.

The search knows nothing of this file's physics but what its exposures count. A unit's temperature is of first order;
its fault has a hazard of its own: above a temperature, while it warms or cools, at a load step, at any time, at a
cycle, at a cold start, while parts work together, or while one core works alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy

from agent.replay.search import Cause, Exercise

Steps = numpy.ndarray[Any, Any]
STEP_S = 20
STEP_H = STEP_S / 3600.0
ROOM_C, FULL_LOAD_K, TAU_S = 24.0, 52.0, 240.0
HOT_C, PLATEAU_C, COLD_C = 60.0, 71.0, 30.0


class Phase(NamedTuple):
    """Seconds of one state of the unit: ``load`` 0 to 1 (heat), ``parts`` at work, what happens at its beginning."""

    seconds: int
    load: float
    parts: int = 0
    event: str = ""


@dataclass(frozen=True)
class Trace:
    """One block, step by step: the temperature, its change, the parts at work, where a load step began, and where each
    event happened.
    """

    celsius: Steps
    change: Steps
    parts: Steps
    load_steps: Steps
    events: Mapping[str, Steps]

    @property
    def hours(self) -> float:
        return len(self.celsius) * STEP_H

    def exposed(self) -> dict[str, float]:
        """What watchers would have counted."""
        return {
            "hours": self.hours,
            "hot": float((self.celsius >= HOT_C).sum()) * STEP_H,
            "plateau": float((self.celsius >= PLATEAU_C).sum()) * STEP_H,
            "together": float((self.parts == ALL).sum()) * STEP_H,
            "boost": float((self.parts == 1).sum()) * STEP_H,
            "warming": float(numpy.abs(self.change).sum()) / 30.0,
            "load_steps": float(self.load_steps.sum()),
            **{name: float(steps.sum()) for name, steps in self.events.items()},
        }


EVENTS = ("restarts", "suspends", "cold_starts", "replugs", "mode_sets")
ALL = 4
PHASES: dict[str, list[Phase]] = {
    "burn-in": [Phase(1800, 1.0, ALL)],
    "replugs": [Phase(20, 1.0, ALL, "replugs")] * 60,
    "mode sets": [Phase(20, 1.0, ALL, "mode_sets")] * 60,
    "load steps": [Phase(40, 1.0, ALL), Phase(40, 0.35, 1)] * 15,
    "restarts": [Phase(60, 1.0, ALL), Phase(60, 0.3, 0, "restarts"), Phase(20, 0.35, 1)] * 9,
    "suspends": [Phase(60, 1.0, ALL), Phase(20, 0.0, 0, "suspends"), Phase(20, 0.35, 1)] * 12,
    "hot and cold": [Phase(400, 1.0, ALL), Phase(560, 0.0), Phase(60, 0.3, 0, "cold_starts")],
    "one core": [Phase(600, 0.35, 1)],
}


@cache
def trace(exercise: str, start_c: int) -> tuple[Trace, int]:
    """The block that begins at a temperature, and the temperature after it (whole °C)."""
    steps: list[tuple[float, float, int, bool, str]] = []
    now, load = float(start_c), 0.0
    for phase in PHASES[exercise]:
        event = phase.event if phase.event != "cold_starts" or now < COLD_C else ""
        for k in range(phase.seconds // STEP_S):
            before = now
            now += (ROOM_C + FULL_LOAD_K * phase.load - now) * -math.expm1(-STEP_S / TAU_S)
            steps.append((now, now - before, phase.parts, k == 0 and phase.load - load > 0.5, "" if k else event))
        load = phase.load
    celsius, change, parts, stepped, happened = (numpy.array(column) for column in zip(*steps, strict=True))
    events = {name: happened == name for name in EVENTS}
    return Trace(celsius, change, parts, stepped, events), round(now)


Hazard = Callable[[Trace], Steps]
"""How likely a failure is in each step (expected failures)."""


def above(celsius: float, per_hour: float) -> Hazard:
    return lambda t: (t.celsius >= celsius) * STEP_H * per_hour


def together_above(celsius: float, per_hour: float) -> Hazard:
    return lambda t: ((t.celsius >= celsius) & (t.parts == ALL)) * STEP_H * per_hour


def swinging(per_30_kelvin: float) -> Hazard:
    """Only fast changes count: more than 0.5 K in a step."""
    return lambda t: numpy.where(numpy.abs(t.change) > 0.5, numpy.abs(t.change), 0.0) / 30.0 * per_30_kelvin


def stepping(per_step: float) -> Hazard:
    return lambda t: t.load_steps * per_step


def anytime(per_hour: float) -> Hazard:
    return lambda t: numpy.full(len(t.celsius), STEP_H * per_hour)


def at_event(name: str, per_event: float) -> Hazard:
    return lambda t: t.events[name] * per_event


def alone(per_hour: float) -> Hazard:
    return lambda t: (t.parts == 1) * STEP_H * per_hour


@dataclass(frozen=True)
class Unit:
    """``cause`` is the name of the right one among :func:`causes`; ``told`` what the symptom makes one believe."""

    cause: str
    told: str
    hazard: Hazard


FAULTS: dict[str, list[Hazard]] = {
    "heat": [above(62.0, 0.5), above(70.0, 2.0), above(74.0, 6.0)],
    "heat and work": [together_above(60.0, 0.4), together_above(72.0, 4.0)],
    "change of temperature": [swinging(0.1), swinging(0.3)],
    "load step": [stepping(0.02), stepping(0.06)],
    "time": [anytime(0.3), anytime(2.0)],
    "restart": [at_event("restarts", 0.1), at_event("restarts", 0.3)],
    "suspend": [at_event("suspends", 0.1), at_event("suspends", 0.3)],
    "cold start": [at_event("cold_starts", 0.5), at_event("cold_starts", 0.9)],
    "replug": [at_event("replugs", 0.01), at_event("replugs", 0.05)],
    "mode set": [at_event("mode_sets", 0.01), at_event("mode_sets", 0.05)],
    "one core alone": [alone(1.5), alone(4.0)],
}

_EXPECTED = {
    "heat": ("hot", 1.0),
    "heat and work": ("together", 1.0),
    "change of temperature": ("warming", 0.1),
    "load step": ("load_steps", 0.02),
    "time": ("hours", 0.5),
    "restart": ("restarts", 0.1),
    "suspend": ("suspends", 0.1),
    "cold start": ("cold_starts", 0.5),
    "replug": ("replugs", 0.02),
    "mode set": ("mode_sets", 0.02),
    "one core alone": ("boost", 1.0),
}
SHAPE = 0.7
TOLD = 4.0
"""How much likelier the symptom makes a cause than each other one."""


def causes(told: str) -> list[Cause]:
    """What may be behind the symptom; all the same where it says nothing (``told`` is empty)."""
    return [
        Cause(name, exposure, TOLD if name == told else 1.0, SHAPE, SHAPE / rate)
        for name, (exposure, rate) in _EXPECTED.items()
    ]


def exercises() -> list[Exercise]:
    """All, with what they give per hour once they go on (the second block in a row)."""
    known = []
    for name in PHASES:
        _, then = trace(name, round(ROOM_C))
        block, _ = trace(name, then)
        known.append(Exercise(name, block.hours, {k: v / block.hours for k, v in block.exposed().items()}))
    return known


def units() -> list[Unit]:
    """Each fault with the right symptom, a vague one, and a wrong one."""
    names = list(FAULTS)
    return [
        Unit(name, told, hazard)
        for k, name in enumerate(names)
        for hazard in FAULTS[name]
        for told in (name, "", names[(k + 3) % len(names)])
    ]
