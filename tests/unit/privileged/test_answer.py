"""What the helper prints is what the agent reads, whatever comes between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.model import Evidence, Gap, Outcome, Text
from agent.privileged.answer import PIECE_CAP, answers, line
from agent.privileged.verbs import AREAS, VERBS
from agent.probes import areas

TIME = "2026-01-01T00:00:00.000Z"
ITEMS = st.one_of(
    st.builds(
        Evidence,
        kind=st.sampled_from(["tree", "smartctl-json"]),
        subject=st.text(max_size=8),
        data=st.binary(max_size=60),
        source=st.text(max_size=20),
        time=st.just(TIME),
        exit_status=st.none() | st.integers(-64, 255),
        problem=st.none() | st.just(Text("no answer within {seconds} s", {"seconds": 5.0})),
    ),
    st.builds(
        Gap, st.text(max_size=8), st.sampled_from(Outcome), st.just(Text("needs root")), st.booleans(), st.text()
    ),
)


@given(st.dictionaries(st.sampled_from(AREAS), st.lists(ITEMS, max_size=4)))
def test_all_comes_back(found: dict[str, list[Evidence | Gap]]) -> None:
    printed = b"".join(line(area, items) for area, items in found.items())
    assert answers(printed) == {area: tuple(items) for area, items in found.items()}


@given(st.lists(ITEMS, max_size=3), st.integers(0, 4000), st.binary(max_size=200))
def test_what_is_cut_off_or_foreign_is_passed_over(items: list[Evidence | Gap], cut: int, junk: bytes) -> None:
    whole = line("mce", items)
    assert answers(whole + line("unit", items)[: min(cut, len(line("unit", items)) - 1)]) == {"mce": tuple(items)}
    assert answers(whole + junk.replace(b"\n", b"") + b"\n").keys() >= {"mce"}
    assert isinstance(answers(junk), dict)


def test_an_answer_nested_without_end_is_passed_over() -> None:
    assert answers(b"[" * 200_000 + b"\n" + line("unit", [])) == {"unit": ()}


def test_a_flood_of_one_program_is_cut_and_says_so() -> None:
    flood = Evidence("dmesg", "", b"x" * (3 * PIECE_CAP), "dmesg", TIME)
    (item,) = answers(line("kernel_log", [flood]))["kernel_log"]
    assert isinstance(item, Evidence)
    assert (len(item.data), item.truncated) == (PIECE_CAP, True)


def test_verbs_are_areas_and_sets_of_them() -> None:
    assert set(AREAS) <= set(areas())
    assert all(set(looked_at) <= set(AREAS) for looked_at in VERBS.values())
