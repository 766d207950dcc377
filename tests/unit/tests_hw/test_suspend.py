"""Sleep cycles: what is counted, and what is said where a unit cannot sleep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Readings, Text
from agent.rules.suspend_test import does_not_sleep, lost
from agent.tests_hw import Bout
from agent.tests_hw.suspend import ASLEEP_S, TEST, Slept, judge, present

TIME = "2026-01-01T00:00:00.000Z"
# What rtcwake of util-linux 2.38.1 prints on a machine without a clock.
NO_CLOCK = b"rtcwake: /dev/rtc0: unable to find device: No such file or directory\n"
WELL: dict[str, Any] = {
    "seconds": 60.0,
    "cycles": 8,
    "failed": 0,
    "early": 0,
    "late": 0,
    "asleep": 121.5,
    "asked": 120.0,
    "back": 3.5,
    "lost": {},
}


def said(**changed: Any) -> list[Any]:
    data = json.dumps({**WELL, **changed}).encode()
    return list(TEST.interpret([Evidence("suspend-test-json", "", data, "rtcwake -m mem", TIME)]))


def test_what_is_measured() -> None:
    found = {r.name: r.value for r in said() if isinstance(r, Reading)}
    names = ("cycles", "failed", "early", "late", "asleep", "asked", "back")
    assert found == {f"suspend_test.{name}": WELL[name] for name in names}


def test_what_was_lost_is_named_with_its_part() -> None:
    things = {"usb 1-2": 3, "screen card0-eDP-1": 1, "moon x": 1, "usb ../x": 2}
    seen = [r for r in said(lost=things) if "lost" in r.name]
    assert [(r.component, r.subject, r.value) for r in seen] == [
        (ComponentKind.USB_PORT, "1-2", 3),
        (ComponentKind.PANEL, "card0-eDP-1", 1),
    ]


@pytest.mark.parametrize(
    ("asleep", "went_well", "counted"),
    [
        (ASLEEP_S + 0.3, True, (0, 0, 0)),
        (0.0, True, (1, 0, 0)),
        (0.0, False, (1, 0, 0)),
        (3.0, True, (0, 1, 0)),
        (ASLEEP_S + 60.0, True, (0, 0, 1)),
    ],
)
def test_how_a_cycle_counts(asleep: float, went_well: bool, counted: tuple[int, int, int]) -> None:
    slept = Slept()
    judge(slept, asleep, went_well=went_well)
    assert (slept.failed, slept.early, slept.late) == counted
    assert (slept.cycles, slept.asked) == (1, ASLEEP_S)


def test_a_clock_without_alarm_is_a_reason() -> None:
    alarm = Evidence("rtcwake", "", NO_CLOCK, "rtcwake -m on -s 3", TIME, 1)
    (gap,) = TEST.interpret([alarm])
    assert isinstance(gap, Gap)
    assert gap.outcome is Outcome.UNSUPPORTED
    assert "alarm" in str(gap.reason)


def test_a_program_that_hangs_is_an_error() -> None:
    hangs = Text("no answer within {seconds} s", {"seconds": 33})
    alarm = Evidence("rtcwake", "", b"", "rtcwake", TIME, None, problem=hangs)
    (gap,) = TEST.interpret([alarm])
    assert isinstance(gap, Gap)
    assert gap.essential


def test_where_the_unit_cannot_sleep_it_is_not_tried(tmp_path: Path) -> None:
    host = Host()
    host.is_root = True
    if host.exists("/sys/class/rtc/rtc0/wakealarm"):
        pytest.skip("this machine might fall asleep")
    (gap,) = TEST.exercise(host, Bout(60.0, 1, tmp_path))
    assert isinstance(gap, Gap)
    assert gap.outcome is Outcome.UNSUPPORTED
    host.is_root = False
    (gap,) = TEST.exercise(host, Bout(60.0, 1, tmp_path))
    assert isinstance(gap, Gap)
    assert (str(gap.reason), gap.remedy) == ("needs root", "sudo aiodiag test suspend")


def test_what_there_is(tmp_path: Path) -> None:
    for file, text in {
        "sys/bus/usb/devices/1-2/idVendor": "0781\n",
        "sys/bus/usb/devices/usb1/idVendor": "1d6b\n",
        "sys/block/nvme0n1/device/model": "D1\n",
        "sys/class/drm/card0-eDP-1/status": "connected\n",
        "sys/class/drm/card0-HDMI-A-1/status": "disconnected\n",
        "sys/class/net/enx001122334455/carrier": "1\n",
        "sys/class/net/eno2/carrier": "0\n",
    }.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "sys/class/net/enx001122334455/device").symlink_to("../../../0000:00:1f.6")
    (tmp_path / "sys/class/net/eno2/device").symlink_to("../../../0000:02:00.0")
    expected = {"usb 1-2", "drive nvme0n1", "screen card0-eDP-1", "network 0000:00:1f.6"}
    assert present(Host(str(tmp_path))) == expected, "no address of anybody, and no link that was not there"


def test_what_the_rules_say() -> None:
    (found,) = does_not_sleep(Readings(said(failed=1, late=1)))
    assert (found.code, found.values) == ("DOWN-8777", {"count": 2, "cycles": 8})
    assert list(does_not_sleep(Readings(said(early=1)))) == [], "somebody touched the keyboard"
    (found,) = lost(Readings(said(lost={"usb 1-2": 3})))
    assert (found.code, found.component, found.subject) == ("DOWN-8789", ComponentKind.USB_PORT, "1-2")
