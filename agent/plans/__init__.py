"""The plans: what a run does. All of it is data: one ``*.toml`` per plan, one ``symptoms/*.toml`` per symptom."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: the areas that it probes (all, when ``areas`` is empty), those without which it cannot judge, and the
    hardware tests that follow, one after the other, with their durations in seconds.
    """

    name: str
    version: str
    title: Mapping[str, str]
    areas: tuple[str, ...]
    needed: tuple[str, ...]
    tests: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Symptom:
    """What a customer complains of, in their words, and the areas that must be looked at before it can be judged."""

    name: str
    title: Mapping[str, str]
    needed: tuple[str, ...]


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
    )


def symptoms() -> list[str]:
    """The names of all symptoms."""
    return _names("symptoms")


def symptom(name: str) -> Symptom:
    """The symptom ``name``; raises ``KeyError`` when there is none."""
    table = _table("symptoms", name)
    return Symptom(name, table["title"], tuple(table["needed"]))


def _names(folder: str) -> list[str]:
    files = resources.files(__package__).joinpath(folder).iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def _table(folder: str, name: str) -> dict[str, Any]:
    if name not in _names(folder):
        raise KeyError(name)
    return tomllib.loads(resources.files(__package__).joinpath(folder, f"{name}.toml").read_text("utf-8"))
