"""What of a known good unit holds for every unit of its model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agent.model import Component, ComponentKind, Reading, Readings
from agent.model.drives import is_built_in
from agent.model.marker import MarkerKey, markers
from agent.profiles.profile import Expected, Part, Played, Profile, Sensor, Spread

_UNIT_WIDE = ("memory.installed", "firmware.version", "firmware.date")
_OF_DRIVES = ("storage.size", "storage.transport")
_OF_PANELS = ("panel.width", "panel.height", "panel.refresh")
_OF_USB = ("usb.device.id", "usb.device.name")
_OF_SOAKS = (
    "thermal_test.type",
    "thermal_test.rise",
    "thermal_test.rise_error",
    "thermal_test.rise_per_watt",
    "thermal_test.rise_per_watt_error",
)
_LINK = ("pcie.id", "pcie.link.width")
_SENSORS = ("board.temperature", "board.voltage")
_SENSORS_OF = (ComponentKind.MOTHERBOARD, ComponentKind.CPU)
_ALWAYS = (
    ComponentKind.BACKLIGHT,
    ComponentKind.CPU,
    ComponentKind.MEMORY_MODULE,
    ComponentKind.MICROPHONE,
    ComponentKind.MOTHERBOARD,
    ComponentKind.SPEAKER,
)
_WITH_PART_NUMBER = (ComponentKind.MEMORY_MODULE, ComponentKind.PANEL)
"""Elsewhere the field may hold what tells one unit from another (a drive's WWN)."""
_STORAGE = "0x01"  # PCI class of mass storage: PCI Code and ID Assignment Specification 1.11
_BRIDGE = "0x06"
_SERIAL_LEAST = 4
"""Characters from which on a serial number that stands in another text is taken for one there too; ours."""


def learn(
    unit: Mapping[str, str],
    components: Sequence[Component],
    readings: Iterable[Reading],
    *,
    source: str,
    time: str,
    agent: str,
) -> Profile:
    """The profile of the model that ``unit`` is of. What a person plugs in (USB drives, external screens, adapters) is
    no part of it, and neither is anything that tells this unit from another. Pure. Raises ``ValueError`` for a unit
    that does not say its model.
    """
    if not unit.get("model"):
        raise ValueError("no model")
    known = Readings(readings)
    private = _Private(unit, components, known)
    return Profile(
        manufacturer=unit.get("manufacturer", ""),
        model=unit["model"],
        sku=private.without(unit.get("sku", "")),
        source=source,
        learnt=time,
        agent=agent,
        parts=tuple(part for part in _parts(components, known, private) if not private.tells(part.name)),
        values=tuple(value for value in _values(known) if not private.tells(value.of, str(value.value))),
        sensors=tuple(sensor for sensor in _sensors(known) if not private.tells(sensor.of)),
    )


def spread(runs: Iterable[tuple[str, Iterable[Reading]]]) -> tuple[Spread, ...]:
    """What sound units measured of themselves, from the serial number and the readings of runs of theirs. A unit has
    one value: of several runs the last one that measured it. Pure.
    """
    found: dict[tuple[MarkerKey, str], dict[str, float]] = {}
    for serial, readings in runs:
        for marker in markers(Readings(readings), ""):
            found.setdefault((marker.key, marker.unit), {})[serial] = marker.value
    return tuple(Spread(key, unit, tuple(sorted(values.values()))) for (key, unit), values in found.items())


def counted(rounds: Iterable[Mapping[str, Any]]) -> tuple[Played, ...]:
    """What showed in the rounds of sound units, as their records have them (``exercise``, ``hours``, ``whole``,
    ``shown``); one that was not whole does not count. Pure.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for played in rounds:
        if played["whole"]:
            found.setdefault(str(played["exercise"]), []).append(played)
    return tuple(
        Played(
            exercise,
            len(those),
            round(sum(float(played["hours"]) for played in those), 4),
            dict(Counter(code for played in those for code in {str(shown["code"]) for shown in played["shown"]})),
        )
        for exercise, those in found.items()
        if sum(float(played["hours"]) for played in those) >= 1e-4
    )


class _Private:
    """The serial numbers of one unit, which belong into no profile."""

    def __init__(self, unit: Mapping[str, str], components: Iterable[Component], readings: Readings) -> None:
        found = [unit.get(key, "") for key in ("serial", "board_serial", "uuid")]
        found += [part.serial for part in components]
        found += [str(r.value) for r in readings if r.name.endswith(".serial")]
        self._serials = {serial.casefold() for serial in found if len(serial) >= _SERIAL_LEAST}

    def tells(self, *texts: str) -> bool:
        """Whether a serial number stands in one of the texts."""
        return any(serial in text.casefold() for text in texts for serial in self._serials)

    def without(self, text: str) -> str:
        """The text, ``""`` when a serial number stands in it."""
        return "" if self.tells(text) else text


def built_in_drives(readings: Readings) -> list[str]:
    """The drives that are part of the unit, of those whose bus is known."""
    return [r.subject for r in readings.all("storage.transport") if is_built_in(readings, r.subject)]


def _is(readings: Readings, name: str, subject: str) -> bool:
    reading = readings.get(name, subject)
    return reading is not None and reading.value is True


def _parts(components: Iterable[Component], readings: Readings, private: _Private) -> Iterator[Part]:
    drives = built_in_drives(readings)
    for part in components:
        own = {
            ComponentKind.PANEL: _is(readings, "panel.internal", part.name),
            ComponentKind.STORAGE_DEVICE: part.name in drives,
            ComponentKind.CAMERA: _is(readings, "camera.built_in", part.name),
            # One that stands still now may be a header with nothing on it.
            ComponentKind.FAN: (readings.number("board.fan", part.name) or 0) > 0,
            # A network adapter on USB has no PCI id.
            ComponentKind.WIFI: bool(part.model),
            ComponentKind.ETHERNET: bool(part.model),
        }.get(part.kind, part.kind in _ALWAYS)
        if not own:
            continue
        number = part.part_number if part.kind in _WITH_PART_NUMBER else ""
        if part.kind is ComponentKind.CAMERA and re.fullmatch("[0-9a-f]{4}:[0-9a-f]{4}", part.description):
            number = part.description
        yield Part(
            part.kind,
            part.name,
            private.without(part.manufacturer),
            private.without(part.model),
            private.without(number),
        )


def _values(readings: Readings) -> Iterator[Expected]:
    wanted = [r for name in _UNIT_WIDE for r in readings.all(name) if not r.subject]
    wanted += [r for r in readings.all("firmware.tpm") if r.value is True]
    wanted += [r for r in readings.all("memory.module.size") if (readings.number(r.name, r.subject) or 0) > 0]
    wanted += _of(readings, _OF_DRIVES, built_in_drives(readings))
    wanted += _of(readings, _OF_PANELS, [r.subject for r in readings.all("panel.internal") if r.value is True])
    wanted += _of(readings, _OF_USB, [r.subject for r in readings.all("usb.device.removable") if r.value == "fixed"])
    wanted += [r for name in _OF_SOAKS for r in readings.all(name)]
    for width in readings.all("pcie.link.width"):
        kind = readings.get("pcie.class", width.subject)
        if kind is not None and not str(kind.value).startswith(_BRIDGE):
            storage = str(kind.value).startswith(_STORAGE)  # others slow down while they have little to do
            wanted += _of(readings, (*_LINK, "pcie.link.speed") if storage else _LINK, [width.subject])
    for reading in wanted:
        yield Expected(reading.name, reading.subject, reading.value, reading.unit, reading.component)


def _of(readings: Readings, names: Iterable[str], subjects: Sequence[str]) -> list[Reading]:
    found = (readings.get(name, subject) for name in names for subject in subjects)
    return [reading for reading in found if reading is not None]


def _sensors(readings: Readings) -> Iterator[Sensor]:
    for name in _SENSORS:
        for reading in readings.all(name):
            if reading.component in _SENSORS_OF:
                yield Sensor(name, reading.subject, reading.component)
