"""The plans: what a run does. All of it is data: one ``*.toml`` per plan, one ``symptoms/*.toml`` per symptom; of a
reproduction one ``causes/*.toml`` per cause and one ``exercises/*.toml`` per exercise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from agent.model import ComponentKind


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: the areas that it probes (all, when ``areas`` is empty), those without which it cannot judge, and the
    hardware tests that follow, one after the other, with their durations in seconds; without ``needed_tests`` it cannot
    judge either.
    """

    name: str
    version: str
    title: Mapping[str, str]
    areas: tuple[str, ...]
    needed: tuple[str, ...]
    tests: Mapping[str, float]
    needed_tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Symptom:
    """What a customer complains of, in their words, the areas that must be looked at before it can be judged, and how
    likely each cause is beside the others (weights > 0; one that is not named is possible too).
    """

    name: str
    title: Mapping[str, str]
    needed: tuple[str, ...]
    causes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cause:
    """What may be behind a symptom: the ``codes`` by which it shows itself (whole ones, or the letters of an area), the
    parts ``log_of`` which the system log may speak then (codes ``LOG``), the exposure that makes it show, and what is
    believed of its rate before anything was seen (:mod:`agent.replay.search`). ``markers_by`` is the exercise that
    measures what else tells of it (:mod:`agent.model.marker`), ``None`` where nothing does; ``sound_too`` are those of
    its codes that sound units have too, now and then.
    """

    name: str
    title: Mapping[str, str]
    codes: tuple[str, ...]
    log_of: tuple[ComponentKind, ...]
    exposed_by: str
    shape: float
    scale: float
    markers_by: str | None
    sound_too: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exercise:
    """What a unit can be made to do: hardware tests side by side for ``seconds``, then ``rest_s`` seconds of nothing,
    ``times`` over; ``gives`` is the exposure of each kind per hour of it: none where it only measures. One that
    ``restarts`` has no tests: it restarts the unit, which takes about ``seconds`` with the look at it afterwards.
    """

    name: str
    title: Mapping[str, str]
    tests: tuple[str, ...]
    seconds: float
    rest_s: float
    times: int
    gives: Mapping[str, float]
    restarts: bool


RESTARTS = "restarts"
"""The exercise that restarts the unit, and the exposure that it gives."""
BURN_IN = "everything"
"""The exercise that does everything at once: what the search must never be much slower than."""


def plans() -> list[str]:
    """The names of all plans."""
    return _names("")


def plan(name: str) -> Plan:
    """The plan ``name``; raises ``KeyError`` when there is none."""
    table = _table("", name)
    return Plan(
        name=name,
        version=str(table["version"]),
        title=table["title"],
        areas=tuple(table.get("areas", ())),
        needed=tuple(table["needed"]),
        tests={test: float(seconds) for test, seconds in table.get("tests", {}).items()},
        needed_tests=tuple(table.get("needed_tests", ())),
    )


def symptoms() -> list[str]:
    """The names of all symptoms."""
    return _names("symptoms")


def symptom(name: str) -> Symptom:
    """The symptom ``name``; raises ``KeyError`` when there is none."""
    table = _table("symptoms", name)
    causes = {cause: float(weight) for cause, weight in table.get("causes", {}).items()}
    return Symptom(name, table["title"], tuple(table["needed"]), causes)


def causes() -> list[Cause]:
    """All causes."""
    tables = {name: _table("causes", name) for name in _names("causes")}
    return [
        Cause(
            name,
            t["title"],
            tuple(t["codes"]),
            tuple(ComponentKind(part) for part in t["log_of"]),
            t["exposed_by"],
            float(t["shape"]),
            float(t["scale"]),
            t.get("markers_by"),
            tuple(t.get("sound_too", ())),
        )
        for name, t in tables.items()
    ]


def exercises() -> list[Exercise]:
    """All exercises."""
    tables = {name: _table("exercises", name) for name in _names("exercises")}
    return [
        Exercise(
            name,
            t["title"],
            tuple(t["tests"]),
            float(t["seconds"]),
            float(t["rest_s"]),
            int(t["times"]),
            {exposure: float(amount) for exposure, amount in t["gives"].items()},
            t.get("restarts", False) is True,
        )
        for name, t in tables.items()
    ]


def _names(folder: str) -> list[str]:
    files = resources.files(__package__).joinpath(folder).iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def _table(folder: str, name: str) -> dict[str, Any]:
    if name not in _names(folder):
        raise KeyError(name)
    return tomllib.loads(resources.files(__package__).joinpath(folder, f"{name}.toml").read_text("utf-8"))
