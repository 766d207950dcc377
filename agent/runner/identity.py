"""Who this unit is, before anything else is known."""

from __future__ import annotations

from collections.abc import Iterable

from agent.host import Host
from agent.probes._identity import identity
from agent.runner.engine import Engine, Observer
from agent.runner.step import StepResult
from agent.runner.steps import parts_step, probe_step

PARTS = ("unit", "cpu", "memory", "panel", "storage")
"""The areas that name exchangeable parts."""


def identify(host: Host, serial: str | None = None) -> dict[str, str]:
    """The unit's identity: ``{"serial", "serial_source", "manufacturer", "model", ...}``; keys that nothing is
    known about are absent.

    ``serial`` is what a person typed or scanned; it counts only where the firmware gives none that is usable.
    """
    (result,) = Engine().run([probe_step("unit", host)])
    return with_serial(from_probe(result), serial)


def from_probe(result: StepResult) -> dict[str, str]:
    """The identity in what the probe of area ``unit`` gave; keys that nothing is known about are absent."""
    return identity(result.readings, result.components)


def with_serial(unit: dict[str, str], serial: str | None) -> dict[str, str]:
    """``unit``, with a serial that a person gave where the firmware gives none."""
    if serial and not unit.get("serial"):
        return {**unit, "serial": serial, "serial_source": "person"}
    return unit


def probe(areas: Iterable[str], host: Host, observers: Iterable[Observer] = ()) -> list[StepResult]:
    """Probe ``areas`` without a journal. Raises ``KeyError`` for an unknown one."""
    return Engine(observers).run([probe_step(area, host) for area in areas])


def parts(host: Host) -> list[StepResult]:
    """What names the unit and its parts, as quickly as it can be read; nothing about anybody's health."""
    return Engine().run([parts_step(area, host) for area in PARTS])
