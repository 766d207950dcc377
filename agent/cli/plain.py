"""Plain lines for the commands that must answer at once; nothing heavy is imported here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from agent.model import Component, Gap, Text
from agent.texts import render
from agent.texts.words import COMPONENTS, source_word, step_word

_FIELDS = (
    ("serial", Text("Serial number")),
    ("model", Text("Model")),
    ("manufacturer", Text("Manufacturer")),
    ("board", Text("Mainboard")),
    ("uuid", Text("UUID")),
)


def print_unit(
    unit: Mapping[str, str], parts: Sequence[Component], gaps: Iterable[tuple[str, Gap]], language: str
) -> None:
    """Identity, parts, and what could not be seen."""
    rows = [(render(label, language), _known(unit, key, language)) for key, label in _FIELDS]
    _columns(rows)
    if parts:
        print()
        _columns([(render(COMPONENTS[p.kind], language), p.name, _maker_and_model(p), p.serial) for p in parts])
    print_gaps(gaps, language)


def print_gaps(gaps: Iterable[tuple[str, Gap]], language: str) -> None:
    """What was not looked at, why, and the command that would change that."""
    rows = []
    for step, gap in gaps:
        what = render(step_word(step), language)
        where = f"{what} {gap.subject}".strip()
        rows.append((where, render(gap.reason, language), gap.remedy))
    if rows:
        print()
        print(render(Text("Not looked at:"), language))
        _columns([("  " + row[0], *row[1:]) for row in dict.fromkeys(rows)])


def clean(text: str) -> str:
    """``text`` with control characters made visible: what a device says must not steer the terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _known(unit: Mapping[str, str], key: str, language: str) -> str:
    value = unit.get(key, "")
    if not value:
        return render(Text("not known"), language)
    source = unit.get(f"{key}_source", "")
    return f"{value}  ({source_word(source, language)})" if source else value


def _maker_and_model(part: Component) -> str:
    return f"{part.manufacturer} {part.model}".strip() or part.description


def _columns(rows: Sequence[tuple[str, ...]]) -> None:
    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = [max(_width(row[i]) for row in cleaned) for i in range(len(cleaned[0]))]
    for row in cleaned:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _width(text: str) -> int:
    """Columns on a terminal; Chinese characters take two (Unicode annex 11)."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
