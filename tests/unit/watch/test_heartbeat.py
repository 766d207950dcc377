"""A heart that beats on time, one that is stopped, and one that is held up by nobody knows whom."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Reading, Verdict
from agent.rules import apply
from agent.watch import for_seconds
from agent.watch.heartbeat import GAP_S, WATCHER, _Moment, _Seen

ROOT = Path(__file__).resolve().parents[3]
TIME = "2026-01-01T00:00:00.000Z"
SCHEDSTAT = Path("/proc/self/schedstat")
WATCHING = """
import sys
from agent.host import Host
from agent.watch import for_seconds
from agent.watch.heartbeat import WATCHER
print("begun", flush=True)
(piece,) = WATCHER.watch(Host(), for_seconds(1.5))
print(piece.data.decode())
"""

told = pytest.mark.skipif(not SCHEDSTAT.exists(), reason="this kernel does not tell how long a process waited")


def values(data: bytes) -> dict[str, object]:
    piece = Evidence("heartbeat-watch-json", "", data, str(SCHEDSTAT), TIME)
    return {
        r.name.removeprefix("heartbeat_watch."): r.value for r in WATCHER.interpret([piece]) if isinstance(r, Reading)
    }


@told
def test_an_agent_that_was_stopped_is_late_and_the_unit_did_not_stand_still() -> None:
    command = [sys.executable, "-c", WATCHING]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "begun\n"
        time.sleep(0.5)
        watching.send_signal(signal.SIGSTOP)
        time.sleep(1.0)
        watching.send_signal(signal.SIGCONT)
        seen = values(watching.stdout.read().encode())
    assert isinstance(seen["late"], float)
    assert seen["late"] > 0.5
    assert seen["gaps"] == 0


@told
def test_what_holds_it_up_without_a_reason_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer that comes late, as on a unit that stands still."""
    sleep, naps = time.sleep, iter([0.1, 0.6])
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(next(naps, seconds)))
    before = signal.getsignal(signal.SIGCONT)
    (piece,) = WATCHER.watch(Host(), for_seconds(1.0))
    assert isinstance(piece, Evidence)
    seen = values(piece.data)
    assert isinstance(seen["gaps"], int)
    assert seen["gaps"] >= 1
    assert isinstance(seen["gap"], float)
    assert seen["gap"] >= GAP_S
    assert "first_gap" in seen
    assert signal.getsignal(signal.SIGCONT) == before


def tick(**changed: float) -> _Seen:
    seen, was = _Seen(), _Moment(100.0, 0.0, 1000.0, 5.0, 7)
    now = _Moment(100.1, 0.0, 1000.1, 5.0, 7)._replace(**changed)
    seen.take(was, now, stopped=False, at=0.0)
    return seen


def test_what_others_took_of_the_processor_is_no_gap() -> None:
    seen = tick(monotonic=102.1, real=1002.1, waited=7.0)
    assert (round(seen.late, 3), seen.gaps) == (2.0, 0)


def test_what_the_disk_took_is_no_gap() -> None:
    assert tick(monotonic=102.1, real=1002.1, faults=8).gaps == 0


def test_the_same_without_an_explanation_is_one() -> None:
    seen = tick(monotonic=102.1, real=1002.1)
    assert (round(seen.gap, 3), seen.gaps) == (2.0, 1)


def test_a_unit_that_slept_is_told_apart() -> None:
    seen = tick(monotonic=101.0, asleep=3600.0, real=4601.0)
    assert (round(seen.asleep), seen.gaps, seen.clock_jump) == (3600, 0, 0.0)


@pytest.mark.parametrize("jump", [-86400.0, 3.0])
def test_a_clock_that_is_set_is_told(jump: float) -> None:
    assert tick(real=1000.1 + jump).clock_jump == pytest.approx(jump)


def test_a_kernel_that_does_not_tell_gives_no_gaps() -> None:
    seen = tick(monotonic=102.1, waited=None)  # type: ignore[arg-type]
    assert not seen.accounted
    data = json.dumps({"accounted": False, "gap": 2.0, "gaps": 1, "late": 2.0, "seconds": 5, "ticks": 9}).encode()
    assert values(data).keys() == {"late", "seconds", "ticks"}


@given(st.dictionaries(st.sampled_from(["late", "gap", "gaps", "first", "accounted", "seconds"]), st.integers()))
def test_evidence_that_cannot_be_breaks_nothing(loaded: dict[str, int]) -> None:
    assert values(json.dumps(loaded | {"accounted": True}).encode()) is not None


def judged(gap: float, *, virtual: bool = False) -> list[Finding]:
    part = ComponentKind.MOTHERBOARD
    readings = [
        Reading("heartbeat_watch.gap", gap, "s", part, "", str(SCHEDSTAT), TIME),
        Reading("heartbeat_watch.gaps", 2, "count", part, "", str(SCHEDSTAT), TIME),
        Reading("cpu.virtual", virtual, "", ComponentKind.CPU, "cpu", "cpuinfo", TIME),
    ]
    return list(apply(readings))


def test_a_unit_that_stood_still_is_a_hint() -> None:
    (found,) = judged(2.34)
    assert (found.code, found.verdict, found.values) == ("CPU-6510", Verdict.UNKNOWN, {"seconds": 2.3, "count": 2})


def test_a_short_one_or_one_of_a_virtual_machine_is_none() -> None:
    assert judged(0.5) == []
    assert judged(2.0, virtual=True) == []


def test_a_clock_of_captured_files_there_is_none(tmp_path: Path) -> None:
    assert list(WATCHER.watch(Host(str(tmp_path)), for_seconds(1.0))) == []
