"""What was seen beside the hardware tests, joined with what the probes saw before them.

A probe looks once, at a unit that has nothing to do. A watcher goes on from there while hardware is exercised, and
names what it sees as the probe does, behind a word of its own: ``kernel_log_watch.FAMILY.count`` and
``counters_watch.memory.edac.corrected`` are what was added to ``kernel_log.FAMILY.count`` and to
``memory.edac.corrected``. The rules judge the sum, so a fault has one code whenever it shows, and one that shows before
and under load is told once; a finding rests on what was really read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent.model import Finding, Reading, Readings, Value

_WATCHES = {"kernel_log_watch.": "kernel_log.", "counters_watch.": ""}
_MARK = "_watch."
_SMALLEST = (".headroom", ".start", ".first_s", ".after", ".first_gap")
_LARGEST = (".last_s", ".peak", ".spread", ".gap", ".late", ".clock_jump")
"""How several values are one; else counts and times are added, and of the rest the first holds."""
_ADDED = ("count", "s")


class Exercised:
    """The readings of a run as the rules see them: those of all tests' watchers are one. ``readings`` may name a thing
    more than once; of what no watcher gave the last holds.
    """

    def __init__(self, readings: Iterable[Reading]) -> None:
        found: dict[tuple[str, str], list[Reading]] = {}
        for reading in readings:
            known = found.setdefault((_joined_name(reading.name), reading.subject), [])
            if _MARK not in reading.name:
                known[:] = [r for r in known if _MARK in r.name]
            known.append(reading)
        self._joined = {key: parts for key, parts in found.items() if len(parts) > 1 or parts[0].name != key[0]}
        self.readings = Readings(_join(name, parts) for (name, _), parts in found.items())

    def resting_on_what_was_read(self, finding: Finding) -> Finding:
        """The finding with each joined reading in its evidence replaced by those that it was made of."""
        if not any((r.name, r.subject) in self._joined for r in finding.evidence):
            return finding
        read = (part for r in finding.evidence for part in self._joined.get((r.name, r.subject), (r,)))
        return replace(finding, evidence=tuple(dict.fromkeys(read)))


def _joined_name(name: str) -> str:
    for watch, probe in _WATCHES.items():
        what = probe + name.removeprefix(watch)
        if name.startswith(watch) and "." in what and what[0].isalpha():
            return what
    return name


def _join(name: str, parts: list[Reading]) -> Reading:
    if len(parts) == 1 and parts[0].name == name:
        return parts[0]
    return replace(parts[0], name=name, value=_value(name, parts))


def _value(name: str, parts: list[Reading]) -> Value:
    numbers = [part.value for part in parts if isinstance(part.value, int | float) and not isinstance(part.value, bool)]
    if len(numbers) < len(parts) or len({part.unit for part in parts}) > 1:
        return parts[0].value
    if name.endswith(_SMALLEST):
        return min(numbers)
    if name.endswith(_LARGEST):
        return max(numbers)
    return sum(numbers) if parts[0].unit in _ADDED else parts[0].value
