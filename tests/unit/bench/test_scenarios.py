"""Every scenario says what a scenario must say, before any machine is started."""

from __future__ import annotations

import pytest

from agent.catalogue import entries
from agent.model import ComponentKind, Severity
from agent.plans import plans, symptoms
from agent.runner.testing import known_tests
from agent.texts import LANGUAGES
from tests.bench import personality
from tests.bench.scenario import Scenario, scenarios

ALL = scenarios()
OTHER_PART = {"NET-7557": ComponentKind.ETHERNET}
"""Codes of two parts, with the one that the catalogue does not name."""
each = pytest.mark.parametrize("scenario", ALL, ids=[s.name for s in ALL])


@each
def test_it_speaks_of_things_that_there_are(scenario: Scenario) -> None:
    for expected in scenario.expected:
        entry = entries()[expected.code]
        assert ComponentKind(expected.component) in (entry.component, OTHER_PART.get(expected.code)), expected.code
        assert entry.severity is Severity(expected.severity), expected.code
    assert set(scenario.tolerated) <= set(entries())
    assert scenario.symptom is None or scenario.symptom in symptoms()
    assert scenario.plan in plans()
    assert set(scenario.tests) <= set(known_tests())
    assert scenario.language in LANGUAGES
    assert scenario.personality in personality.names()


@each
def test_it_says_what_a_customer_would_say_and_can_be_chosen(scenario: Scenario) -> None:
    assert len(scenario.customer) > 10
    assert scenario.fault
    assert scenario.marks
    assert scenario.status in (None, 0, 1, 3)
    assert 0 < scenario.limit_s <= 600


def test_the_healthy_machine_is_asked_all_that_a_faulty_one_is_asked() -> None:
    asked = {_asked(s) for s in ALL if (s.symptom or s.tests) and "control" not in s.marks}
    controls = {_asked(s): s for s in ALL if "control" in s.marks}
    assert asked == set(controls)
    assert all(not s.expected and not s.tolerated and s.personality == "aio-24" for s in controls.values())


def _asked(scenario: Scenario) -> tuple[str, ...]:
    return tuple(scenario.command[: scenario.command.index("--lang")])


def test_nothing_is_both_expected_and_tolerated() -> None:
    for scenario in ALL:
        assert not {e.code for e in scenario.expected} & set(scenario.tolerated), scenario.name
