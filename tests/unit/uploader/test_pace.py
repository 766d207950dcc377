"""How much is sent at a time, and how fast."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.uploader.server import RMA, Behaviour, receiver
from uploader.bundle.seal import Sealed
from uploader.keys import DeviceKey
from uploader.outbox import Outbox
from uploader.pace import FIRST, GROWTH, LEAST, LEAST_RATE, MOST, PART_S, Pace
from uploader.receiver import Receiver
from uploader.send import send

SECONDS = st.floats(0.0, 1e6)
HAPPENS = st.one_of(SECONDS, st.none())
"""A part arrives within so many seconds, or does not."""


@given(st.lists(HAPPENS, max_size=40))
@example([0.0] * 12)
@example([None] * 12)
def test_a_part_stays_within_its_bounds_and_grows_no_faster_than_it_may(line: list[float | None]) -> None:
    pace, broken = Pace(), False
    for seconds in line:
        before = pace.part
        if seconds is None:
            broken = True
            pace.broke()
            assert pace.part == max(LEAST, before // 2)
        else:
            pace.arrived(before, seconds)
            assert pace.part <= before * (1.25 if broken else GROWTH)
        assert LEAST <= pace.part <= MOST


@given(st.integers(LEAST, MOST))
def test_on_a_steady_line_a_part_takes_its_seconds(bytes_a_part: int) -> None:
    rate, pace = bytes_a_part / PART_S, Pace()
    for _ in range(8):
        pace.arrived(pace.part, pace.part / rate)
    assert pace.part == pytest.approx(bytes_a_part, abs=2)


def test_a_slow_line_is_not_asked_for_a_large_part_first() -> None:
    assert FIRST * 8 / 1e6 < PART_S, "at 1 Mbit/s"


@given(st.binary(max_size=5000), st.lists(st.integers(1, 2000), max_size=8))
def test_what_is_read_is_the_part(part: bytes, blocks: list[int]) -> None:
    for pace in (Pace(), Pace(1 << 40)):
        body = pace.body(part)
        assert b"".join([*(body.read(block) for block in blocks), body.read()]) == part


def test_it_is_told_how_far_a_part_is() -> None:
    """A small bundle is one part, and a slow line takes a minute for it."""
    told: list[int] = []
    body = Pace().body(bytes(40_000), told.append)
    while body.read(16 << 10):
        pass
    assert told == [16_384, 32_768, 40_000]


def test_a_limit_is_kept_from_part_to_part() -> None:
    """Never more than what the time since the beginning allows, but for what is in flight and half a second's worth."""
    rate, block = 400_000, 16 << 10
    pace, begun, sent = Pace(rate), time.monotonic(), 0
    for _ in range(4):
        body = pace.body(bytes(64 << 10))
        while given := body.read(block):
            assert sent <= rate * (time.monotonic() - begun + 0.5)
            sent += len(given)
    assert time.monotonic() - begun >= (sent - block) / rate - 0.5


def test_a_bundle_is_sent_no_faster_than_it_may_be(sealed: Sealed, tmp_path: Path) -> None:
    """The real transfer: what the receiver has got at any moment."""
    behaviour = Behaviour(DeviceKey.load_or_create(tmp_path / "receiver-key"))
    outbox = Outbox(tmp_path / "outbox")
    got: list[tuple[float, int]] = []
    with receiver(behaviour) as url:
        entry = outbox.add(sealed.path, rma=RMA, server=url)
        begun = time.monotonic()
        send(
            outbox,
            entry,
            Receiver(url, tmp_path / "state"),
            lambda has, _whole: got.append((time.monotonic() - begun, has)),
            rate=LEAST_RATE,
        )
    assert got[-1][1] == sealed.size
    assert all(has <= LEAST_RATE * (passed + 0.5) + (16 << 10) for passed, has in got)
