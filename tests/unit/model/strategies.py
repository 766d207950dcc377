"""Hypothesis strategies for the words of the product."""

from __future__ import annotations

from hypothesis import strategies as st

from agent.model import (
    UNITS,
    Component,
    ComponentKind,
    Evidence,
    Finding,
    Gap,
    Outcome,
    Reading,
    Severity,
    Text,
    Verdict,
)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Any Unicode text, control characters too, but no halves of surrogate pairs."""

numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
times = st.datetimes().map(lambda t: t.isoformat(timespec="milliseconds") + "Z")
fields = st.dictionaries(words, words | numbers, max_size=3)
texts = st.builds(Text, words, fields)
kinds = st.sampled_from(ComponentKind)
components = st.builds(Component, kinds, *[words] * 9)
readings = st.builds(
    Reading,
    name=st.from_regex(r"[a-z][a-z0-9_]{0,8}(\.[a-z0-9_]{1,8}){1,3}", fullmatch=True),
    value=words | numbers | st.booleans(),
    unit=st.sampled_from(sorted(UNITS)),
    component=kinds,
    subject=words,
    source=words,
    time=times,
)
gaps = st.builds(Gap, words, st.sampled_from(Outcome), texts, st.booleans(), words)
findings = st.builds(
    Finding,
    code=st.from_regex(r"[A-Z]{2,5}-[0-9]{4}", fullmatch=True),
    component=kinds,
    subject=words,
    severity=st.sampled_from(Severity),
    verdict=st.sampled_from(Verdict),
    confidence=st.floats(0, 1),
    values=fields,
    evidence=st.lists(readings, max_size=3).map(tuple),
)
evidence = st.builds(
    Evidence,
    kind=words,
    subject=words,
    data=st.binary(max_size=200) | st.builds(lambda b: b * 70_000, st.binary(min_size=1, max_size=1)),
    source=words,
    time=times,
    exit_status=st.none() | st.integers(-64, 255),
    duration_s=st.floats(0, 1e6),
    truncated=st.booleans(),
    problem=st.none() | texts,
)
