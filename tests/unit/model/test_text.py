"""Sentences stay sentences, whatever template and values they come with."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import Text
from agent.model.text import fill
from tests.unit.model import strategies as any_


def test_fields_are_filled():
    assert str(Text("{program} is not installed", {"program": "smartctl"})) == "smartctl is not installed"
    assert str(Text("{watts:.1f} W, {{braces}}", {"watts": 12.345})) == "12.3 W, {braces}"
    assert str(Text("needs root")) == "needs root"


@pytest.mark.parametrize(
    "template",
    [
        "{absent}",
        "{",
        "}",
        "{}",
        "{0}",
        "{a!x}",
        "{a:y}",
        "{a[0]}",
        "{a.real}",
        "{a.__class__}",
        "{a:>99999999999}",
        "{a:{b}}",
        "{a}" * 10_000,
    ],
)
def test_a_template_that_does_not_fit_is_given_back(template):
    assert fill(template, {"a": 5, "b": ">9999999999"}) == template


@settings(deadline=None)
@given(st.text() | st.text(alphabet="{}ab:.[]!0d>9"), any_.fields)
def test_filling_never_raises_and_never_explodes(template, values):
    assert len(fill(template, values)) <= 20 * (len(template) + 400 * (1 + sum(map(len, map(str, values.values())))))


@settings(deadline=None)
@given(any_.texts)
def test_a_text_round_trips(text):
    assert Text.from_json(json.loads(json.dumps(text.to_json()))) == text
