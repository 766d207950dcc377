"""Results as tables for a terminal: what a customer understands first, what an engineer wants below."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text as Styled

from agent.catalogue import entries
from agent.catalogue.entry import message
from agent.cli.console import AgentConsole
from agent.cli.plain import clean
from agent.model import Component, Gap, Outcome, Reading, RunVerdict, Severity, Text
from agent.model.run_view import FoundFinding, RunView
from agent.model.step_name import round_of
from agent.runner.step import StepResult
from agent.texts import render
from agent.texts.words import COMPONENTS, OUTCOMES, SEVERITIES, VERDICTS, source_word, step_word
from agent.tools import PROGRAMS

if TYPE_CHECKING:
    from agent.diagnose.diagnosis import Diagnosis
    from uploader.outbox import Entry

_VERDICT_STYLE = {RunVerdict.PASS: "green", RunVerdict.FAIL: "red", RunVerdict.INCOMPLETE: "yellow"}
_SEVERITY_STYLE = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "red"}
_OUTCOME_STYLE = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.ERROR: "red"}


class Paper:
    """A console, and the language in which to write on it."""

    def __init__(self, language: str) -> None:
        # A file or a pipe has no width of its own; rich's 80 columns would fold paths and serial numbers.
        self.console = AgentConsole(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 160)
        self.language = language

    def say(self, text: Text) -> str:
        """``text`` in the person's language, fit for a terminal."""
        return clean(render(text, self.language))

    def heading(self, text: Text) -> None:
        """A heading with an empty line before it."""
        self.console.print()
        self.console.print(Styled(self.say(text), style="bold"))

    def table(
        self, columns: Sequence[Text], rows: Iterable[Sequence[str | Styled]], *, right: int | None = None
    ) -> None:
        """A table; the column with index ``right`` is set flush right."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
        for index, column in enumerate(columns):
            table.add_column(self.say(column), justify="right" if index == right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Styled) else Styled(clean(cell)) for cell in row))
        self.console.print(table)

    def lines(self, texts: Iterable[str]) -> None:
        """Each text on a line of its own."""
        for text in texts:
            self.console.print(Styled("  " + clean(text)))


def print_run(view: RunView, language: str) -> None:
    """The result of a self-check."""
    paper = Paper(language)
    _print_verdict(paper, view)
    if view.findings:
        paper.heading(Text("What was found"))
        for found in view.findings:
            print_finding(paper, found)
    _print_gaps(paper, [(name, gap) for name, step in view.steps.items() for gap in step.gaps])
    if view.components:
        paper.heading(Text("Parts in this unit"))
        _print_components(paper, view.components)
    paper.heading(Text("What was looked at"))
    rows = [
        (_step(paper, name), _outcome(paper, step.outcome), f"{len(step.readings)}", f"{step.duration_s:.2f} s")
        for name, step in view.steps.items()
    ]
    paper.table([Text("Area"), Text("Outcome"), Text("Readings"), Text("Time")], rows)


def print_probe(results: Sequence[StepResult], language: str) -> None:
    """Readings, parts and gaps of some areas."""
    paper = Paper(language)
    for result in results:
        if result.readings:
            paper.heading(step_word(result.step))
            columns = [Text("Reading"), Text("Of"), Text("Value"), Text("Unit"), Text("Source")]
            rows = [(r.name, r.subject, _value(r), r.unit, r.source) for r in result.readings]
            paper.table(columns, rows, right=2)
    parts = [part for result in results for part in result.components]
    if parts:
        paper.heading(Text("Parts in this unit"))
        _print_components(paper, parts)
    _print_gaps(paper, [(result.step, gap) for result in results for gap in result.gaps])


def print_doctor(installed: Mapping[str, str | None], results: Sequence[StepResult], language: str) -> None:
    """Programs, areas and gaps."""
    paper = Paper(language)
    paper.heading(Text("Programs"))
    rows = [
        (name, path or "–", "" if path else f"sudo apt-get install {PROGRAMS[name].package}")
        for name, path in installed.items()
    ]
    paper.table([Text("Program"), Text("Found at"), Text("How to get it")], rows)
    paper.heading(Text("What this machine shows"))
    areas = [
        (paper.say(step_word(r.step)), _outcome(paper, r.outcome), f"{len(r.readings)}", f"{r.duration_s:.2f} s")
        for r in results
    ]
    paper.table([Text("Area"), Text("Outcome"), Text("Readings"), Text("Time")], areas)
    _print_gaps(paper, [(result.step, gap) for result in results for gap in result.gaps])


def print_bundle(about: Mapping[str, Any], view: RunView, language: str) -> None:
    """What a bundle says of itself, then its run."""
    paper = Paper(language)
    paper.heading(Text("Bundle"))
    rows = [(key, _cell(value)) for key, value in about.items() if key != "entries"]
    paper.table([Text("What"), Text("Value")], rows)
    paper.heading(Text("Raw evidence in it"))
    paper.lines(about["entries"])
    print_run(view, language)


def print_diagnosis(diagnosis: Diagnosis, language: str) -> None:
    """Which file it is about, then its run as it is seen today."""
    paper = Paper(language)
    paper.console.print(Styled(clean(f"{diagnosis.input} ({diagnosis.kind})"), style="bold"))
    if diagnosis.description:
        paper.console.print(Styled(clean(diagnosis.description)))
    print_run(diagnosis.view, language)


def print_outbox(entries: Sequence[Entry], language: str) -> None:
    """What was sent, and what still waits."""
    paper = Paper(language)
    if not entries:
        paper.console.print(paper.say(Text("The outbox is empty.")))
        return
    words = {"waiting": Text("waiting"), "refused": Text("refused by the receiver"), "delivered": Text("delivered")}
    rows = [
        (
            entry.rma,
            paper.say(words[entry.state.value]),
            entry.server,
            paper.say(entry.last_error) if entry.last_error else "",
            entry.bundle_id,
        )
        for entry in entries
    ]
    paper.table([Text("RMA"), Text("State"), Text("Receiver"), Text("Last trouble"), Text("Bundle")], rows)
    if any(entry.state.value == "waiting" for entry in entries):
        paper.console.print(paper.say(Text("Send what waits with: aiodiag upload")))


def print_finding(paper: Paper, found: FoundFinding) -> None:
    """One finding: what it says, what to do, and what it rests on."""
    finding = found.finding
    known = entries().get(finding.code)  # a bundle may be from a newer agent, whose catalogue has more
    style = _SEVERITY_STYLE[finding.severity]
    head = Styled.assemble(
        (f"{paper.say(SEVERITIES[finding.severity])}  ", f"bold {style}"),
        (known.text("title", paper.language) if known else "", "bold"),
        (f"  {clean(finding.code)}", "dim"),
    )
    paper.console.print(head)
    if known:
        paper.console.print(Styled(clean(message(finding, paper.language))))
        paper.console.print(Styled("→ " + known.text("advice", paper.language)))
    values = [_evidence(reading) for reading in finding.evidence]
    confidence = f"{finding.confidence:.0%}"
    evidence = Text(
        "{component}, confidence {confidence}",
        {"component": paper.say(COMPONENTS[finding.component]), "confidence": confidence},
    )
    paper.console.print(Styled(clean("; ".join([paper.say(evidence), *values])), style="dim"))
    paper.console.print()


def _print_verdict(paper: Paper, view: RunView) -> None:
    unit = view.unit
    serial = unit.get("serial") or paper.say(Text("not known"))
    lines = [Styled(paper.say(VERDICTS[view.verdict]), style=f"bold {_VERDICT_STYLE[view.verdict]}")]
    missing = [step for step in view.needed if view.outcomes.get(step) is not Outcome.PASS]
    if missing:
        words = ", ".join(paper.say(step_word(step)) for step in missing)
        lines.append(Styled(paper.say(Text("Needed for a verdict, and not looked at: {what}", {"what": words}))))
    maker = f"{unit.get('manufacturer', '')} {unit.get('model', '')}".strip()
    if maker:
        lines.append(Styled(clean(maker)))
    source = f"  ({source_word(unit['serial_source'], paper.language)})" if unit.get("serial_source") else ""
    lines.append(Styled(f"{paper.say(Text('Serial number'))}: {clean(serial + source)}"))
    if view.parameters.get("rma"):
        lines.append(Styled(f"RMA: {clean(str(view.parameters['rma']))}"))
    paper.console.print(Panel(Styled("\n").join(lines), border_style=_VERDICT_STYLE[view.verdict], expand=False))


def _evidence(reading: Reading) -> str:
    subject = f" [{reading.subject}]" if reading.subject else ""
    return f"{reading.name}{subject} = {_value(reading)} {reading.unit}".rstrip()


def _print_components(paper: Paper, parts: Sequence[Component]) -> None:
    columns = [Text("Part"), Text("Name"), Text("Maker"), Text("Model"), Text("Serial number"), Text("Firmware")]
    rows = [
        (paper.say(COMPONENTS[p.kind]), p.name, p.manufacturer, p.model or p.description, p.serial, p.firmware)
        for p in parts
    ]
    paper.table(columns, rows)


def _print_gaps(paper: Paper, gaps: Sequence[tuple[str, Gap]]) -> None:
    if not gaps:
        return
    paper.heading(Text("What was not looked at, and why"))
    rows = [
        (f"{paper.say(step_word(step))} {gap.subject}".strip(), paper.say(gap.reason), gap.remedy) for step, gap in gaps
    ]
    paper.table([Text("What"), Text("Why"), Text("What would help")], list(dict.fromkeys(rows)))


def _step(paper: Paper, name: str) -> str:
    number = round_of(name)
    return paper.say(step_word(name)) if number is None else f"{number}: {paper.say(step_word(name))}"


def _outcome(paper: Paper, outcome: Outcome | None) -> Styled:
    known = outcome or Outcome.INTERRUPTED
    return Styled(paper.say(OUTCOMES[known]), style=_OUTCOME_STYLE.get(known, "yellow"))


def _cell(value: object) -> str:
    return "–" if value is None else str(value)


def _value(reading: Reading) -> str:
    return f"{reading.value:g}" if isinstance(reading.value, float) else str(reading.value)
