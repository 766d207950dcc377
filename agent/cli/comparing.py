"""Profiles and comparisons as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agent.cli.tables import Paper, print_finding
from agent.model import Component, Finding, Text, Value
from agent.model.run_view import FoundFinding
from agent.texts.words import COMPONENTS, step_word

if TYPE_CHECKING:
    from agent.compare import Comparison
    from agent.diagnose.diagnosis import Diagnosis
    from agent.profiles import Profile
    from agent.profiles.shelf import Kept

_IDENTITY = {
    "same": Text("The same unit."),
    "changed": Text(
        "The unit says another identity, but its parts are the same: the mainboard was probably exchanged."
    ),
    "unknown": Text("Neither run says for sure which unit it is of."),
}


def print_profiles(kept: Sequence[Kept], language: str) -> None:
    """Which profiles there are."""
    paper = Paper(language)
    if not kept:
        line = Text("There is no profile yet; learn one from a good unit with: aiodiag profile learn")
        paper.console.print(paper.say(line))
        return
    rows = []
    for one in kept:
        found = Text("brought along") if one.shipped else Text("learnt here")
        bad = Text("this is not a profile: {error}", {"error": one.problem})
        rows.append(
            (
                one.name,
                one.profile.title if one.profile else paper.say(bad),
                one.profile.learnt[:10] if one.profile else "",
                paper.say(found),
            )
        )
    paper.table([Text("Name"), Text("Model"), Text("Learnt"), Text("Source")], rows)


def print_profile(profile: Profile, language: str) -> None:
    """What a unit of the model should have."""
    paper = Paper(language)
    paper.heading(Text("{model}", {"model": profile.title}))
    columns = [Text("Part"), Text("Name"), Text("Maker"), Text("Model")]
    rows = [(paper.say(COMPONENTS[p.kind]), p.name, p.manufacturer, p.model) for p in profile.parts]
    paper.table(columns, rows)
    values = [(v.reading, v.of, _shown(v.value), v.unit) for v in profile.values]
    paper.table([Text("Reading"), Text("Of"), Text("Value"), Text("Unit")], values, right=2)
    if profile.sensors:
        paper.table([Text("Sensor"), Text("Of")], [(s.reading, s.of) for s in profile.sensors])


def print_comparison(comparison: Comparison, old: Diagnosis, new: Diagnosis, language: str) -> None:
    """What changed, under one heading each."""
    paper = Paper(language)
    rows = [
        (paper.say(word), d.input, d.view.started, d.view.unit.get("serial", ""))
        for word, d in ((Text("before"), old), (Text("after"), new))
    ]
    paper.table([Text("Run"), Text("Input"), Text("Time"), Text("Serial number")], rows)
    paper.console.print(paper.say(_IDENTITY[comparison.identity.value]))
    if not comparison.changes:
        paper.console.print(paper.say(Text("Nothing changed.")))
    _print_parts(paper, comparison)
    if comparison.firmware:
        paper.heading(Text("Firmware that changed"))
        changed = [(paper.say(COMPONENTS[c.kind]), c.name, c.old, c.new) for c in comparison.firmware]
        paper.table([Text("Part"), Text("Name"), Text("before"), Text("after")], changed)
    if comparison.grown:
        paper.heading(Text("Counters that grew"))
        grown = [
            (
                g.new.name,
                g.new.subject,
                _shown(g.old.value),
                _shown(g.new.value),
                paper.say(Text("a fault")) if g.fault else "",
            )
            for g in comparison.grown
        ]
        paper.table([Text("Reading"), Text("Of"), Text("before"), Text("after"), Text("Means")], grown)
    _print_findings(paper, Text("What the growth means"), comparison.growth)
    _print_findings(paper, Text("Findings that are new"), comparison.appeared)
    _print_findings(paper, Text("Findings that are gone"), comparison.gone)
    if comparison.not_judged:
        what = ", ".join(paper.say(step_word(step)) for step in comparison.not_judged)
        text = Text("Not seen in both runs, though needed for a verdict: {what}", {"what": what})
        paper.console.print(paper.say(text))


def _print_parts(paper: Paper, comparison: Comparison) -> None:
    parts = comparison.parts
    rows: list[tuple[str, ...]] = []
    for word, pairs in ((Text("exchanged"), parts.exchanged), (Text("moved"), parts.moved)):
        for was, now in pairs:
            name = now.name if was.name == now.name else f"{was.name} → {now.name}"
            rows.append((paper.say(word), paper.say(COMPONENTS[now.kind]), name, _called(was), _called(now)))
    rows += [(paper.say(Text("removed")), paper.say(COMPONENTS[p.kind]), p.name, _called(p), "") for p in parts.removed]
    rows += [(paper.say(Text("added")), paper.say(COMPONENTS[p.kind]), p.name, "", _called(p)) for p in parts.added]
    if rows:
        paper.heading(Text("Parts that changed"))
        paper.table([Text("Change"), Text("Part"), Text("Name"), Text("before"), Text("after")], rows)


def _called(part: Component) -> str:
    maker = " ".join(filter(None, (part.manufacturer, part.model or part.description)))
    place = f"[{part.location}]" if part.location else ""
    return " ".join(filter(None, (maker, part.serial, place)))


def _print_findings(paper: Paper, heading: Text, findings: Iterable[Finding]) -> None:
    listed = list(findings)
    if listed:
        paper.heading(heading)
        for finding in listed:
            print_finding(paper, FoundFinding(finding, ()))


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
