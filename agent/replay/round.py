"""One round of exercising: what was done, under which measured conditions, and what showed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from agent.model import ComponentKind, Finding, Severity, Value
from agent.model.marker import Marker

LIVE = ("_test", "_watch")
"""How the first word of a reading ends that was measured while hardware was exercised."""


class Signature(NamedTuple):
    """By what a fault is known again: its code, and where it showed."""

    code: str
    component: ComponentKind
    subject: str

    def to_json(self) -> dict[str, str]:
        """A flat object."""
        return {"code": self.code, "component": self.component.value, "subject": self.subject}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Signature:
        """Inverse of :meth:`to_json`; raises ``KeyError`` or ``ValueError`` when it is none."""
        return cls(str(data["code"]), ComponentKind(data["component"]), str(data["subject"]))

    @classmethod
    def of(cls, finding: Finding) -> Signature:
        """That of a finding."""
        return cls(finding.code, finding.component, finding.subject)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was measured while hardware was exercised: ``peak_c``, the highest temperature of a thermal zone (°C), and
    ``load``, the share of all processors' time that was used (0 to 1). ``None`` where the unit does not tell.
    """

    peak_c: float | None = None
    load: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """A flat object."""
        return {"peak_c": self.peak_c, "load": self.load}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Conditions:
        """Inverse of :meth:`to_json`; raises ``KeyError`` or ``ValueError`` when it is none."""
        return cls(_number_or_none(data["peak_c"]), _number_or_none(data["load"]))

    def reach(self, least: Conditions) -> bool:
        """Whether each of these that ``least`` names was measured, and is at least as high."""
        return _reaches(self.peak_c, least.peak_c) and _reaches(self.load, least.load)

    def falls_short_of(self, least: Conditions) -> bool:
        """Whether any of these that ``least`` names was measured, and is lower."""
        pairs = ((self.peak_c, least.peak_c), (self.load, least.load))
        return any(measured is not None and asked is not None and measured < asked for measured, asked in pairs)


@dataclass(frozen=True, slots=True)
class Round:
    """``shown`` is what was not there before the round, worst first; ``exposed`` the exposure of each kind. ``whole``
    says that everything was exercised as it should be: only a whole round without the fault speaks for the unit.
    ``markers`` is what was measured in it that can be compared with sound units.
    """

    number: int
    exercise: str
    seed: int
    hours: float
    exposed: Mapping[str, float]
    conditions: Conditions
    shown: tuple[Signature, ...]
    whole: bool
    markers: tuple[Marker, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Strict JSON."""
        return {
            "number": self.number,
            "exercise": self.exercise,
            "seed": self.seed,
            "hours": self.hours,
            "exposed": dict(self.exposed),
            "conditions": self.conditions.to_json(),
            "shown": [signature.to_json() for signature in self.shown],
            "whole": self.whole,
            "markers": [marker.to_json() for marker in self.markers],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Round:
        """Inverse of :meth:`to_json`; raises ``KeyError``, ``TypeError`` or ``ValueError`` when it is none."""
        return cls(
            int(_positive(data["number"])),
            str(data["exercise"]),
            int(_positive(data["seed"])),
            _positive(data["hours"]),
            {str(name): _positive(amount) for name, amount in data["exposed"].items()},
            Conditions.from_json(data["conditions"]),
            tuple(Signature.from_json(shown) for shown in data["shown"]),
            bool(data["whole"]),
            tuple(Marker.from_json(marker) for marker in data.get("markers", ())),
        )


def shown(after: Iterable[Finding], before: Mapping[Signature, Finding]) -> tuple[Signature, ...]:
    """What a round showed, worst first: faults that were measured while hardware was exercised, faults that were not
    there ``before`` it, and those whose counts grew. What a unit merely has to say (severity info) is no fault.
    """
    found = [finding for finding in after if finding.severity is not Severity.INFO and _is_new(finding, before)]
    worst = sorted(found, key=lambda f: (f.severity is not Severity.CRITICAL, -f.confidence))
    return tuple(dict.fromkeys(Signature.of(finding) for finding in worst))


def _is_new(finding: Finding, before: Mapping[Signature, Finding]) -> bool:
    earlier = before.get(Signature.of(finding))
    return earlier is None or _is_live(finding) or _grew(finding, earlier)


def _is_live(finding: Finding) -> bool:
    """Whether it rests on something that was measured in the exercise, and not only on what the unit remembers."""
    return any(r.value and r.name.partition(".")[0].endswith(LIVE) for r in finding.evidence)


def _grew(finding: Finding, earlier: Finding) -> bool:
    counted = {(r.name, r.subject): r.value for r in earlier.evidence if r.unit == "count"}
    return any(_is_more(r.value, counted.get((r.name, r.subject))) for r in finding.evidence)


def _is_more(now: Value, before: Value | None) -> bool:
    return isinstance(now, int | float) and isinstance(before, int | float) and now > before


def _reaches(measured: float | None, least: float | None) -> bool:
    return least is None or (measured is not None and measured >= least)


def _number_or_none(value: Any) -> float | None:
    return None if value is None else _finite(value)


def _positive(value: Any) -> float:
    number = _finite(value)
    if number < 0.0:
        raise ValueError(f"{number} is below zero")
    return number


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise ValueError(f"{value!r} is no number")
    return float(value)
