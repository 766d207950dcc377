"""What the storage rules share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import _by_catalogue

CERTAIN = 0.95
"""No reading makes us surer than this: cables, slots and firmware can look like a bad drive. Ours."""

CALLED = {
    5: re.compile("Realloc|Retired|Retried|Bad_Bl"),
    187: re.compile("Uncor|_Unc_|_UE_"),
    188: re.compile("Command_Timeout"),
    196: re.compile("Realloc"),
    197: re.compile("Pending"),
    198: re.compile("Uncor|_UNC_"),
    199: re.compile("CRC"),
}
"""What an attribute must be called (by smartctl's drive database) for its number to mean what it means on most drives:
makers use the numbers freely, and known wrong ones are renamed there (``Bogus_Current_Pend_Sect``)."""


def finding(code: str, verdict: Verdict, confidence: float, *evidence: Reading, **values: str | int | float) -> Finding:
    """A finding about the drive of the first piece of evidence."""
    return _by_catalogue.finding(code, evidence[0].subject, verdict, confidence, evidence, **values)


def attributes_at_limit(readings: Readings, when: str, *, prefailure: bool | None, subject: str) -> list[Reading]:
    """A drive's attributes at their limit; ``prefailure`` chooses those that predict failure, ``None`` all."""
    found = []
    for reading in readings.matching("storage.ata."):
        if reading.subject == subject and reading.name.endswith(".failing") and reading.value == when:
            predicts = readings.get(reading.name.removesuffix("failing") + "prefailure", subject)
            if prefailure is None or (predicts is not None and predicts.value is prefailure):
                found.append(reading)
    return found


def named_hot(readings: Readings, failing: Reading) -> bool:
    """Whether an attribute at its limit is one of temperature."""
    name = readings.get(failing.name.removesuffix("failing") + "name", failing.subject)
    return name is not None and is_temperature(str(name.value))


def warm(readings: Readings, subject: str) -> bool:
    """Whether the drive is so warm now that heat is worth a word."""
    temperature = readings.get("storage.temperature", subject)
    return temperature is not None and count_of(temperature) >= entry("DISK-1203").limit("warm")


def is_temperature(name: str) -> bool:
    """Whether an attribute of that name is a temperature."""
    return "Temperature" in name


def solid(readings: Readings, subject: str) -> bool:
    """Whether the drive is known to be a solid-state one."""
    rotational = readings.get("storage.rotational", subject)
    return rotational is not None and rotational.value is False


def by_subject(found: Iterable[Reading]) -> list[tuple[str, list[Reading]]]:
    """Readings of several drives, drive by drive."""
    by: dict[str, list[Reading]] = {}
    for reading in found:
        by.setdefault(reading.subject, []).append(reading)
    return list(by.items())


def count_of(reading: Reading) -> int:
    """The reading as a whole number; 0 where it is none."""
    return 0 if isinstance(reading.value, str | bool) else int(reading.value)


def odds(code: str, count: int, *, flash: bool = False) -> float:
    """The chance to fail within a year, by the entry's ``yearly_failures_from_N`` of the highest N up to ``count``.
    Those are rates of hard disks: for ``flash`` it is the entry's ``flash_odds``.
    """
    if flash:
        return entry(code).limit("flash_odds")
    rates = {
        int(name.rpartition("_")[2]): threshold.value
        for name, threshold in entry(code).thresholds.items()
        if name.startswith("yearly_failures_from_")
    }
    rate = rates[max(n for n in rates if n <= count)]
    return round(min(CERTAIN, 1 - math.exp(-rate)), 2)


def counters(readings: Readings, number: int) -> list[Reading]:
    """The raw counts of an attribute, of those drives on which it is called what it should be."""
    return [
        raw
        for raw in readings.all(f"storage.ata.{number}.raw")
        if (name := readings.get(f"storage.ata.{number}.name", raw.subject)) and CALLED[number].search(str(name.value))
    ]
