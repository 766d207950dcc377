"""The table of ``docs/accuracy.md``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.corpus.evaluation import Kind, Marked, Result, explained, share

PAGE = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
_REGION = re.compile(r"(<!-- table: written by \./dev accuracy -->\n).*?(<!-- /table -->)", re.DOTALL)


def region(marks: Mapping[str, Sequence[Marked]], kinds: Sequence[Kind]) -> str:
    """The tables as Markdown."""
    lines = ["| kind | of | captures | faults | detected | missed | clean | false alarms | open |", "|" + "---|" * 9]
    for kind in kinds:
        of_kind = marks[kind.name]
        groups = sorted({m.mark.group for m in of_kind})
        lines += [_row(kind.name, group, [m for m in of_kind if m.mark.group == group]) for group in groups]
        lines.append(_row(f"**{kind.name}**", "all", of_kind))
    lines += ["", "| kind | faults detected | goal | clean with a false alarm | goal |", "|" + "---|" * 5]
    for kind in kinds:
        detected = _percent(share(marks[kind.name], Result.DETECTED, Result.MISSED))
        alarms = _percent(share(marks[kind.name], Result.FALSE_ALARM, Result.CLEAR))
        lines.append(
            f"| {kind.name} | {detected} | at least {_percent(kind.goal.detected)} "
            f"| {alarms} | at most {_percent(kind.goal.false_alarms)} |"
        )
    reasons = explained()
    wrong = [m for of_kind in marks.values() for m in of_kind if m.mark.result in (Result.MISSED, Result.FALSE_ALARM)]
    lines += ["", "Every miss and every false alarm:", ""]
    lines += [
        f"- `{m.row.path}`: {m.mark.result.value}; {m.mark.detail}. {reasons.get(m.row.path, 'Not explained.')}"
        for m in wrong
    ] or ["none."]
    return "\n".join(lines) + "\n"


def on_page() -> str:
    """The tables as they stand in the page."""
    match = _REGION.search(PAGE.read_text("utf-8"))
    assert match, PAGE
    return match[0].removeprefix(match[1]).removesuffix(match[2])


def write(tables: str) -> None:
    """Put the tables into the page."""
    page = PAGE.read_text("utf-8")
    PAGE.write_text(_REGION.sub(lambda match: match[1] + tables + match[2], page), "utf-8")


def _row(kind: str, group: str, marks: Sequence[Marked]) -> str:
    count = {result: sum(m.mark.result is result for m in marks) for result in Result}
    faults = count[Result.DETECTED] + count[Result.MISSED]
    clean = count[Result.CLEAR] + count[Result.FALSE_ALARM]
    numbers = (len(marks), faults, count[Result.DETECTED], count[Result.MISSED], clean, count[Result.FALSE_ALARM])
    return f"| {kind} | {group} | " + " | ".join(map(str, (*numbers, count[Result.OPEN]))) + " |"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
