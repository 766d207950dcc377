"""Drives and facts -> components, readings and gaps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import NamedTuple

from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Value
from agent.probes._probe import Seen
from agent.probes.storage._drives import Drive
from agent.probes.storage._facts import Attribute, DriveFacts

_AS_ROOT = "sudo aiodiag probe storage"
_IDENTIFY_FAILED = re.compile(
    r"(Device Identity|Identify Controller|INQUIRY).*(Input/output error|timed out|[Aa]bort)", re.DOTALL
)
_NO_WAY_TO_ASK = re.compile(r"Unable to detect device type|Unknown USB bridge")
_NOT_ALLOWED = re.compile(r"Permission denied|Operation not permitted")


class Asked(NamedTuple):
    """What came of asking one drive: what the kernel shows of it, what it told of itself, and the evidence of that.
    ``answered`` is false when it was asked and did not answer in time, ``whole`` when its answer was cut off.
    """

    name: str
    drive: Drive | None
    facts: DriveFacts
    evidence: Evidence | None
    answered: bool
    whole: bool
    source: str
    time: str

    @property
    def internal(self) -> bool:
        """Whether the unit cannot be judged without this drive; one known only from a capture counts as internal."""
        return self.drive is None or self.drive.internal

    @property
    def responds(self) -> bool | None:
        """Whether the drive answers; ``None`` when nobody could ask it."""
        if not self.answered or (self.drive is not None and self.drive.gone):
            return False
        if self.facts.identified or self.facts.has_health:
            return True
        return False if any(map(_IDENTIFY_FAILED.search, self.facts.messages)) else None


def seen(asked: Asked) -> Iterator[Seen]:
    """The component, its readings, and the gap where its health stayed unknown."""
    yield _component(asked)
    yield from _kernel_readings(asked)
    if asked.responds is not None:
        yield _reading(asked, "storage.responds", asked.responds, "")
    for fact in fields(asked.facts):
        value = getattr(asked.facts, fact.name)
        if "reading" in fact.metadata and value is not None:
            yield _reading(asked, fact.metadata["reading"], value, fact.metadata["unit"])
    for attribute in asked.facts.attributes.values():
        yield from _attribute_readings(asked, attribute)
    gap = _gap(asked)
    if gap is not None:
        yield gap


def _component(asked: Asked) -> Component:
    drive, facts = asked.drive or Drive(asked.name, ""), asked.facts
    size = facts.size or drive.size
    rotational = drive.rotational if facts.rotational is None else facts.rotational
    described = (
        f"{size / 1e9:.0f} GB" if size else "",
        {"nvme": "NVMe", "mmc": "MMC"}.get(drive.transport, drive.transport.upper()) or facts.protocol,
        {True: "HDD", False: "SSD", None: ""}[rotational],
        facts.family,
    )
    return Component(
        kind=ComponentKind.STORAGE_DEVICE,
        name=asked.name,
        manufacturer=drive.manufacturer,
        model=facts.model or drive.model,
        serial=facts.serial or drive.serial,
        part_number=drive.wwid,
        firmware=facts.firmware or drive.firmware,
        location=drive.location,
        description=" ".join(filter(None, described)),
        source="smartctl" if facts.identified else "sysfs",
    )


def _kernel_readings(asked: Asked) -> Iterator[Reading]:
    """What only the kernel knows, and what it knows when the drive was not asked."""
    drive, facts = asked.drive, asked.facts
    if drive is None:
        return
    known: tuple[tuple[str, Value | None, str], ...] = (
        ("storage.size", drive.size if facts.size is None else None, "B"),
        ("storage.rotational", drive.rotational if facts.rotational is None else None, ""),
        ("storage.removable", drive.removable, ""),
        ("storage.transport", drive.transport, ""),
        ("storage.state", drive.state or None, ""),
        ("storage.io_errors", drive.io_errors, "count"),
    )
    for name, value, unit in known:
        if value is not None:
            yield Reading(name, value, unit, ComponentKind.STORAGE_DEVICE, asked.name, "sysfs", asked.time)


def _attribute_readings(asked: Asked, attribute: Attribute) -> Iterator[Reading]:
    known: list[tuple[str, Value | None, str]] = [
        ("name", attribute.name, ""),
        ("raw", attribute.raw, "count"),
        ("value", attribute.value, "1"),
        ("worst", attribute.worst, "1"),
        ("threshold", attribute.threshold, "1"),
    ]
    if attribute.failing:
        known += [("failing", attribute.failing, ""), ("prefailure", attribute.prefailure, "")]
    for quantity, value, unit in known:
        if value is not None:
            yield _reading(asked, f"storage.ata.{attribute.number}.{quantity}", value, unit)


def _reading(asked: Asked, name: str, value: Value, unit: str) -> Reading:
    return Reading(name, value, unit, ComponentKind.STORAGE_DEVICE, asked.name, asked.source, asked.time)


def _gap(asked: Asked) -> Gap | None:
    """Why the drive's health is not known; ``None`` when it is, or when gathering has said why it did not ask."""
    if asked.responds is False:
        reason = asked.evidence.problem if asked.evidence and asked.evidence.problem else None
        return Gap(asked.name, Outcome.ERROR, reason or Text("the drive does not answer"), asked.internal)
    if asked.facts.has_health:
        cut = Text("the drive's answer was cut off: only a part of it was read")
        return None if asked.whole else Gap(asked.name, Outcome.ERROR, cut, asked.internal)
    if asked.drive is not None and not asked.drive.smart:
        return Gap(asked.name, Outcome.UNSUPPORTED, Text("the drive reports no health data"), asked.drive.internal)
    evidence = asked.evidence
    if evidence is None:
        return None
    if any(map(_NOT_ALLOWED.search, asked.facts.messages)):
        return Gap(asked.name, Outcome.UNSUPPORTED, Text("needs root"), asked.internal, _AS_ROOT)
    if evidence.problem is not None:
        return Gap(asked.name, Outcome.ERROR, evidence.problem, asked.internal)
    if not asked.facts.identified and not any(map(_NO_WAY_TO_ASK.search, asked.facts.messages)):
        error = next(iter(asked.facts.messages), "unknown output")
        reason = Text("{program} failed: {error}", {"program": "smartctl", "error": error})
        return Gap(asked.name, Outcome.ERROR, reason, asked.internal)
    return Gap(asked.name, Outcome.UNSUPPORTED, Text("the drive reports no health data"), asked.internal)
