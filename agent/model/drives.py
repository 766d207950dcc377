"""Which drives are the unit's own."""

from __future__ import annotations

from agent.model.reading import Readings


def is_built_in(readings: Readings, drive: str) -> bool:
    """Whether a drive is part of the unit, as far as the readings tell: on no USB, and not removable."""
    transport, removable = (readings.get(f"storage.{what}", drive) for what in ("transport", "removable"))
    on_usb = transport is not None and transport.value == "usb"
    return not on_usb and not (removable is not None and removable.value is True)
