"""Every fault code says what it must, in every language."""

from __future__ import annotations

import re
import string

import pytest

from agent.catalogue import LANGUAGES, Entry, entries
from agent.model import UNITS
from agent.model.check_digit import check_digit
from agent.plans import symptoms

CODES = sorted(entries().values(), key=lambda e: e.code)
RANGES = {
    "DISK": (100, 199),
    "HEAT": (200, 249),
    "FAN": (250, 299),
    "MEM": (300, 399),
    "LCD": (400, 499),
    "VOLT": (500, 549),
    "GPU": (550, 559),
    "CPU": (600, 699),
    "BUS": (700, 719),
    "USB": (720, 739),
    "NET": (740, 759),
    "SND": (760, 779),
    "CAM": (780, 799),
    "FW": (800, 819),
    "CLOCK": (820, 839),
    "LOG": (840, 869),
    "DOWN": (870, 899),
    "UNIT": (900, 919),
}

pytestmark = pytest.mark.parametrize("known", CODES, ids=[e.code for e in CODES])


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_its_code_can_be_read_over_the_phone(known: Entry) -> None:
    match = re.fullmatch(r"([A-Z]{2,5})-(\d{3})(\d)", known.code)
    assert match
    low, high = RANGES[match[1]]
    assert low <= int(match[2]) <= high
    assert int(match[3]) == check_digit(match[2])


def test_the_digits_alone_are_unique(known: Entry) -> None:
    assert [e.code for e in CODES].count(known.code) == 1
    assert [e.code.partition("-")[2] for e in CODES].count(known.code.partition("-")[2]) == 1


@pytest.mark.parametrize("which", ["title", "message", "advice"])
def test_it_speaks_every_language_with_the_same_fields(known: Entry, which: str) -> None:
    texts = getattr(known, which)
    assert set(texts) == set(LANGUAGES)
    assert all(text.strip() for text in texts.values())
    assert len({frozenset(fields(text)) for text in texts.values()}) == 1
    assert texts["en"] != texts["es"] != texts["zh_Hant"]
    assert re.search("[\u4e00-\u9fff]", texts["zh_Hant"])
    if which != "message":
        assert not fields(texts["en"])


def test_warranty_replay_and_thresholds(known: Entry) -> None:
    assert known.warranty in {"chassis", "lcd", "motherboard", "spare-part"}
    assert known.replay == "" or known.replay in symptoms()
    for threshold in known.thresholds.values():
        assert threshold.unit in UNITS
        assert len(threshold.source) > 3
