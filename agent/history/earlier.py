"""The counters of an earlier run: as a document that is evidence of the later one, and as readings of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.history.counters import is_kept
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.model.inventory import inventory, reading_name
from agent.model.run_view import RunView
from uploader import strict_json
from uploader.strict_json import Malformed, exactly, field

KIND = "earlier-run"
"""The kind of evidence."""
SIZE_CAP = 1024 * 1024
"""Bytes of the document; ours, a hundred times what a unit's counters take."""
READINGS_MOST = 2000
"""Counters of one run; ours, ten times what a unit with many drives has."""

SERIALS = f"{reading_name(ComponentKind.STORAGE_DEVICE)}.serial"
"""The reading by which a drive is known again."""

_SCHEMA = 1
_DEPTH = 6
_READING = ("name", "value", "unit", "component", "subject", "source", "time")


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run's id, its beginning (UTC, ISO 8601), its counters, and which drives they are of."""

    run_id: str
    started: str
    readings: tuple[Reading, ...]

    def to_json(self) -> dict[str, Any]:
        """The document."""
        return {
            "schema": _SCHEMA,
            "run_id": self.run_id,
            "started": self.started,
            "readings": [reading.to_json() for reading in self.readings],
        }

    def encode(self) -> bytes:
        """The document as UTF-8 JSON."""
        return json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False).encode("utf-8")

    @classmethod
    def decode(cls, data: bytes) -> Earlier:
        """Inverse of :meth:`encode`; raises :class:`Malformed` and nothing else for anything else."""
        document = strict_json.loads(data, max_size=SIZE_CAP, max_depth=_DEPTH)
        exactly(document, ("schema", "run_id", "started", "readings"))
        if field(document, "schema", int) != _SCHEMA:
            raise Malformed(f"no earlier run of schema {_SCHEMA}")
        listed = field(document, "readings", list)
        if len(listed) > READINGS_MOST:
            raise Malformed(f"more than {READINGS_MOST} readings")
        return cls(field(document, "run_id", str), field(document, "started", str), tuple(map(_reading, listed)))

    def as_readings(self, source: str, time: str) -> Iterator[Reading]:
        """``earlier.run`` (when that run began, in words) and each reading as ``earlier.`` and its name, of the same
        subject. ``source`` and ``time`` say of which evidence and when it was read.
        """
        yield Reading("earlier.run", self.started, "", ComponentKind.CHASSIS, "", source, time)
        for r in self.readings:
            yield Reading(f"earlier.{r.name}", r.value, r.unit, r.component, r.subject, source, time)


def of_view(view: RunView, run_id: str) -> Earlier:
    """What a run counted."""
    return of_parts(run_id, view.started, view.components, view.readings.values())


def of_parts(run_id: str, started: str, components: Iterable[Component], readings: Iterable[Reading]) -> Earlier:
    """The same, of parts and readings; at most :data:`READINGS_MOST`."""
    drives = [c for c in components if c.kind is ComponentKind.STORAGE_DEVICE]
    kept = [r for r in inventory(drives, time=started) if r.name == SERIALS]
    kept += [r for r in readings if is_kept(r.name)]
    return Earlier(run_id, started, tuple(kept[:READINGS_MOST]))


def interpret(evidence: Sequence[Evidence]) -> Iterator[Reading | Gap]:
    """The readings of :meth:`Earlier.as_readings`. Pure. What cannot be understood is a gap: a run can be judged
    without an earlier one.
    """
    for piece in evidence:
        if piece.kind != KIND:
            continue
        try:
            yield from Earlier.decode(piece.data).as_readings(piece.source, piece.time)
        except Malformed as e:
            reason = Text("the earlier check cannot be read: {error}", {"error": str(e)[:300]})
            yield Gap("", Outcome.ERROR, reason)


def _reading(data: Any) -> Reading:
    exactly(data, _READING)
    words: Mapping[str, Any] = {name: field(data, name, str) for name in _READING if name != "value"}
    try:
        reading = Reading.from_json({**words, "value": data["value"]})
    except (ValueError, OverflowError) as e:
        raise Malformed(str(e)) from e
    if isinstance(reading.value, int) and abs(reading.value) >= 1 << 63:
        raise Malformed("a counter of more than 63 bits")
    return reading
