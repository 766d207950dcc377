"""Every hardware test keeps the contract of ``agent.tests_hw._test.HardwareTest``."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import tests_hw
from agent.host import Host
from agent.model import UNITS, ComponentKind, Evidence, Gap, Outcome, Reading
from agent.plans import plan, plans
from agent.tests_hw import Bout, load
from agent.texts.words import TESTS
from agent.tools import PROGRAMS

TIME = "2026-01-01T00:00:00.000Z"
WRITES = re.compile(r"\.write_text|\.write_bytes|\bunlink\b|\brename\b|\bO_WRONLY\b|\bO_RDWR\b|\bO_CREAT\b|chmod|chown")
STARTS = re.compile(r"\bsubprocess\b|\bos\.(system|popen|exec\w*|spawn\w*|fork)\b|\bpty\b|\bsocket\b")

each = pytest.mark.parametrize("name", tests_hw.tests())


def source(name: str) -> str:
    return Path(inspect.getfile(sys.modules[type(load(name)).__module__])).read_text()


@each
def test_it_says_who_it_is(name: str) -> None:
    test = load(name)
    assert test.name == name
    assert name in TESTS, "a test needs a word that a customer understands"
    assert all(program in PROGRAMS for program in test.programs)
    assert test.programs or not test.heats, "only an exerciser heats"
    assert all(isinstance(part, ComponentKind) for part in test.heats)
    assert test.disturbs.template
    assert 0 < test.least_s < 600
    assert 0 < test.slack_s < 600
    assert test.measures
    assert all(reading.startswith(f"{name}_test.") and unit in UNITS for reading, unit in test.measures.items())


@each
def test_its_documentation_names_readings_units_and_sources(name: str) -> None:
    text = ast.get_docstring(ast.parse(source(name))) or ""
    given = set(re.findall(rf"{name}_test\.[a-z0-9_.]*[a-z0-9_]", text))
    assert given == set(load(name).measures), "which readings does it give?"
    assert re.search(r"[Ss]ource", text), "where are formats and figures from?"
    assert re.search(r"\((count|B|B/s|%|s|°C|1|K|W|ppm|Hz)(?!\w)", text), "in which units?"


@each
def test_it_starts_programs_through_the_tools_only_and_writes_nothing(name: str) -> None:
    code = "\n".join(line.partition("#")[0] for line in source(name).splitlines())
    assert not STARTS.search(code), STARTS.search(code)
    assert not WRITES.search(code), WRITES.search(code)


@each
def test_over_captured_files_it_exercises_nothing(name: str, tmp_path: Path) -> None:
    test = load(name)
    items = list(test.exercise(Host(str(tmp_path)), Bout(test.least_s, 1, tmp_path)))
    seen = [i for i in items if isinstance(i, Gap)]
    seen += [s for s in test.interpret([i for i in items if isinstance(i, Evidence)]) if isinstance(s, Gap)]
    assert any(gap.essential and gap.outcome in {Outcome.UNSUPPORTED, Outcome.ERROR} for gap in seen)


@each
def test_no_evidence_is_an_essential_gap_and_no_reading(name: str) -> None:
    seen = list(load(name).interpret([]))
    assert not [s for s in seen if isinstance(s, Reading)]
    assert [s for s in seen if isinstance(s, Gap) and s.essential]


@cache
def odd_evidence(name: str) -> st.SearchStrategy[list[Evidence]]:
    """Junk, and the constants of its own source put together at random: those reach its patterns."""
    constants = [
        n.value for n in ast.walk(ast.parse(source(name))) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]
    pieces = st.lists(st.sampled_from(constants) | st.text(max_size=10) | st.from_regex(r"[0-9.]{1,30}"), max_size=8)
    junk = st.binary(max_size=300) | pieces.map(lambda parts: "".join(parts).encode("utf-8", "replace"))
    own = [constant for constant in constants if re.fullmatch(r"[a-z-]+-json", constant)]
    kinds = st.sampled_from(["tree", "unknown", *load(name).programs, *own])
    return st.lists(st.builds(lambda kind, data: Evidence(kind, "", data, "test", TIME, 0), kinds, junk), max_size=4)


@each
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_evidence_makes_it_raise(name: str, data: st.DataObject) -> None:
    for seen in load(name).interpret(data.draw(odd_evidence(name))):
        assert type(seen).from_json(json.loads(json.dumps(seen.to_json(), allow_nan=False))) == seen
        if isinstance(seen, Reading):
            assert load(name).measures[seen.name] == seen.unit


@pytest.mark.parametrize("planned", plans())
def test_what_a_plan_names_exists_and_runs_long_enough(planned: str) -> None:
    for name, seconds in plan(planned).tests.items():
        assert seconds >= load(name).least_s


def test_an_unknown_one_is_a_key_error() -> None:
    for name in ("nothing-like-it", "_test", "../memory", ""):
        with pytest.raises(KeyError):
            load(name)
