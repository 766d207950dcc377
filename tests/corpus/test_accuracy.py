"""The agent is as right about real captures as ``docs/accuracy.md`` says, and as its goals ask."""

from __future__ import annotations

import pytest

from tests.corpus import report
from tests.corpus.evaluation import (
    Document,
    Documents,
    Kind,
    Marked,
    Result,
    all_kinds,
    broken_steps,
    explained,
    marked,
    share,
)
from tests.corpus.index import Row

WRONG = (Result.MISSED, Result.FALSE_ALARM)


@pytest.fixture(scope="module")
def marks(captures: list[Row], documents: Documents) -> dict[str, list[Marked]]:
    return {kind.name: marked(kind, captures, documents) for kind in all_kinds()}


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.name)
def test_it_reaches_its_goal(kind: Kind, marks: dict[str, list[Marked]]) -> None:
    wrong = "\n".join(f"{m.row.path}: {m.mark}" for m in marks[kind.name] if m.mark.result in WRONG)
    assert marks[kind.name]
    detected = share(marks[kind.name], Result.DETECTED, Result.MISSED)
    assert detected is None or detected >= kind.goal.detected, wrong
    alarms = share(marks[kind.name], Result.FALSE_ALARM, Result.CLEAR)
    assert alarms is None or alarms <= kind.goal.false_alarms, wrong


def test_every_miss_and_false_alarm_is_explained_and_nothing_else(marks: dict[str, list[Marked]]) -> None:
    wrong = {m.row.path for of_kind in marks.values() for m in of_kind if m.mark.result in WRONG}
    assert wrong == set(explained())


def test_nothing_breaks(documents: Documents) -> None:
    assert not [path for path, document in documents.items() if _broke(document)]


def test_the_page_says_what_was_measured(marks: dict[str, list[Marked]]) -> None:
    assert report.on_page() == report.region(marks, all_kinds()), "./dev accuracy writes it"


def _broke(document: Document) -> bool:
    if document["refused"]:
        return "broke" in document["refused"]["text"]
    return bool(broken_steps(document))
