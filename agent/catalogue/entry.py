"""Catalogue entries as types, and the reading of the data files."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from agent.model import ComponentKind, Finding, Severity
from agent.model.text import fill

LANGUAGES = ("en", "es", "zh_Hant")

Localised = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit: its value, its unit (of ``agent.model.UNITS``) and where it comes from."""

    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One fault code.

    ``code`` is ``AREA-NNNC``: letters for the ear, three digits, and a Damm check digit over them, so that a code read
    over the phone with one wrong or two swapped digits is noticed; ``NNNC`` alone is unique. ``warranty`` is
    ``chassis``, ``lcd``, ``motherboard`` or ``spare-part``. ``replay`` is a symptom that RD should replay.
    """

    code: str
    component: ComponentKind
    severity: Severity
    warranty: str
    replay: str
    title: Localised
    message: Localised
    advice: Localised
    thresholds: Mapping[str, Threshold]

    def text(self, which: str, language: str, values: Mapping[str, str | int | float] | None = None) -> str:
        """``title``, ``message`` or ``advice`` in ``language`` (English where it is not ours), filled in."""
        texts: Localised = getattr(self, which)
        return fill(texts.get(language, texts["en"]), values or {})

    def limit(self, name: str) -> float:
        """The value of a threshold; raises ``KeyError`` when the entry has none of that name."""
        return self.thresholds[name].value


@functools.cache
def entries() -> dict[str, Entry]:
    """Every entry by its code."""
    found: dict[str, Entry] = {}
    for file in sorted((resources.files(__package__) / "codes").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml"):
            for code, table in tomllib.loads(file.read_text("utf-8")).items():
                if code in found:
                    raise ValueError(f"{code} is defined twice")
                found[code] = _entry(code, table)
    return found


def entry(code: str) -> Entry:
    """The entry of ``code``; raises ``KeyError`` when there is none."""
    return entries()[code]


def message(finding: Finding, language: str) -> str:
    """What a finding says to a person."""
    return entry(finding.code).text("message", language, {"subject": finding.subject, **finding.values})


def described(finding: Finding, language: str) -> dict[str, Any]:
    """A finding as ``--json`` prints it, without its evidence. A bundle may be from a newer agent, whose catalogue has
    more: of such a code only the code itself is known.
    """
    known = entries().get(finding.code)
    return {
        "code": finding.code,
        "component": finding.component.value,
        "subject": finding.subject,
        "severity": finding.severity.value,
        "verdict": finding.verdict.value,
        "confidence": finding.confidence,
        "title": known.text("title", language) if known else finding.code,
        "message": message(finding, language) if known else "",
        "advice": known.text("advice", language) if known else "",
    }


def _entry(code: str, table: Mapping[str, Any]) -> Entry:
    return Entry(
        code=code,
        component=ComponentKind(table["component"]),
        severity=Severity(table["severity"]),
        warranty=table["warranty"],
        replay=table["replay"],
        title=table["title"],
        message=table["message"],
        advice=table["advice"],
        thresholds={
            name: Threshold(float(t["value"]), t["unit"], t["source"])
            for name, t in table.get("thresholds", {}).items()
        },
    )
