"""A recipe: how to make one unit's fault happen again, how often it then does, and how to tell that it is gone.

What RD hands on to QC. It says all that is needed to run it, so that it still does when the plans have changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.model import Component
from agent.model.marker import Marker
from agent.replay.clean import clean_needed
from agent.replay.observed import Observed, Per
from agent.replay.reproduction import Reproduction
from agent.replay.round import Conditions, Round, Signature

SCHEMA = 1
COOLER_C = 2.0
"""°C below the coolest round that failed which still count as reached: sensors show whole degrees, and the room is not
always the same; ours.
"""
LESS_LOAD = 0.9
"""Of the lowest load at which it failed; ours."""
HEAT_CODES = ("HEAT", "FAN", "DOWN-8731")
"""Codes of faults, or the letters of an area, that change how warm the unit gets: a repaired one need not get as warm.
"""
TESTS_MOST = 16
"""Tests of one recipe; ours, more than there are."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a round does: these hardware tests side by side for ``seconds``, then ``rest_s`` of nothing, ``times`` over.
    ``gives`` is the exposure of each kind per hour of it.

    Where it ``restarts``, a round is one warm restart of the unit and a look at it: there are no tests then, and
    ``seconds`` is about how long that takes.
    """

    name: str
    tests: tuple[str, ...]
    seconds: float
    rest_s: float
    times: int
    gives: Mapping[str, float]
    restarts: bool = False

    @property
    def hours(self) -> float:
        """Hours that a round takes."""
        return (self.seconds + self.rest_s) * self.times / 3600.0

    def lasting(self, seconds: float) -> Work:
        """The same with rounds of so many seconds (> 0): with fewer bouts where they are shorter, and with longer ones
        where they are longer. A restart takes as long as it takes.
        """
        if self.restarts:
            return self
        share = seconds / (self.hours * 3600.0)
        times = max(1, round(self.times * share)) if share < 1.0 else self.times
        part = seconds / (times * (self.seconds + self.rest_s))
        return replace(self, seconds=max(1.0, self.seconds * part), rest_s=self.rest_s * part, times=times)

    def without(self, tests: Collection[str]) -> Work:
        """The same without tests that this unit has no hardware for; the same where nothing would be left."""
        left = tuple(test for test in self.tests if test not in tests)
        return replace(self, tests=left) if left else self

    def to_json(self) -> dict[str, Any]:
        """Strict JSON."""
        return {
            "name": self.name,
            "tests": list(self.tests),
            "seconds": self.seconds,
            "rest_s": self.rest_s,
            "times": self.times,
            "gives": dict(self.gives),
            "restarts": self.restarts,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Work:
        """Inverse of :meth:`to_json`; raises ``KeyError``, ``TypeError`` or ``ValueError`` when it is none."""
        tests = tuple(str(test) for test in data["tests"])
        restarts = data.get("restarts", False) is True
        if not (0 if restarts else 1) <= len(tests) <= (0 if restarts else TESTS_MOST):
            raise ValueError(f"{len(tests)} tests")
        return cls(
            str(data["name"]),
            tests,
            _within(data["seconds"], 1.0, 86400.0),
            _within(data["rest_s"], 0.0, 86400.0),
            int(_within(data["times"], 1, 1000)),
            {str(name): _within(amount, 0.0, 1e6) for name, amount in data["gives"].items()},
            restarts,
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """``unit`` is the identity of the unit that failed, ``parts`` what was in it then. ``least`` are the conditions
    under which a round counts; ``observed`` how often the fault came; ``seed`` that of a round which failed.
    ``markers`` is what was measured of the failing unit that tells of its cause, and ``soak`` the work that measures
    it where a round of ``work`` does not.
    """

    unit: Mapping[str, str]
    rma: str | None
    symptom: str | None
    run_id: str
    made: str
    agent: str
    fault: Signature
    cause: str | None
    work: Work
    least: Conditions
    observed: Observed
    seed: int
    parts: tuple[Component, ...]
    markers: tuple[Marker, ...] = ()
    soak: Work | None = None

    def clean_needed(self, alpha: float) -> int:
        """The rounds without the fault after which a repair is believed at the confidence ``1 - alpha``."""
        return int(clean_needed(self.observed, alpha))

    def to_json(self) -> dict[str, Any]:
        """Strict JSON. What there is none of is left out: a recipe from before there were markers stays the same."""
        measured = {"markers": [marker.to_json() for marker in self.markers]} if self.markers else {}
        soak = {"soak": self.soak.to_json()} if self.soak else {}
        return {
            "kind": "aiodiag-recipe",
            "schema": SCHEMA,
            "unit": dict(self.unit),
            "rma": self.rma,
            "symptom": self.symptom,
            "run_id": self.run_id,
            "made": self.made,
            "agent": self.agent,
            "fault": self.fault.to_json(),
            "cause": self.cause,
            "work": self.work.to_json(),
            "least": self.least.to_json(),
            "observed": {
                "failures": self.observed.failures,
                "rounds": int(self.observed.exposure),
                "at_failure": self.observed.at_failure,
            },
            "seed": self.seed,
            "parts": [part.to_json() for part in self.parts],
            **measured,
            **soak,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        """Inverse of :meth:`to_json`; raises ``KeyError``, ``TypeError``, ``AttributeError`` or ``ValueError`` when it
        is none.
        """
        if data["kind"] != "aiodiag-recipe" or data["schema"] != SCHEMA:
            raise ValueError(f"a {data['kind']!r} of schema {data['schema']!r}")
        work = Work.from_json(data["work"])
        soak = Work.from_json(data["soak"]) if "soak" in data else None
        if soak and soak.name == work.name:
            raise ValueError("its rounds and what measures its markers have one name")
        seen = data["observed"]
        if not seen["failures"]:
            raise ValueError("nothing was reproduced")
        return cls(
            {str(key): str(value) for key, value in data["unit"].items()},
            _text_or_none(data["rma"]),
            _text_or_none(data["symptom"]),
            str(data["run_id"]),
            str(data["made"]),
            str(data["agent"]),
            Signature.from_json(data["fault"]),
            _text_or_none(data["cause"]),
            work,
            Conditions.from_json(data["least"]),
            Observed(int(seen["failures"]), int(seen["rounds"]), Per.CYCLE, at_failure=bool(seen["at_failure"])),
            int(_within(data["seed"], 0, (1 << 31) - 1)),
            tuple(Component.from_json(part) for part in data["parts"]),
            tuple(Marker.from_json(marker) for marker in data.get("markers", ())),
            soak,
        )


def least_conditions(fault: Signature, failing: Sequence[Round]) -> Conditions:
    """What a round must reach to count: what all that failed had reached, with some leave. How warm it got is no
    condition where the fault is about the cooling: it must not get as warm again.
    """
    peaks = [played.conditions.peak_c for played in failing if played.conditions.peak_c is not None]
    loads = [played.conditions.load for played in failing if played.conditions.load is not None]
    about_heat = any(code in (fault.code, fault.code.partition("-")[0]) for code in HEAT_CODES)
    warm = min(peaks) - COOLER_C if len(peaks) == len(failing) and peaks and not about_heat else None
    busy = min(loads) * LESS_LOAD if len(loads) == len(failing) and loads else None
    return Conditions(warm, busy)


def write(
    done: Reproduction,
    works: Mapping[str, Work],
    *,
    unit: Mapping[str, str],
    rma: str | None,
    symptom: str | None,
    run_id: str,
    made: str,
    agent: str,
    parts: Sequence[Component],
) -> Recipe | None:
    """The recipe of what was reproduced; ``None`` where nothing was."""
    observed = done.observed
    if done.fault is None or done.exercise is None or observed is None:
        return None
    failing = done.failing
    soak = works.get(done.soak or "")
    return Recipe(
        unit,
        rma,
        symptom,
        run_id,
        made,
        agent,
        done.fault,
        done.cause(),
        works[done.exercise],
        least_conditions(done.fault, failing),
        observed,
        failing[-1].seed,
        tuple(parts),
        done.markers,
        soak if soak and done.markers and done.soak != done.exercise else None,
    )


def _within(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{value!r} is not from {low} to {high}")
    return float(value)


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)
