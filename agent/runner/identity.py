"""Who this unit is, before anything else is known."""

from __future__ import annotations

from collections.abc import Iterable

from agent.host import Host
from agent.probes._identity import identity
from agent.runner.engine import Engine, Observer, probes_at_once
from agent.runner.step import StepResult
from agent.runner.steps import parts_step, probe_step

PARTS = ("unit", "cpu", "memory", "panel", "storage")
"""The areas that name exchangeable parts."""


def identify(host: Host, serial: str | None = None) -> dict[str, str]:
    """The unit's identity: ``{"serial", "serial_source", "manufacturer", "model", ...}``; keys that nothing is
    known about are absent.

    ``serial`` is what a person typed or scanned from the label. It counts unless the firmware gives the unit's own: the
    number of a board or a case, which may have been exchanged, does not stand against the label.
    """
    (result,) = Engine().run([probe_step("unit", host)])
    unit = from_probe(result)
    own = any(r.name == "unit.serial_of" and r.value == "system" for r in result.readings)
    return with_serial(unit, serial) if serial and not own else unit


def from_probe(result: StepResult) -> dict[str, str]:
    """The identity in what the probe of area ``unit`` gave; keys that nothing is known about are absent."""
    return identity(result.readings, result.components)


def with_serial(unit: dict[str, str], serial: str) -> dict[str, str]:
    """``unit``, with the serial number that a person gave."""
    return {**unit, "serial": serial, "serial_source": "person"}


def probe(areas: Iterable[str], host: Host, observers: Iterable[Observer] = ()) -> list[StepResult]:
    """Probe ``areas`` without a journal. Raises ``KeyError`` for an unknown one."""
    return Engine(observers).run([probe_step(area, host) for area in areas], probes_at_once())


def parts(host: Host) -> list[StepResult]:
    """What names the unit and its parts, as quickly as it can be read; nothing about anybody's health."""
    return Engine().run([parts_step(area, host) for area in PARTS])
