"""Digits over the telephone: what they say, and that a mistake is noticed."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.catalogue import entries
from agent.model import RunVerdict
from agent.model.spoken_code import MAX_FAULTS, Mistyped, SpokenCode

FAULTS = sorted(int(code.rpartition("-")[2]) for code in entries())
CODES = st.builds(
    SpokenCode.of,
    st.sampled_from(list(RunVerdict)),
    st.lists(st.sampled_from(FAULTS), unique=True, max_size=6),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
)


def test_what_it_looks_like() -> None:
    assert str(SpokenCode.of(RunVerdict.FAIL, (8400,), f"{1234:064x}")) == "284 012 347"
    assert str(SpokenCode.of(RunVerdict.PASS, (), f"{7:064x}"))[:6] == "100 07"
    assert SpokenCode.read("284.012-347 ") == SpokenCode(RunVerdict.FAIL, (8400,), False, 1234)


@given(CODES)
def test_what_is_said_is_what_is_read(code: SpokenCode) -> None:
    text = str(code)
    assert SpokenCode.read(text) == code
    assert len(text.replace(" ", "")) == 6 + 3 * len(code.faults)
    assert {len(group) for group in text.split()} == {3}


@given(st.lists(st.sampled_from(FAULTS), unique=True, max_size=6))
def test_only_the_worst_are_named_and_that_there_are_more_is_said(faults: list[int]) -> None:
    code = SpokenCode.of(RunVerdict.INCOMPLETE, faults, "0" * 64)
    assert (code.faults, code.more) == (tuple(faults[:MAX_FAULTS]), len(faults) > MAX_FAULTS)


@given(CODES, st.data())
def test_one_wrong_digit_is_noticed(code: SpokenCode, data: st.DataObject) -> None:
    digits = str(code).replace(" ", "")
    at = data.draw(st.integers(0, len(digits) - 1))
    wrong = digits[:at] + data.draw(st.sampled_from("0123456789")) + digits[at + 1 :]
    assume(wrong != digits)
    with pytest.raises(Mistyped):
        SpokenCode.read(wrong)


@given(CODES, st.data())
def test_swapped_neighbours_are_noticed(code: SpokenCode, data: st.DataObject) -> None:
    digits = str(code).replace(" ", "")
    at = data.draw(st.integers(0, len(digits) - 2))
    swapped = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
    assume(swapped != digits)
    with pytest.raises(Mistyped):
        SpokenCode.read(swapped)


@given(CODES, st.data())
def test_a_digit_too_many_or_too_few_is_noticed(code: SpokenCode, data: st.DataObject) -> None:
    digits = str(code).replace(" ", "")
    at = data.draw(st.integers(0, len(digits) - 1))
    for wrong in (digits[:at] + digits[at + 1 :], digits[:at] + "5" + digits[at:]):
        with pytest.raises(Mistyped, match="6, 9, 12 or 15"):
            SpokenCode.read(wrong)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        code = SpokenCode.read(text)
    except Mistyped:
        return
    assert str(code).replace(" ", "") == text[:100].translate(str.maketrans("", "", " -.\t"))


@pytest.mark.parametrize("text", ["", "0" * 6, "000 000 000", "٢٨٤٠١٢٣٤٧", "２８４０１２３４７", "700 000", "1" * 5000])
def test_what_is_no_code(text: str) -> None:
    with pytest.raises(Mistyped):
        SpokenCode.read(text)
