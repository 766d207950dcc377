"""How fast the battery-backed clock runs: its ticks against the system's monotonic clock.

The moment at which the clock's second changes is caught twice, at the beginning and at the end. Each catch is known to
the time between two looks, so the drift is known to the sum of both over the time between them, which is said with it.

Readings, subject ``rtc0``: ``rtc_test.drift`` (ppm; positive runs fast; 11.6 ppm are one second a day),
``rtc_test.error`` (ppm, the most by which the catches can have shifted it) and ``rtc_test.seconds`` (s, between them).
The monotonic clock is as right as its own source: where no time server disciplines it, some 20 ppm of the drift may be
its own.
Source of the format: Documentation/ABI/testing/sysfs-class-rtc (``since_epoch``: whole seconds); rtc-cmos gives whole
seconds and waits up to 10 ms while the chip counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.tests_hw._test import Bout, HardwareTest, Measured

LOOK_S = 0.002
"""Seconds between two looks while a tick is waited for; ours: two of them in a minute are 70 ppm, in an hour 1."""
TICK_WITHIN_S = 3.0
"""Seconds within which a clock that goes has ticked; ours."""
SHORTEST_S = 1.0
"""Seconds between the two ticks, at least."""

_CLOCK = "/sys/class/rtc/rtc0/since_epoch"
_KIND = "rtc-test-json"


class Tick(NamedTuple):
    """``second`` began between ``after`` and ``before`` (s, monotonic clock)."""

    second: int
    after: float
    before: float


class RtcTest(HardwareTest):
    """See the module."""

    name = "rtc"
    programs = ()
    heats = ()
    disturbs = Text("nothing that you would notice")
    least_s = 60.0
    slack_s = 30.0
    measures: ClassVar = {"rtc_test.drift": "ppm", "rtc_test.error": "ppm", "rtc_test.seconds": "s"}

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Catch a tick, wait, and catch another."""
        if host.tree(_CLOCK).tree().integer(_CLOCK) is None:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
            return
        started, begun = now(), time.monotonic()
        first = _tick(host)
        if first is not None:
            time.sleep(max(0.0, begun + bout.seconds - 2.0 - time.monotonic()))
        last = _tick(host) if first is not None else None
        data = json.dumps({"ticks": [tick for tick in (first, last) if tick is not None]}).encode()
        yield Evidence(_KIND, "rtc0", data, _CLOCK, started, duration_s=round(time.monotonic() - begun, 2))

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Readings where both ticks were caught; a clock that does not tick is an error of the test, not its drift."""
        piece = next((e for e in evidence if e.kind == _KIND), None)
        if piece is None:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
            return
        ticks = _ticks(piece.json())
        if len(ticks) != 2 or ticks[1].after < ticks[0].before + SHORTEST_S:
            reason = Text("no answer within {seconds} s", {"seconds": TICK_WITHIN_S})
            yield Gap("rtc0", Outcome.ERROR, reason, essential=True)
            return
        first, last = ticks
        passed = (last.after + last.before - first.after - first.before) / 2
        error = (last.before - last.after + first.before - first.after) / 2
        drift = (last.second - first.second - passed) / passed
        for quantity, value, unit in (
            ("drift", round(drift * 1e6, 2), "ppm"),
            ("error", round(error / passed * 1e6, 2), "ppm"),
            ("seconds", round(passed, 3), "s"),
        ):
            part = ComponentKind.MOTHERBOARD
            yield Reading(f"rtc_test.{quantity}", value, unit, part, "rtc0", piece.source, piece.time)


TEST = RtcTest()


def _tick(host: Host) -> Tick | None:
    """The next change of the clock's second; ``None`` when there is none in time."""
    until = time.monotonic() + TICK_WITHIN_S
    before, after = host.tree(_CLOCK).tree().integer(_CLOCK), time.monotonic()
    while after < until:
        time.sleep(LOOK_S)
        asked = time.monotonic()
        second, answered = host.tree(_CLOCK).tree().integer(_CLOCK), time.monotonic()
        if second is not None and second != before:
            return Tick(second, after, answered)
        # what was answered is of a moment after the question: the change cannot have been before it
        after = asked
    return None


def _ticks(loaded: Any) -> list[Tick]:
    """The ticks in the decoded evidence, of those that are whole."""
    found = loaded.get("ticks") if isinstance(loaded, dict) else None
    return [
        Tick(*tick)
        for tick in (found if isinstance(found, list) else ())
        if isinstance(tick, list)
        and len(tick) == 3
        and isinstance(tick[0], int)
        and abs(tick[0]) < 1 << 53
        and all(isinstance(t, int | float) and 0 <= t < 1e12 for t in tick[1:])
        and tick[1] <= tick[2]
    ]
