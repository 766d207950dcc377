"""Whether the unit stood still, slept, or had its clock set while a test ran.

Sleeps a tenth of a second again and again and looks how much later it wakes. On a busy unit that is because others have
the processor, and the kernel says for how long (``/proc/self/schedstat``); what is left is a unit that did not run at
all: firmware that keeps the processors to itself, interrupts that do not come, hardware that hangs. Not counted is a
tick in which the agent itself was stopped (Ctrl-Z), the unit slept, or a page of the agent came from the disk.

Readings: ``heartbeat_watch.late``, the longest that it woke too late for whatever reason; ``heartbeat_watch.gap``, the
longest that nothing explains, and ``heartbeat_watch.first_gap``, when the first came since the watch began (all in s);
``heartbeat_watch.gaps`` (count, of :data:`GAP_S` and more); ``heartbeat_watch.asleep`` (s), how long the unit slept;
``heartbeat_watch.clock_jump`` (s), by how much the clock was set, at most; ``heartbeat_watch.ticks`` (count) and
``heartbeat_watch.seconds`` (s). A kernel that does not tell how long a process waited gives no gaps.

Sources: Linux Documentation/scheduler/sched-stats.rst (second field: ns on the run queue); clock_gettime(2):
CLOCK_MONOTONIC stops while the unit sleeps, CLOCK_BOOTTIME does not, CLOCK_REALTIME is set.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Reading
from agent.watch._lookout import Lookout
from agent.watch._watcher import Observed, Watcher

TICK_S = 0.1
GAP_S = 0.25
"""Seconds of standstill that are counted; ours. On two cores with seven busy processes, ticks were up to 13 ms late, of
which 0.9 ms were not explained (Linux 6.18 under KVM, 20 s)."""
GAPS_KEPT = 100
"""Gaps that are kept with their time; more are counted. Ours."""
JUMP_S = 0.05
"""Seconds below which the clock was not set but slewed (adjtime(3): 0.5 ms/s) or read in between; ours."""
SLEPT_S = 0.05
"""As much for a unit that slept; the two clocks are read one after the other."""

_KIND = "heartbeat-watch-json"
_SCHEDSTAT = "/proc/self/schedstat"


class _Moment(NamedTuple):
    """All clocks in s; ``waited`` is how long this process has waited for a processor, ``faults`` how many of its pages
    came from the disk.
    """

    monotonic: float
    asleep: float
    real: float
    waited: float | None
    faults: int


@dataclass(slots=True)
class _Seen:
    accounted: bool = True
    ticks: int = 0
    late: float = 0.0
    gap: float = 0.0
    gaps: int = 0
    asleep: float = 0.0
    clock_jump: float = 0.0
    first: list[list[float]] = field(default_factory=list)

    def take(self, was: _Moment, is_now: _Moment, *, stopped: bool, at: float) -> None:
        """One tick; ``at`` is its time since the watch began."""
        passed = is_now.monotonic - was.monotonic
        late = max(passed - TICK_S, 0.0)
        slept = is_now.asleep - was.asleep
        jump = is_now.real - was.real - passed - slept
        self.ticks += 1
        self.late = max(self.late, late)
        if slept > SLEPT_S:
            self.asleep += slept
        if abs(jump) > max(JUMP_S, abs(self.clock_jump)):
            self.clock_jump = jump
        if was.waited is None or is_now.waited is None:
            self.accounted = False
            return
        if stopped or slept > SLEPT_S or is_now.faults > was.faults:
            return
        gap = max(late - (is_now.waited - was.waited), 0.0)
        self.gap = max(self.gap, gap)
        if gap >= GAP_S:
            self.gaps += 1
            if len(self.first) < GAPS_KEPT:
                self.first.append([round(at, 2), round(gap, 3)])


class HeartbeatWatcher(Watcher):
    """See the module."""

    name = "heartbeat"

    def watch(self, host: Host, lookout: Lookout) -> Iterator[Evidence | Gap]:
        """One piece of evidence about the whole time."""
        if host.root:
            return  # captured files have no clock
        try:
            schedstat = os.open(_SCHEDSTAT, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            schedstat = None
        started, begun = now(), _moment(schedstat)
        seen, was = _Seen(), begun
        continued: list[int] = []
        before = signal.signal(signal.SIGCONT, lambda number, _: continued.append(number))
        lookout.begin()
        try:
            while lookout.goes_on():
                time.sleep(TICK_S)
                is_now = _moment(schedstat)
                at = was.monotonic - begun.monotonic
                seen.take(was, is_now, stopped=bool(continued), at=at)
                continued.clear()
                was = is_now
        finally:
            signal.signal(signal.SIGCONT, before)
            if schedstat is not None:
                os.close(schedstat)
        seconds = round(was.monotonic - begun.monotonic, 2)
        data = json.dumps({"seconds": seconds, **asdict(seen)}).encode()
        yield Evidence(_KIND, "", data, _SCHEDSTAT, started, duration_s=seconds)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Observed]:
        """Readings of the unit as a whole."""
        for piece in evidence:
            loaded = piece.json() if piece.kind == _KIND else None
            if isinstance(loaded, Mapping):
                yield from _readings(loaded, piece)


WATCHER = HeartbeatWatcher()


def _moment(schedstat: int | None) -> _Moment:
    monotonic = time.monotonic()
    return _Moment(
        monotonic,
        time.clock_gettime(time.CLOCK_BOOTTIME) - monotonic,
        time.time(),
        _waited(schedstat),
        resource.getrusage(resource.RUSAGE_SELF).ru_majflt,
    )


def _waited(schedstat: int | None) -> float | None:
    if schedstat is None:
        return None
    try:
        return int(os.pread(schedstat, 100, 0).split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def _readings(loaded: Mapping[str, Any], piece: Evidence) -> Iterator[Reading]:
    told: dict[str, Any] = {name: loaded.get(name) for name in ("late", "asleep", "clock_jump", "ticks", "seconds")}
    if loaded.get("accounted") is True:
        told |= {name: loaded.get(name) for name in ("gap", "gaps")}
        first = loaded.get("first")
        if isinstance(first, list) and first and isinstance(first[0], list) and first[0]:
            told["first_gap"] = first[0][0]
    for name, value in told.items():
        counted = name in ("ticks", "gaps")
        number = isinstance(value, int if counted else int | float) and not isinstance(value, bool)
        if number and abs(value) < 1e9 and (value >= 0 or name == "clock_jump"):
            measured, unit = (value, "count") if counted else (round(value, 3), "s")
            part = ComponentKind.MOTHERBOARD
            yield Reading(f"heartbeat_watch.{name}", measured, unit, part, "", piece.source, piece.time)
