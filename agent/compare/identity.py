"""Whether two runs are of one unit."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from agent.compare.parts import built_in
from agent.model import Component, ComponentKind
from agent.model.run_view import RunView

_OF_THE_BOARD = (ComponentKind.MOTHERBOARD, ComponentKind.CHASSIS, ComponentKind.CPU)


class Identity(StrEnum):
    """``changed``: the firmware says another unit, but the parts are the same, as after an exchange of the board.
    ``unknown``: nothing tells.
    """

    SAME = "same"
    CHANGED = "changed"
    UNKNOWN = "unknown"
    DIFFERENT = "different"


def identity(old: RunView, new: RunView) -> Identity:
    """The serial number says so, or else the UUID that the firmware gives. Where they differ it is the same unit with
    another board if it is of the same model and at least half of the parts with a serial number of their own (drives,
    memory, panel) are there again, and the panel is not another one: a drive alone may have been moved over.
    """
    for key in ("serial", "uuid"):
        was, now = old.unit.get(key), new.unit.get(key)
        if was and now:
            if was == now:
                return Identity.SAME
            return Identity.CHANGED if _board_exchanged(old, new) else Identity.DIFFERENT
    parts = _serials(built_in(old)), _serials(built_in(new))
    return Identity.UNKNOWN if not all(parts) or parts[0] & parts[1] else Identity.DIFFERENT


def _board_exchanged(old: RunView, new: RunView) -> bool:
    models = {model for view in (old, new) if (model := view.unit.get("model"))}
    was, now = _serials(built_in(old)), _serials(built_in(new))
    panels = [{serial for kind, serial in parts if kind is ComponentKind.PANEL} for parts in (was, now)]
    if len(models) > 1 or (all(panels) and not panels[0] & panels[1]):
        return False
    common = len(was & now)
    return common > 0 and 2 * common >= min(len(was), len(now))


def _serials(parts: Iterable[Component]) -> set[tuple[ComponentKind, str]]:
    return {(part.kind, part.serial) for part in parts if part.serial and part.kind not in _OF_THE_BOARD}
