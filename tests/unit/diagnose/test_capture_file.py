"""A capture gives itself again, to the byte; and what is none is refused in one way."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.diagnose import payload
from agent.diagnose.capture import KEPT_OUTCOMES, Capture, CapturedStep
from agent.diagnose.capture_file import decode, encode
from agent.model import Evidence, Gap, Outcome, Text, Tree
from tests.unit.model.strategies import evidence, fields, gaps, texts, words
from uploader.strict_json import Malformed

TIME = "2026-11-23T14:22:33.123Z"

listed = st.recursive(st.none() | st.booleans() | st.integers() | words, lambda inner: st.lists(inner, max_size=3))
files = st.dictionaries(words.map("/{}".format), words | st.fixed_dictionaries({"link": words}), max_size=4)
raw = st.one_of(
    st.binary(max_size=200),
    words.map(str.encode),
    files.map(lambda tree: Tree(tree).encode()),
    st.dictionaries(words, listed, max_size=4).map(lambda value: json.dumps(value, ensure_ascii=False).encode()),
    st.dictionaries(words, listed, max_size=4).map(lambda value: json.dumps(value, indent=2).encode()),
)
kept = st.tuples(st.none() | st.sampled_from(KEPT_OUTCOMES), st.none() | texts)
steps = st.builds(
    lambda name, items, data, missing, became: CapturedStep(
        name,
        tuple(replace(item, data=data) for item in items),
        tuple(missing),
        became[0],
        became[1] if became[0] else None,
    ),
    st.text(st.characters(codec="utf-8"), max_size=9).filter(lambda name: name != "rules"),
    st.lists(evidence, max_size=2),
    raw,
    st.lists(gaps, max_size=2),
    kept,
)
captures = st.builds(
    Capture,
    unit=st.dictionaries(words, words, max_size=3),
    needed=st.lists(words, max_size=3).map(tuple),
    steps=st.lists(steps, max_size=3, unique_by=lambda step: step.id).map(tuple),
    description=words,
    run_id=words,
    agent=words,
    started=words,
    plan=words,
    symptom=words,
)

SMALL = Capture(
    unit={"serial": "AIO24-0001"},
    needed=("probe.thermals", "rules"),
    steps=(
        CapturedStep(
            "probe.thermals",
            (
                Evidence("tree", "cpu", Tree({"/proc/a": "1\n", "/proc/b": "x\ny\n"}).encode(), "/proc/*", TIME),
                Evidence("edid", "", b"\x00\xff" * 64, "/sys/x", TIME),
                Evidence("dmesg", "", b"[ 0.0] a\n[ 0.1] b\n", "dmesg", TIME, 0, 0.1, True, Text("{a}", {"a": 1})),
            ),
            (Gap("zone0", Outcome.ERROR, Text("no answer within {seconds} s", {"seconds": 2.0}), True, "sudo x"),),
            Outcome.ERROR,
            Text("no answer within {seconds} s", {"seconds": 10.0}),
        ),
    ),
)


@given(capture=captures)
def test_it_gives_itself_again(capture: Capture) -> None:
    written = encode(capture)
    assert decode(written) == capture
    assert encode(decode(written)) == written


@given(data=raw | st.binary())
@example(data=b"{}")
@example(data=b'{"a": 1e999}')
@example(data=b'{"a": NaN}')
@example(data=b'{"/a":"x\\ny"}')
@example(data=b'{"/a":["x"]}')
@example(data=b'{"/a":"\\ud800"}')
@example(data=b'{"a": 1, "a": 1}')
@example(data=b"[" * 100_000)
@example(data=b"1" * 5000)
@example(data=b"a\r\nb\x1b[0m\n")
def test_every_evidence_is_kept_to_the_byte(data: bytes) -> None:
    form = json.loads(json.dumps(payload.to_json(data), allow_nan=False))
    assert payload.from_json(form) == data


def test_a_person_can_read_it() -> None:
    lines = [line.strip() for line in encode(SMALL).decode().splitlines()]
    assert '"/proc/a": "1\\n",' in lines
    assert lines[(at := lines.index('"/proc/b": [') + 1) : at + 3] == ['"x",', '"y",', '""']
    assert '"[ 0.0] a",' in lines
    assert any(line.startswith('"AP8A/wD/') for line in lines)
    assert max(map(len, lines)) < 120


@given(data=st.data())
def test_what_was_changed_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    written = bytearray(encode(SMALL))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(written) - 1))
        written[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=4))
    try:
        capture = decode(bytes(written))
    except Malformed:
        return
    encode(capture)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3) | fields,
    max_leaves=6,
)


@given(data=st.data(), value=json_values)
def test_a_member_of_another_type_is_refused_or_read(data: st.DataObject, value: object) -> None:
    document = json.loads(encode(SMALL))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(keys))
        inside = place[key]
        if not isinstance(inside, dict | list) or not inside or data.draw(st.booleans()):
            break
        place = inside
    place[key] = value
    with contextlib.suppress(Malformed):
        decode(json.dumps(document).encode())


def changed(**members: object) -> bytes:
    return json.dumps({**json.loads(encode(SMALL)), **members}).encode()


STEP = {"step": "probe.cpu", "gaps": [], "evidence": []}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[" * 1_000_000,
        encode(SMALL)[:-10],
        encode(SMALL).replace(b"1", b"\xff"),
        changed(format="something else"),
        changed(schema=2),
        changed(extra=1),
        changed(steps=[STEP, STEP]),
        changed(steps=[{**STEP, "step": "rules"}]),
        changed(steps=[{**STEP, "outcome": "pass", "reason": None}]),
        changed(steps=[{**STEP, "outcome": "fail", "reason": None}]),
        changed(unit={"serial": 1}),
    ],
)
def test_what_is_no_capture(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data)


def test_only_some_areas() -> None:
    whole = replace(
        SMALL,
        needed=("probe.cpu", "probe.thermals", "rules"),
        steps=(*SMALL.steps, CapturedStep("probe.memory"), CapturedStep("test.memory")),
    )
    assert whole.areas == ["memory", "thermals"]
    assert [step.id for step in whole.only(["memory"]).steps] == ["probe.memory", "test.memory"]
    assert whole.only(["thermals"]).needed == ("probe.thermals", "rules")
    with pytest.raises(KeyError, match="cpu"):
        whole.only(["cpu", "memory"])
