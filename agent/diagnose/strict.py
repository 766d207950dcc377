"""Members of captured evidence, read strictly: what has another type than we write is not ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agent.model import Gap, Outcome, Text
from uploader.strict_json import Malformed, exactly, field, number

HEADER = ("kind", "subject", "source", "time", "exit_status", "duration_s", "truncated", "problem")
"""The members of :meth:`agent.model.Evidence.header`."""


def read_header(data: Any) -> dict[str, Any]:
    """What :meth:`agent.model.Evidence.from_header` takes, out of an object that may hold more; raises
    :class:`Malformed`.
    """
    header: dict[str, Any] = {name: field(data, name, str) for name in ("kind", "subject", "source", "time")}
    status = data.get("exit_status")
    if status is not None and (type(status) is not int or abs(status) >= 1 << 31):
        raise Malformed("'exit_status' is none")
    duration = number(data, "duration_s")
    if not math.isfinite(duration):
        raise Malformed("'duration_s' is not finite")
    problem = optional_words(data, "problem")
    header |= {"exit_status": status, "duration_s": duration, "truncated": field(data, "truncated", bool)}
    return header | {"problem": problem.to_json() if problem else None}


def optional_words(data: Any, name: str) -> Text | None:
    """A :class:`Text` that may be ``null``; raises :class:`Malformed`."""
    return None if isinstance(data, Mapping) and name in data and data[name] is None else words(data, name)


def words(data: Any, name: str) -> Text:
    """A :class:`Text`; raises :class:`Malformed`."""
    text = field(data, name, dict)
    exactly(text, ("text", "values"))
    values = field(text, "values", dict)
    if any(type(value) not in (str, int, float) for value in values.values()):
        raise Malformed(f"{name!r} has a value that is neither text nor number")
    return Text(field(text, "text", str), values)


def outcome(data: Any, name: str) -> Outcome:
    """An outcome; raises :class:`Malformed`."""
    try:
        return Outcome(field(data, name, str))
    except ValueError as e:
        raise Malformed(f"{name!r} is no outcome") from e


def read_gap(data: Any) -> Gap:
    """A gap; raises :class:`Malformed`."""
    exactly(data, ("subject", "outcome", "reason", "essential", "remedy"))
    return Gap(
        subject=field(data, "subject", str),
        outcome=outcome(data, "outcome"),
        reason=words(data, "reason"),
        essential=field(data, "essential", bool),
        remedy=field(data, "remedy", str),
    )


def texts(data: Any, name: str) -> list[str]:
    """A list of strings; raises :class:`Malformed`."""
    listed = field(data, name, list)
    if any(type(text) is not str for text in listed):
        raise Malformed(f"{name!r} holds something that is no text")
    return listed
