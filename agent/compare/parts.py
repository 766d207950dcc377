"""Which part of one run is which of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agent.model import Component, ComponentKind, Readings
from agent.model.drives import is_built_in
from agent.model.run_view import RunView

Pair = tuple[Component, Component]

_TOLD_BY = {ComponentKind.PANEL: "panel.internal", ComponentKind.CAMERA: "camera.built_in"}
"""Kind of part -> the reading that is false where a person plugged it in."""


@dataclass(frozen=True, slots=True)
class Parts:
    """``same`` are the pairs that are one part (old, new), ``exchanged`` those of which one came in the other's place,
    ``removed`` and ``added`` the rest.
    """

    same: tuple[Pair, ...]
    exchanged: tuple[Pair, ...]
    removed: tuple[Component, ...]
    added: tuple[Component, ...]

    @property
    def moved(self) -> tuple[Pair, ...]:
        """What is the same by its serial number and sits elsewhere; a name that counts (``sda``) is no place."""
        known = ((old, new) for old, new in self.same if old.serial and old.serial == new.serial)
        return tuple((old, new) for old, new in known if _place(old, new) != _place(new, old))


def built_in(view: RunView) -> list[Component]:
    """The parts of the unit, without what was plugged in."""
    readings = Readings(view.readings.values())

    def own(part: Component) -> bool:
        if part.kind is ComponentKind.STORAGE_DEVICE:
            return is_built_in(readings, part.name)
        told = readings.get(_TOLD_BY[part.kind], part.name) if part.kind in _TOLD_BY else None
        return told is None or told.value is not False

    return list(filter(own, view.components))


def matched(old: Iterable[Component], new: Iterable[Component]) -> Parts:
    """Match by serial number first; what is left, by its name among its kind: there a part is the same unless a serial
    number, or else maker and model, says otherwise. A serial number that a run has twice tells nothing.
    """
    left, right = list(old), list(new)
    same = list(_take(left, right, _serials(left), _serials(right)))
    beside = list(_take(left, right, _names(left), _names(right)))
    same += [pair for pair in beside if _may_be_same(*pair)]
    exchanged = [pair for pair in beside if not _may_be_same(*pair)]
    return Parts(tuple(same), tuple(exchanged), tuple(left), tuple(right))


def _take(
    left: list[Component],
    right: list[Component],
    of_left: dict[tuple[ComponentKind, str], Component],
    of_right: dict[tuple[ComponentKind, str], Component],
) -> Iterator[Pair]:
    """The pairs that have a key in common; they are taken out of the lists."""
    for key, part in of_left.items():
        other = of_right.get(key)
        if other is not None:
            left.remove(part)
            right.remove(other)
            yield part, other


def _serials(parts: Sequence[Component]) -> dict[tuple[ComponentKind, str], Component]:
    often = Counter((part.kind, part.serial) for part in parts)
    return {key: part for part in parts if (key := (part.kind, part.serial))[1] and often[key] == 1}


def _names(parts: Sequence[Component]) -> dict[tuple[ComponentKind, str], Component]:
    found: dict[tuple[ComponentKind, str], Component] = {}
    for part in parts:
        found.setdefault((part.kind, part.name), part)
    return found


def _may_be_same(old: Component, new: Component) -> bool:
    if old.serial and new.serial:
        return old.serial == new.serial  # one that is there twice
    return all(
        not was or not now or was == now for was, now in ((old.manufacturer, new.manufacturer), (old.model, new.model))
    )


def _place(part: Component, other: Component) -> str:
    """Where a part sits, in the words that both have."""
    if part.location and other.location:
        return part.location
    return part.name if part.kind is ComponentKind.MEMORY_MODULE else ""
