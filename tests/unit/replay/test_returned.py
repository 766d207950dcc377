"""What is missing or slower after a restart."""

from __future__ import annotations

from dataclasses import replace

from agent.model import Component, ComponentKind, Reading, Readings
from agent.replay.cycles import Cycles
from agent.replay.returned import Looked, Missing, missing, slower
from agent.replay.round import Conditions, Round, Signature
from agent.rules.restart_test import clock_lost, gone
from agent.rules.restart_test import slower as slower_rule

TIME = "2026-01-01T00:00:00.000Z"
DRIVE = Component(ComponentKind.STORAGE_DEVICE, "sda", "Acme", "D1", "123")


def reading(
    name: str,
    value: bool | float | str,
    unit: str = "",
    subject: str = "1-2",
    part: ComponentKind = ComponentKind.USB_PORT,
) -> Reading:
    return Reading(name, value, unit, part, subject, "made up", TIME)


STICK = reading("usb.device.id", "0781:5567")
STICKS_NAME = reading("usb.device.name", "Cruzer")
CABLE = reading("network.speed", 1_000_000_000, "bit/s", "eno1", ComponentKind.ETHERNET)
LANES = reading("pcie.link.width", 4, "count", "0000:01:00.0", ComponentKind.STORAGE_DEVICE)
CARD = reading("pcie.id", "8086:1234", "", "0000:01:00.0", ComponentKind.STORAGE_DEVICE)


def test_what_is_there_under_another_name_is_not_missing() -> None:
    before = {"storage": Looked((DRIVE,), ()), "usb": Looked((), (STICK, STICKS_NAME))}
    renamed = {
        "storage": Looked((replace(DRIVE, name="sdb"),), ()),
        "usb": Looked((), (replace(STICK, subject="3-2"),)),
    }
    assert missing(before, renamed) == []
    assert missing(before, {"storage": Looked((), ()), "usb": Looked((), ())}) == sorted(
        [
            Missing(ComponentKind.STORAGE_DEVICE, "sda", "Acme D1"),
            Missing(ComponentKind.USB_PORT, "1-2", "Cruzer (0781:5567)"),
        ]
    )


def test_one_of_two_that_are_alike_is_missed() -> None:
    two = (DRIVE, replace(DRIVE, name="sdb", serial="124"))
    assert [m.subject for m in missing({"storage": Looked(two, ())}, {"storage": Looked((DRIVE,), ())})] == ["sdb"]


def test_what_could_not_be_looked_at_is_not_missing() -> None:
    assert missing({"storage": Looked((DRIVE,), ())}, {}) == []


def test_a_fan_that_stands_still_is_not_missing() -> None:
    fan = Component(ComponentKind.FAN, "nct6798-isa-0290/fan2")
    assert missing({"board": Looked((fan,), ())}, {"board": Looked((), ())}) == []


def test_links() -> None:
    half = replace(LANES, value=2)
    assert slower([LANES, CARD], [half, CARD]) == [(LANES, half)]
    assert slower([LANES, CARD], [half, replace(CARD, value="8086:9999")]) == [], "another card"
    assert slower([half, CARD], [LANES, CARD]) == []
    slow = replace(CABLE, value=100_000_000)
    assert slower([CABLE], [slow]) == [(CABLE, slow)]
    cut = replace(CABLE, name="network.carrier", value=False, unit="")
    assert slower([CABLE], [cut]) == [(CABLE, cut)]
    wifi = replace(CABLE, component=ComponentKind.WIFI)
    assert slower([wifi], [replace(cut, component=ComponentKind.WIFI)]) == []


def test_what_the_rules_say() -> None:
    away = reading("restart_test.away", -61.0, "s", "rtc0", ComponentKind.RTC_BATTERY)
    (found,) = gone(Readings([reading("restart_test.missing", "Cruzer (0781:5567)")]))
    assert (found.code, found.component, found.values) == (
        "DOWN-8753",
        ComponentKind.USB_PORT,
        {"what": "Cruzer (0781:5567)"},
    )
    both = [replace(LANES, name="restart_test.before"), replace(LANES, name="restart_test.after", value=2)]
    (found,) = slower_rule(Readings(both))
    assert (found.code, found.values) == ("DOWN-8766", {"before": "x4", "after": "x2"})
    cable = [
        replace(CABLE, name="restart_test.before"),
        replace(CABLE, name="restart_test.after", value=False, unit=""),
    ]
    (found,) = slower_rule(Readings(cable))
    assert found.values == {"before": "1000 Mbit/s", "after": "0"}
    (found,) = clock_lost(Readings([away]))
    assert (found.code, found.values) == ("CLOCK-8248", {"seconds": 61})
    assert list(clock_lost(Readings([replace(away, value=-59.0)]))) == []


SHOWN = Signature("DOWN-8715", ComponentKind.POWER_SUPPLY, "")


def played(*shown: Signature, whole: bool) -> Round:
    return Round(1, "restarts", 1, 0.03, {}, Conditions(), shown, whole)


def test_so_many_count_and_no_more() -> None:
    state = Cycles(3)
    for one in (played(whole=True), played(SHOWN, whole=False), played(whole=False)):
        assert state.goes_on
        state.took(one)
    assert (state.counted, state.failed, state.goes_on) == (2, 1, True)
    state.took(played(whole=True))
    assert (state.counted, state.failed, state.goes_on) == (3, 1, False)
    assert state.observed is not None
    assert (state.observed.failures, state.observed.exposure) == (1, 3)
    assert state.faults == [SHOWN]


def test_restarts_that_do_not_count_come_to_an_end() -> None:
    state = Cycles(3)
    for _ in range(6):
        assert state.goes_on
        state.took(played(whole=False))
    assert not state.goes_on
    assert state.observed is None
