"""Every rule keeps the contract of ``agent.rules.rule``."""

from __future__ import annotations

import ast
import inspect
import json
import random
from functools import cache
from pathlib import Path

import pytest

from agent.catalogue import entries
from agent.model import UNITS, ComponentKind, Finding, Reading, Readings
from agent.rules import Rule, rules

RULES = rules()

pytestmark = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])


def test_its_codes_are_in_the_catalogue(rule: Rule) -> None:
    assert rule.codes
    assert set(rule.codes) <= set(entries())


def test_it_is_documented(rule: Rule) -> None:
    assert len(inspect.getdoc(rule.judge) or "") > 60, "what it concludes, why, and where the confidence is from"


def test_silence_on_no_readings(rule: Rule) -> None:
    assert list(rule.judge(Readings())) == []


def test_it_is_pure(rule: Rule) -> None:
    """It imports nothing that could do I/O, and holds no threshold of its own: numbers come from the catalogue."""
    tree = ast.parse(Path(inspect.getfile(rule.judge)).read_text())
    modules = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    modules |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    allowed = {
        "agent",
        "__future__",
        "collections",
        "dataclasses",
        "functools",
        "itertools",
        "math",
        "re",
        "datetime",
        "typing",
    }
    assert {m.partition(".")[0] for m in modules} <= allowed
    assert not {
        m
        for m in modules
        if m.startswith("agent.") and not m.startswith(("agent.model", "agent.catalogue", "agent.rules"))
    }


def names() -> list[str]:
    """Every reading name that any rule asks for: the string constants with a dot in the rules' sources."""
    found = set()
    for rule in RULES:
        for node in ast.walk(ast.parse(Path(inspect.getfile(rule.judge)).read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and "." in node.value
                and " " not in node.value
            ):
                found.add(node.value.strip("."))
    return sorted(found)


VALUES = (True, False, 0, -1, 1, 7, 10**12, 0.0, -3.5, 55.5, 1e30, "", "now", "x" * 500)


@cache
def odd() -> list[Readings]:
    """Every reading that rules ask for, with values of every type and size, for several subjects; forty times."""
    rng = random.Random("odd")
    units, components = sorted(UNITS), list(ComponentKind)
    known = [n for n in names() if n.replace("_", "").replace(".", "").isalnum() and n.islower()]
    made = []
    for _ in range(40):
        readings = []
        for name in known:
            for subject in ("", "sda", "nvme0", "x/1"):
                value, unit, component = rng.choice(VALUES), rng.choice(units), rng.choice(components)
                try:
                    readings.append(Reading(name, value, unit, component, subject, "", ""))
                except ValueError:
                    break
        made.append(Readings(readings))
    return made


def test_odd_readings_never_break_it_and_its_findings_round_trip(rule: Rule) -> None:
    for readings in odd():
        for finding in rule.judge(readings):
            assert finding.code in rule.codes
            assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding
            assert finding.evidence, "a finding points at what led to it"
