"""A profile as readings, which rules compare with those of the probes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.model.inventory import reading_name
from agent.profiles.profile import decode
from uploader.strict_json import Malformed

KIND = "profile"
"""The kind of evidence."""


def interpret(evidence: Sequence[Evidence]) -> Iterator[Reading | Gap]:
    """``profile.model`` (which profile it is), each part as ``profile.inventory.…`` (:mod:`agent.model.inventory`),
    each value as ``profile.`` and the name of its reading, and each sensor as ``profile.sensor`` with the name of the
    reading that it gives; the subjects are those of the unit that the profile was learnt from. Pure. A profile that
    cannot be read is a gap: a unit can be judged without.
    """
    for piece in evidence:
        if piece.kind != KIND:
            continue
        try:
            profile = decode(piece.data)
        except Malformed as e:
            yield Gap("", Outcome.ERROR, Text("this is not a profile: {error}", {"error": str(e)[:300]}))
            continue
        yield Reading("profile.model", profile.title, "", ComponentKind.CHASSIS, "", piece.source, piece.time)
        for part in profile.parts:
            name = reading_name(part.kind)
            yield Reading(
                f"profile.{name}", part.model or part.name, "", part.kind, part.name, piece.source, piece.time
            )
            for field in ("manufacturer", "model", "part_number"):
                text = getattr(part, field)
                if text:
                    yield Reading(f"profile.{name}.{field}", text, "", part.kind, part.name, piece.source, piece.time)
        for value in profile.values:
            yield Reading(
                f"profile.{value.reading}", value.value, value.unit, value.component, value.of, piece.source, piece.time
            )
        for sensor in profile.sensors:
            yield Reading("profile.sensor", sensor.reading, "", sensor.component, sensor.of, piece.source, piece.time)
