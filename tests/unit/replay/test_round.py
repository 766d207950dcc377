"""What a round showed that was not there before it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ComponentKind, Finding, Reading, Severity, Verdict
from agent.replay.round import Conditions, Round, Signature, shown

TIME = "2026-01-01T00:00:00.000Z"


def finding(name: str, value: int | str, severity: Severity = Severity.WARNING, confidence: float = 0.5) -> Finding:
    unit = "count" if isinstance(value, int) else ""
    reading = Reading(name, value, unit, ComponentKind.MEMORY_MODULE, "", "test", TIME)
    part = ComponentKind.MEMORY_MODULE
    return Finding("MEM-3908", part, "", severity, Verdict.FAIL, confidence, evidence=(reading,))


def before(*findings: Finding) -> dict[Signature, Finding]:
    return {Signature.of(f): f for f in findings}


def test_what_was_measured_in_the_exercise_is_of_the_round_whenever_it_came_before() -> None:
    live = finding("memory_test.mismatches", 1)
    assert shown([live], before(live)) == (Signature.of(live),)
    watched = finding("kernel_log_watch.mce", 1)
    assert shown([watched], before(watched)) == (Signature.of(watched),)


def test_what_the_unit_remembers_is_of_the_round_where_it_is_new_or_grew() -> None:
    three = finding("memory.errors", 3)
    assert shown([three], {}) == (Signature.of(three),)
    assert shown([three], before(three)) == ()
    assert shown([finding("memory.errors", 4)], before(three)) == (Signature.of(three),)
    assert shown([finding("memory.errors", 2)], before(three)) == ()
    assert shown([finding("memory.kind", "panic")], before(finding("memory.kind", "panic"))) == ()


def test_what_is_no_fault_does_not_count_and_the_worst_comes_first() -> None:
    note = finding("memory.errors", 3, Severity.INFO)
    assert shown([note], {}) == ()
    worse = replace(finding("memory.errors", 3, Severity.CRITICAL), code="MEM-3513")
    surer = replace(finding("memory.errors", 3, confidence=0.9), code="MEM-3526")
    found = shown([finding("memory.errors", 3), surer, worse], {})
    assert [signature.code for signature in found] == ["MEM-3513", "MEM-3526", "MEM-3908"]


@pytest.mark.parametrize(
    ("measured", "least", "reached"),
    [
        (Conditions(70.0, 0.9), Conditions(68.0, 0.8), True),
        (Conditions(67.0, 0.9), Conditions(68.0, 0.8), False),
        (Conditions(None, 0.9), Conditions(68.0, None), False),
        (Conditions(None, None), Conditions(None, None), True),
        (Conditions(20.0, 0.1), Conditions(None, None), True),
    ],
)
def test_conditions(measured: Conditions, least: Conditions, reached: bool) -> None:
    assert measured.reach(least) is reached


numbers = st.floats(0, 1e6)


@given(
    st.builds(
        Round,
        st.integers(1, 999),
        st.text(max_size=9),
        st.integers(0, (1 << 31) - 1),
        numbers,
        st.dictionaries(st.text(max_size=5), numbers, max_size=3),
        st.builds(Conditions, st.none() | numbers, st.none() | st.floats(0, 1)),
        st.tuples(st.builds(Signature, st.text(max_size=9), st.sampled_from(ComponentKind), st.text(max_size=9))),
        st.booleans(),
    )
)
def test_it_is_read_as_it_was_written(played: Round) -> None:
    assert Round.from_json(played.to_json()) == played


@pytest.mark.parametrize("field", ["number", "hours", "exposed", "conditions", "shown"])
def test_what_is_no_round_is_refused(field: str) -> None:
    whole = Round(1, "memory", 5, 0.1, {"hours": 0.1}, Conditions(), (), True).to_json()
    for wrong in (None, "x", [1], float("nan"), True, -1):
        with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
            Round.from_json({**whole, field: wrong})
