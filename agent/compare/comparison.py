"""The comparison of two runs of one unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.compare.identity import Identity, identity
from agent.compare.parts import Parts, built_in, matched
from agent.history.counters import GROWING
from agent.history.earlier import of_parts
from agent.model import Component, ComponentKind, Finding, Outcome, Reading, Readings, Verdict
from agent.model.inventory import inventory
from agent.model.run_view import RunView
from agent.rules import Exercised, Rule, rules

_BIOS = ("firmware.vendor", "firmware.version", "firmware.date")


class DifferentUnits(Exception):
    """The two runs are of two units; there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A part's firmware, as it was and as it is. The BIOS is the mainboard's."""

    kind: ComponentKind
    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Grown:
    """A counter that is greater than it was. ``fault`` says that a rule takes this growth for a fault."""

    old: Reading
    new: Reading
    fault: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed. ``growth`` are the findings that the grown counters lead to; ``gone`` and ``appeared`` are the
    other findings of only one run. ``not_judged`` are the steps that either run needed and did not get, sorted.
    """

    identity: Identity
    parts: Parts
    firmware: tuple[Changed, ...]
    grown: tuple[Grown, ...]
    growth: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    appeared: tuple[Finding, ...]
    not_judged: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether anything changed at all."""
        parts = (self.parts.exchanged, self.parts.added, self.parts.removed, self.parts.moved)
        return any((*parts, self.firmware, self.grown, self.growth, self.gone, self.appeared))

    @property
    def exit_status(self) -> int:
        """1 when a fault is new or a counter grew that means one, else 3 when a run could not be judged, else 0."""
        if any(finding.verdict is Verdict.FAIL for finding in (*self.growth, *self.appeared)):
            return 1
        return 3 if self.not_judged else 0


def compare(old: RunView, new: RunView) -> Comparison:
    """Compare a run with a later one. Raises :class:`DifferentUnits`, unless it is plausible that the board with the
    identity was exchanged.
    """
    who = identity(old, new)
    if who is Identity.DIFFERENT:
        raise DifferentUnits
    parts = matched(built_in(old), built_in(new))
    judges = [rule for rule in rules() if rule.name.startswith("growth.")]
    growth = tuple(_growth(old, new, judges))
    gone, appeared = _findings(old, new, parts, {code for rule in judges for code in rule.codes})
    return Comparison(
        identity=who,
        parts=parts,
        firmware=(*_firmware(parts), *_bios(old, new)),
        grown=tuple(_grown(old, new, parts, growth)),
        growth=growth,
        gone=gone,
        appeared=appeared,
        not_judged=tuple(
            sorted({step for view in (old, new) for step in view.needed if view.outcomes.get(step) is not Outcome.PASS})
        ),
    )


def _firmware(parts: Parts) -> Iterator[Changed]:
    for old, new in parts.same:
        if old.firmware and new.firmware and old.firmware != new.firmware:
            yield Changed(new.kind, new.name, old.firmware, new.firmware)


def _bios(old: RunView, new: RunView) -> Iterator[Changed]:
    was, now = (" ".join(_texts(view)) for view in (old, new))
    if was and now and was != now:
        yield Changed(ComponentKind.MOTHERBOARD, "BIOS", was, now)


def _texts(view: RunView) -> list[str]:
    readings = Readings(view.readings.values())
    return [str(reading.value) for name in _BIOS if (reading := readings.get(name)) is not None]


def _growth(old: RunView, new: RunView, judges: list[Rule]) -> Iterator[Finding]:
    """What the rules of growth say of the new run when the old one is its earlier one, whatever it was held against
    when it was made.
    """
    own = [r for r in new.readings.values() if not r.name.startswith("earlier.")]
    counted = of_parts("", old.started, old.components, old.readings.values())
    known = Exercised([*own, *inventory(new.components), *counted.as_readings("", old.started)])
    for rule in judges:
        yield from map(known.resting_on_what_was_read, rule.judge(known.readings))


def _grown(old: RunView, new: RunView, parts: Parts, growth: tuple[Finding, ...]) -> Iterator[Grown]:
    """The drives' counters of the same drive, known by its serial number; the memory's by their place."""
    names = {
        o.name: n.name for o, n in parts.same if o.kind is ComponentKind.STORAGE_DEVICE and o.serial == n.serial != ""
    }
    now = Readings(new.readings.values())
    blamed = {(r.name, r.subject) for f in growth if f.verdict is Verdict.FAIL for r in f.evidence}
    for was in Readings(old.readings.values()):
        if not GROWING.fullmatch(was.name):
            continue
        subject = names.get(was.subject) if was.name.startswith("storage.") else was.subject
        found = now.get(was.name, subject) if subject is not None else None
        if found is not None and (found.number or 0.0) > (was.number or 0.0):
            yield Grown(was, found, (found.name, found.subject) in blamed)


def _findings(
    old: RunView, new: RunView, parts: Parts, growing: set[str]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings of the old run only, and of the new one only. Those about growth are of other comparisons. A finding
    goes with its part, wherever that is now, and ends with it.
    """
    same = {(old_part.kind, old_part.name): new_part.name for old_part, new_part in parts.same}
    ended = {_key(part) for pair in parts.exchanged for part in pair[:1]} | {_key(part) for part in parts.removed}

    def of_old(finding: Finding) -> tuple[str, str, bool]:
        key = (finding.component, finding.subject)
        return finding.code, same.get(key, finding.subject), key in ended

    was = {of_old(f.finding): f.finding for f in old.findings if f.finding.code not in growing}
    now = {(f.finding.code, f.finding.subject, False): f.finding for f in new.findings if f.finding.code not in growing}
    gone = tuple(finding for key, finding in was.items() if key not in now)
    return gone, tuple(finding for key, finding in now.items() if key not in was)


def _key(part: Component) -> tuple[ComponentKind, str]:
    return part.kind, part.name
