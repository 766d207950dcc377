"""A profile, and its file ``NAME.profile.json``.

UTF-8 JSON with a fixed layout, one member a line, so that two profiles can be compared in a diff: the model that it is
of, where it was learnt, the ``parts`` that a unit has, the ``sensors`` that answer in it, and ``values`` that hold for
every unit of the model (how much memory, how large the drives, how many lanes a card has). ``markers``, which may be
missing, has what several sound units measured (:mod:`agent.model.marker`), without saying which of them measured what;
``rounds``, which may be missing too, how many rounds of each exercise sound units went through, and what showed in how
many of them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.model import ComponentKind, Reading, Value
from agent.model.marker import MarkerKey
from uploader import strict_json
from uploader.strict_json import Malformed, exactly, field

FORMAT = "aiodiag-profile"
SCHEMA = 1
SUFFIX = ".profile.json"
SIZE_CAP = 1024 * 1024
"""Bytes of a file; ours, a hundred times what a unit's profile takes."""

_DEPTH = 5
_ENTRIES_MOST = 2000  # of each list; ours, ten times what a unit has
_TEXT_MOST = 300  # characters; ours
_PART = ("kind", "name", "manufacturer", "model", "part_number")
_VALUE = ("reading", "of", "value", "unit", "component")
_SENSOR = ("reading", "of", "component")
_MARKER = ("reading", "of", "kind", "unit", "values")
_ROUNDS = ("exercise", "rounds", "hours", "shown")
_UNITS_MOST = 1000  # sound units of one model; ours


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a unit of the model has. ``name`` is its handle in the unit that the profile was learnt from;
    ``""`` in another field means that the part does not say.
    """

    kind: ComponentKind
    name: str
    manufacturer: str = ""
    model: str = ""
    part_number: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """A reading of the unit that the profile was learnt from: ``reading`` is its name, ``of`` its subject."""

    reading: str
    of: str
    value: Value
    unit: str
    component: ComponentKind


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor that answered: the name of the reading that it gives, and its subject."""

    reading: str
    of: str
    component: ComponentKind


@dataclass(frozen=True, slots=True)
class Spread:
    """A marker in sound units: the value of each, sorted."""

    key: MarkerKey
    unit: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """Rounds of an exercise that sound units went through, the hours that they took, and in how many of them each fault
    code showed, of those that did.
    """

    exercise: str
    rounds: int
    hours: float
    shown: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Profile:
    """See the module. ``sku`` is ``""`` for a profile of every variant of the model; ``source`` says what it was learnt
    from (a run's id), ``learnt`` when (UTC, ISO 8601), ``agent`` by which version.
    """

    manufacturer: str
    model: str
    sku: str
    source: str
    learnt: str
    agent: str
    parts: tuple[Part, ...] = ()
    values: tuple[Expected, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    markers: tuple[Spread, ...] = ()
    rounds: tuple[Played, ...] = ()

    @property
    def title(self) -> str:
        """The model as a person would name it."""
        return " ".join(filter(None, (self.manufacturer, self.model, f"({self.sku})" if self.sku else "")))

    @property
    def name(self) -> str:
        """A name for its file, the same for every profile of the model: readable, and not that of another model."""
        words = re.sub(r"[^A-Za-z0-9]+", "-", f"{self.manufacturer} {self.model} {self.sku}").strip("-").lower()
        key = "\0".join(map(_same, (self.manufacturer, self.model, self.sku)))
        return f"{words[:60]}-{hashlib.sha256(key.encode()).hexdigest()[:6]}".lstrip("-")

    def fits(self, unit: Mapping[str, str]) -> bool:
        """Whether a unit (:func:`agent.runner.identity.identify`) is of the model, whatever the case and spaces."""
        asked = [("manufacturer", self.manufacturer), ("model", self.model)]
        if self.sku:
            asked.append(("sku", self.sku))
        return all(_same(unit.get(key, "")) == _same(value) for key, value in asked)


def encode(profile: Profile) -> bytes:
    """The file; the same profile always gives the same bytes. Raises ``ValueError`` for what no reading of ours has
    (half a surrogate pair).
    """
    document = {
        "format": FORMAT,
        "schema": SCHEMA,
        "manufacturer": profile.manufacturer,
        "model": profile.model,
        "sku": profile.sku,
        "learnt": {"from": profile.source, "time": profile.learnt, "agent": profile.agent},
        "parts": [{**_fields(part, _PART), "kind": part.kind.value} for part in profile.parts],
        "values": [{**_fields(value, _VALUE), "component": value.component.value} for value in profile.values],
        "sensors": [{**_fields(sensor, _SENSOR), "component": sensor.component.value} for sensor in profile.sensors],
        **({"markers": [_spread(marker) for marker in profile.markers]} if profile.markers else {}),
        **({"rounds": [_of_rounds(played) for played in profile.rounds]} if profile.rounds else {}),
    }
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode("utf-8")


def decode(data: bytes) -> Profile:
    """Inverse of :func:`encode`; raises :class:`Malformed` and nothing else for anything that is no profile."""
    document = strict_json.loads(data, max_size=SIZE_CAP, max_depth=_DEPTH)
    if field(document, "format", str) != FORMAT or field(document, "schema", int) != SCHEMA:
        raise Malformed(f"no {FORMAT} of schema {SCHEMA}")
    fields = ["format", "schema", "manufacturer", "model", "sku", "learnt", "parts", "values", "sensors"]
    exactly(document, [*fields, *(name for name in ("markers", "rounds") if name in document)])
    learnt = field(document, "learnt", dict)
    exactly(learnt, ("from", "time", "agent"))
    model = _text(document, "model")
    if not model:
        raise Malformed("'model' is empty")
    return Profile(
        manufacturer=_text(document, "manufacturer"),
        model=model,
        sku=_text(document, "sku"),
        source=_text(learnt, "from"),
        learnt=_text(learnt, "time"),
        agent=_text(learnt, "agent"),
        parts=tuple(_part(entry) for entry in _entries(document, "parts")),
        values=tuple(_expected(entry) for entry in _entries(document, "values")),
        sensors=tuple(_sensor(entry) for entry in _entries(document, "sensors")),
        markers=tuple(_marker(entry) for entry in _entries(document, "markers")) if "markers" in document else (),
        rounds=tuple(_played(entry) for entry in _entries(document, "rounds")) if "rounds" in document else (),
    )


def _fields(entry: Part | Expected | Sensor, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in names}


def _entries(document: Any, name: str) -> list[Any]:
    entries = field(document, name, list)
    if len(entries) > _ENTRIES_MOST:
        raise Malformed(f"more than {_ENTRIES_MOST} {name}")
    return entries


def _part(entry: Any) -> Part:
    exactly(entry, _PART)
    return Part(_kind(entry, "kind"), *(_text(entry, name) for name in _PART[1:]))


def _expected(entry: Any) -> Expected:
    exactly(entry, _VALUE)
    value = entry["value"]
    if isinstance(value, str):
        _text(entry, "value")
    elif type(value) not in (bool, int, float) or not math.isfinite(value) or abs(value) >= 1 << 63:
        raise Malformed("'value' is neither text nor a number nor yes or no")
    found = Expected(
        _text(entry, "reading"), _text(entry, "of"), value, _text(entry, "unit"), _kind(entry, "component")
    )
    _check_reading(found.reading, found.unit)
    return found


def _sensor(entry: Any) -> Sensor:
    exactly(entry, _SENSOR)
    found = Sensor(_text(entry, "reading"), _text(entry, "of"), _kind(entry, "component"))
    _check_reading(found.reading, "")
    return found


def _spread(marker: Spread) -> dict[str, Any]:
    return {**marker.key._asdict(), "unit": marker.unit, "values": list(marker.values)}


def _marker(entry: Any) -> Spread:
    exactly(entry, _MARKER)
    key = MarkerKey(_text(entry, "reading"), _text(entry, "of"), _text(entry, "kind"))
    unit, values = _text(entry, "unit"), field(entry, "values", list)
    _check_reading(key.reading, unit)
    if not 1 <= len(values) <= _UNITS_MOST:
        raise Malformed(f"a marker of {len(values)} units")
    if any(type(value) not in (int, float) or not abs(value) < 1e12 for value in values):
        raise Malformed("'values' is not a list of numbers")
    return Spread(key, unit, tuple(float(value) for value in values))


def _of_rounds(played: Played) -> dict[str, Any]:
    return {**{name: getattr(played, name) for name in _ROUNDS}, "shown": dict(played.shown)}


def _played(entry: Any) -> Played:
    exactly(entry, _ROUNDS)
    rounds, hours, shown = field(entry, "rounds", int), strict_json.number(entry, "hours"), field(entry, "shown", dict)
    if not (1 <= rounds < 1 << 31 and 0.0 < hours < 1e9 and len(shown) <= _ENTRIES_MOST):
        raise Malformed(f"{rounds} rounds in {hours} h")
    if any(type(count) is not int or not 1 <= count <= rounds for count in shown.values()):
        raise Malformed("'shown' is not in how many rounds each code was")
    return Played(_text(entry, "exercise"), rounds, hours, shown)


def _check_reading(name: str, unit: str) -> None:
    try:
        Reading(f"profile.{name}", "", unit, ComponentKind.CHASSIS, "", "", "")
    except ValueError as e:
        raise Malformed(str(e)) from e


def _text(entry: Any, name: str) -> str:
    text = field(entry, name, str)
    if len(text) > _TEXT_MOST:
        raise Malformed(f"{name!r} is longer than {_TEXT_MOST} characters")
    return text


def _kind(entry: Any, name: str) -> ComponentKind:
    try:
        return ComponentKind(field(entry, name, str))
    except ValueError as e:
        raise Malformed(f"{name!r} is no kind of part") from e


def _same(text: str) -> str:
    """What of a maker's or model's name counts."""
    return " ".join(text.casefold().split())
