"""Counts detections, misses and false alarms of ``aiodiag diagnose`` over the captured data, by kind and group."""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from tests.corpus import kinds
from tests.corpus.index import Row

Document = Mapping[str, Any]
"""What ``aiodiag diagnose --json`` says of one file."""
Documents = Mapping[str, Document]
"""Those of many files, by the file as it was named."""

EXPLAINED = Path(__file__).with_name("explained.toml")


class Result(Enum):
    """How a diagnosis compares with what is known of the capture."""

    DETECTED = "detected"
    MISSED = "missed"
    CLEAR = "clear"
    FALSE_ALARM = "false alarm"
    OPEN = "open"
    """Nobody knows whether there is a fault: it counts only that there was an answer."""


class Mark(NamedTuple):
    """One capture's result; ``group`` is the row of the table, ``detail`` says what was expected and what was said."""

    group: str
    result: Result
    detail: str = ""


class Goal(NamedTuple):
    """Least share of faults detected, most share of clean captures with a false alarm; 0 to 1."""

    detected: float
    false_alarms: float


@dataclass(frozen=True, slots=True)
class Kind:
    """What a module of ``tests.corpus.kinds`` says."""

    name: str
    goal: Goal
    mark: Callable[[Row, Document], Mark | None]


@dataclass(frozen=True, slots=True)
class Marked:
    """A capture with its mark."""

    row: Row
    mark: Mark


def all_kinds() -> list[Kind]:
    """Every kind, sorted by name."""
    modules = [importlib.import_module(f"{kinds.__name__}.{m.name}") for m in pkgutil.iter_modules(kinds.__path__)]
    return sorted((Kind(m.KIND, m.GOAL, m.mark) for m in modules), key=lambda kind: kind.name)


def marked(kind: Kind, rows: Iterable[Row], documents: Documents) -> list[Marked]:
    """The marks of every row of a kind; ``documents`` by the path of the file."""
    found = [(row, kind.mark(row, documents[str(row.file)])) for row in rows if row.kind == kind.name]
    return [Marked(row, mark) for row, mark in found if mark is not None]


def fault(document: Document, group: str, components: Collection[str], severities: Collection[str]) -> Mark:
    """Detected when a finding of one of the severities is about one of the components."""
    hits = [f for f in document.get("findings", ()) if f["severity"] in severities and f["component"] in components]
    wanted = f"wanted {'/'.join(severities)} about {'/'.join(components)}"
    return Mark(group, Result.DETECTED if hits else Result.MISSED, f"{wanted}; {said(document)}")


def no_fault(document: Document, group: str, severities: Collection[str]) -> Mark:
    """A false alarm when there is a finding of one of the severities."""
    alarms = [f for f in document.get("findings", ()) if f["severity"] in severities]
    return Mark(group, Result.FALSE_ALARM if alarms else Result.CLEAR, said(document))


def broken_steps(document: Document) -> set[str]:
    """The steps in which the agent itself broke: they ended in an error that no gap accounts for."""
    unreadable = {gap["step"] for gap in document["not_seen"] if gap["outcome"] == "error" and gap["essential"]}
    return {step for step, outcome in document["outcomes"].items() if outcome == "error"} - unreadable


def said(document: Document) -> str:
    """What the agent found, in short."""
    if document.get("refused"):
        return f"refused: {document['refused']['text']}"
    findings = [f"{f['code']} {f['severity']} {f['component']}" for f in document["findings"]]
    return "said " + (", ".join(findings) or "nothing")


def share(marks: Sequence[Marked], part: Result, other: Result) -> float | None:
    """The share of ``part`` among the captures with one of the two results; ``None`` when there are none."""
    counts = [sum(m.mark.result is result for m in marks) for result in (part, other)]
    return counts[0] / sum(counts) if sum(counts) else None


def explained() -> dict[str, str]:
    """Path -> why the agent misses it or raises a false alarm there, as a person found by looking."""
    return tomllib.loads(EXPLAINED.read_text("utf-8"))
