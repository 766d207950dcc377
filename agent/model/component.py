"""What can be exchanged in a repair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any


class ComponentKind(StrEnum):
    """The kinds of part that the spare-parts list knows."""

    PANEL = "panel"
    BACKLIGHT = "backlight"
    TOUCH = "touch"
    MOTHERBOARD = "motherboard"
    CPU = "cpu"
    MEMORY_MODULE = "memory-module"
    STORAGE_DEVICE = "storage-device"
    FAN = "fan"
    POWER_SUPPLY = "power-supply"
    CAMERA = "camera"
    SPEAKER = "speaker"
    MICROPHONE = "microphone"
    WIFI = "wifi"
    ETHERNET = "ethernet"
    USB_PORT = "usb-port"
    RTC_BATTERY = "rtc-battery"
    CHASSIS = "chassis"


@dataclass(frozen=True, slots=True)
class Component:
    """One part as found in the unit. ``""`` means that the part does not say.

    ``name`` is the handle that readings and findings use as their ``subject`` (``nvme0``, ``card0-eDP-1``,
    ``DIMM A1``). ``source`` says where the identity was read (a program or a path).
    """

    kind: ComponentKind
    name: str
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    part_number: str = ""
    firmware: str = ""
    location: str = ""
    description: str = ""
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """All fields as strings."""
        return {**asdict(self), "kind": self.kind.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Component:
        """Inverse of :meth:`to_json`; raises ``KeyError`` or ``ValueError`` when it is not a component."""
        known = {f.name for f in fields(cls)} - {"kind"}
        return cls(kind=ComponentKind(data["kind"]), **{k: str(v) for k, v in data.items() if k in known})
