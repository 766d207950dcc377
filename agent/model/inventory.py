"""The parts of a unit as readings, so that rules can look at them as they look at everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.model.component import Component, ComponentKind
from agent.model.reading import Reading

FIELDS = ("manufacturer", "model", "serial", "part_number")
"""What of a component tells it from another."""


def inventory(components: Iterable[Component], *, time: str = "") -> Iterator[Reading]:
    """Each part as ``inventory.KIND`` (its model, else its description, else its name) and, where it says so,
    ``inventory.KIND.manufacturer``, ``.model``, ``.serial`` and ``.part_number``; texts, with the part's name as
    subject. ``time`` is when it was read, UTC, ISO 8601.
    """
    for part in components:
        name = reading_name(part.kind)
        yield Reading(name, part.model or part.description or part.name, "", part.kind, part.name, part.source, time)
        for field in FIELDS:
            value = getattr(part, field)
            if value:
                yield Reading(f"{name}.{field}", value, "", part.kind, part.name, part.source, time)


def reading_name(kind: ComponentKind) -> str:
    """``inventory.memory_module`` for a memory module."""
    return f"inventory.{kind.value.replace('-', '_')}"
