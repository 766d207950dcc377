"""Sleep and waking up: the unit is suspended to memory for some seconds, again and again, and looked at each time.

rtcwake sets the clock's alarm and suspends. That the alarm works is tried first, awake: a unit without one would sleep
until somebody wakes it. What was there before must be there :data:`BACK_S` after it woke: USB devices, drives, network
links and connected screens. How long it slept is what the two clocks of the kernel say, of which one stops meanwhile.
What the kernel says of devices that would not sleep or wake is for the watcher of the system log.

The duration is time awake: all time limits here stand still while the unit sleeps.

Readings: ``suspend_test.cycles`` (count), ``suspend_test.failed`` (count, it did not fall asleep, or rtcwake says that
it failed), ``suspend_test.early`` and ``suspend_test.late`` (count, it woke up more than :data:`LEEWAY_S` before or
after the alarm); ``suspend_test.asleep`` and ``suspend_test.asked`` (s, in all); ``suspend_test.back`` (s, the longest
that it took until all was there again, of what came back); ``suspend_test.lost`` (count, of each thing, after how many
cycles it did not come back).
Sources: rtcwake(8) of util-linux 2.38; Documentation/ABI/testing/sysfs-power (``state``; ``mem`` is what ``mem_sleep``
has chosen, which may be suspend-to-idle); clock_gettime(2): CLOCK_MONOTONIC stops while the unit sleeps, CLOCK_BOOTTIME
does not; Documentation/ABI/testing/sysfs-class-rtc (``wakealarm`` is there for a clock that can wake the unit).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

ASLEEP_S = 15
"""Seconds of one sleep; ours: long enough for memory and devices to be without power, short enough for 30 of them."""
ALARM_S = 3
"""Seconds until the alarm that is tried awake."""
LEEWAY_S = 10.0
"""Seconds by which a unit may wake up beside its alarm: firmware may take a few; ours."""
BACK_S = 20.0
"""Seconds within which a device has come back; ours: a network link is trained in 2 to 4, a disk spins up in 10."""
REST_S = 2.0
"""Seconds between two sleeps, once all is back."""
TRANSITION_S = 60.0
"""Seconds awake that falling asleep and waking up may take; the kernel gives up freezing programs after 20."""

_KIND = "suspend-test-json"
_STATE = "/sys/power/state"
_ALARM = "/sys/class/rtc/rtc0/wakealarm"
_USB = "/sys/bus/usb/devices"
_NAME = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_THINGS = {
    "usb": ComponentKind.USB_PORT,
    "drive": ComponentKind.STORAGE_DEVICE,
    "network": ComponentKind.ETHERNET,
    "screen": ComponentKind.PANEL,
}


@dataclass(slots=True)
class Slept:
    """What became of all cycles; times in s. ``lost`` counts for each thing (``usb 1-2``)."""

    cycles: int = 0
    failed: int = 0
    early: int = 0
    late: int = 0
    asleep: float = 0.0
    asked: float = 0.0
    back: float = 0.0
    lost: dict[str, int] = field(default_factory=dict)


class SuspendTest(HardwareTest):
    """See the module."""

    name = "suspend"
    programs = ("rtcwake",)
    heats = ()
    disturbs = Text("the unit falls asleep for some seconds, again and again")
    least_s = 60.0
    slack_s = TRANSITION_S + BACK_S + 60.0
    measures: ClassVar = {
        "suspend_test.cycles": "count",
        "suspend_test.failed": "count",
        "suspend_test.early": "count",
        "suspend_test.late": "count",
        "suspend_test.asleep": "s",
        "suspend_test.asked": "s",
        "suspend_test.back": "s",
        "suspend_test.lost": "count",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Sleep and look, until the time is over."""
        refusal = _refusal(host)
        if refusal is not None:
            remedy = "" if host.is_root else "sudo aiodiag test suspend"
            yield Gap("", Outcome.UNSUPPORTED, refusal, essential=True, remedy=remedy)
            return
        alarm = host.output("rtcwake", "rtcwake", "-m", "on", "-s", str(ALARM_S), timeout_s=ALARM_S + TRANSITION_S / 2)
        yield alarm
        if alarm.problem or alarm.exit_status:
            return
        started, begun = now(), time.monotonic()
        slept = Slept()
        while slept.cycles == 0 or time.monotonic() - begun < bout.seconds:
            _sleep_once(host, slept)
            time.sleep(REST_S)
        seconds = round(time.monotonic() - begun, 2)
        data = json.dumps({"seconds": seconds, **asdict(slept)}).encode()
        yield Evidence(_KIND, "", data, "rtcwake -m mem", started, duration_s=seconds)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Readings of the unit, and of each thing that was lost."""
        piece = next((e for e in reversed(evidence) if e.kind == _KIND), None)
        seen = list(_readings(piece)) if piece is not None else []
        yield from seen
        alarm = next((e for e in evidence if e.kind == "rtcwake"), None)
        if seen:
            return
        if alarm is None:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        elif alarm.problem:
            yield program_gap(alarm, "", essential=True)
        elif alarm.exit_status:
            yield Gap("", Outcome.UNSUPPORTED, Text("the clock gives no alarm, so nothing would wake the unit"), True)
        else:
            yield Gap("", Outcome.ERROR, Text("no answer within {seconds} s", {"seconds": BACK_S}), essential=True)


TEST = SuspendTest()


def present(host: Host) -> set[str]:
    """What is there now, each with its sort: ``usb 1-2``, ``drive nvme0n1``, ``screen card0-eDP-1``. A network
    interface is called by where it sits, for its name may hold its address; those without hardware do not count.
    """
    found = {f"usb {path.split('/')[5]}" for path in host.glob(f"{_USB}/*-*/idVendor")}
    found |= {f"drive {path.split('/')[3]}" for path in host.glob("/sys/block/*/device")}
    links = host.tree("/sys/class/net/*/device").tree()
    places = {str(path): links.link(path) for path in links.paths("/sys/class/net/*/device")}
    carriers = host.tree("/sys/class/net/*/carrier").tree()
    for path, place in places.items():
        if place and carriers.integer(path.removesuffix("device") + "carrier") == 1:
            found.add(f"network {place.rpartition('/')[2]}")
    screens = host.tree("/sys/class/drm/card*-*/status").tree()
    for path in screens.paths("/sys/class/drm/card*-*/status"):
        if (screens.text(path) or "").strip() == "connected":
            found.add(f"screen {path.split('/')[4]}")
    return {thing for thing in found if _NAME.fullmatch(thing.partition(" ")[2])}


def judge(slept: Slept, asleep: float, *, went_well: bool) -> None:
    """Count one cycle of :data:`ASLEEP_S`; ``asleep`` is how long it slept by the kernel's clocks (s)."""
    slept.cycles += 1
    slept.asked += ASLEEP_S
    slept.asleep = round(slept.asleep + asleep, 2)
    if not went_well or asleep < 1.0:
        slept.failed += 1
    elif asleep < ASLEEP_S - LEEWAY_S:
        slept.early += 1
    elif asleep > ASLEEP_S + LEEWAY_S:
        slept.late += 1


def _refusal(host: Host) -> Text | None:
    if host.root:
        return Text("no program is run over captured files")
    if not host.is_root:
        return Text("needs root")
    if "mem" not in (host.tree(_STATE).tree().text(_STATE) or "").split():
        return Text("this unit cannot sleep")
    if not host.exists(_ALARM):
        return Text("the clock gives no alarm, so nothing would wake the unit")
    return None


def _sleep_once(host: Host, slept: Slept) -> None:
    before, was = present(host), _offset()
    ran = host.run("rtcwake", "-m", "mem", "-s", str(ASLEEP_S), timeout_s=ASLEEP_S + TRANSITION_S)
    judge(slept, _offset() - was, went_well=ran.reason is None and ran.exit_status == 0)
    woke = time.monotonic()
    gone = before - present(host)
    while gone and time.monotonic() - woke < BACK_S:
        time.sleep(0.5)
        gone = before - present(host)
        if not gone:
            slept.back = max(slept.back, round(time.monotonic() - woke, 1))
    for thing in gone:
        slept.lost[thing] = slept.lost.get(thing, 0) + 1


def _offset() -> float:
    """Seconds that the unit has slept since it started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def _readings(piece: Evidence) -> Iterator[Reading]:
    loaded: Any = piece.json()
    if not isinstance(loaded, Mapping):
        return
    told: dict[str, Any] = {
        name: loaded.get(name) for name in ("cycles", "failed", "early", "late", "asleep", "asked", "back")
    }
    counts = {"cycles", "failed", "early", "late"}
    if not all(_is_number(value, whole=name in counts) for name, value in told.items()) or not told["cycles"]:
        return
    for name, value in told.items():
        unit = "count" if name in counts else "s"
        yield Reading(f"suspend_test.{name}", value, unit, ComponentKind.MOTHERBOARD, "", piece.source, piece.time)
    lost = loaded.get("lost")
    for thing, count in lost.items() if isinstance(lost, Mapping) else ():
        sort, _, name = thing.partition(" ")
        if sort in _THINGS and _NAME.fullmatch(name) and _is_number(count, whole=True):
            yield Reading("suspend_test.lost", count, "count", _THINGS[sort], name, piece.source, piece.time)


def _is_number(value: Any, *, whole: bool) -> bool:
    kinds = int if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value < 1e9
