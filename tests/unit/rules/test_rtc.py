"""What the clock's readings mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.catalogue.entry import LANGUAGES, message
from agent.model import Evidence, Reading, Readings, Severity, Tree, Verdict
from agent.probes.rtc import BIOS_DATE, DRIVER, PROBE
from agent.rules.rtc import battery_reported, differs_from_the_system, lost_its_time

SYSTEM = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = int(SYSTEM.timestamp())
HOUR = 3600


def judged(since_epoch, *, bios_date="07/15/2024", battery=None, system=SYSTEM):
    """The findings over evidence of a clock that says ``since_epoch``."""
    files = {"/sys/class/rtc/rtc0/since_epoch": f"{since_epoch}\n"}
    if battery:
        files[DRIVER] = f"batt_status\t: {battery}\n"
    pieces = [
        Evidence("tree", "", Tree({BIOS_DATE: bios_date} if bios_date else {}).encode(), "", system.isoformat()),
        Evidence("tree", "rtc0", Tree(files).encode(), "", system.isoformat()),
    ]
    readings = Readings(r for r in PROBE.interpret(pieces) if isinstance(r, Reading))
    return [f for rule in (lost_its_time, differs_from_the_system, battery_reported) for f in rule(readings)]


@pytest.mark.parametrize("battery", [None, "okay"])
def test_a_healthy_clock(battery):
    assert judged(NOW, battery=battery) == []


def test_no_readings():
    assert [list(rule(Readings())) for rule in (lost_its_time, differs_from_the_system, battery_reported)] == [[]] * 3


@pytest.mark.parametrize(
    ("since_epoch", "bios_date", "date"),
    [
        (0, "07/15/2024", "1970-01-01"),
        (946684805, "07/15/2024", "2000-01-01"),
        (946684805, None, "2000-01-01"),
        (NOW - 730 * 86400, "03/01/2025", "2024-03-01"),
    ],
)
def test_lost_its_time(since_epoch, bios_date, date):
    (finding,) = judged(since_epoch, bios_date=bios_date, battery="okay")
    assert (finding.code, finding.subject, finding.component) == ("CLOCK-8204", "rtc0", "rtc-battery")
    assert (finding.verdict, finding.severity, finding.confidence) == (Verdict.UNKNOWN, Severity.WARNING, 0.7)
    assert finding.evidence[0].value == since_epoch
    for language in LANGUAGES:
        assert date in message(finding, language)


def test_lost_its_time_and_the_battery_is_reported():
    (finding,) = judged(946684805, battery="dead")
    assert (finding.code, finding.verdict, finding.confidence) == ("CLOCK-8204", Verdict.FAIL, 0.9)
    assert {r.name for r in finding.evidence} == {"rtc.since_epoch", "rtc.since_firmware", "rtc.battery_ok"}


def test_a_system_that_took_over_the_lost_time():
    (finding,) = judged(946684805, system=datetime(2000, 1, 1, 0, 0, 5, tzinfo=UTC))
    assert finding.code == "CLOCK-8204"


def test_firmware_dated_a_little_ahead():
    ahead = datetime(2026, 3, 20, tzinfo=UTC)
    assert judged(NOW, bios_date=ahead.strftime("%m/%d/%Y")) == []
    (finding,) = judged(NOW, bios_date="04/15/2026")
    assert finding.code == "CLOCK-8204"


@pytest.mark.parametrize(
    "difference", [0, 5, -5, 299, -299, 8 * HOUR, -5 * HOUR, 5.75 * HOUR + 30, 14 * HOUR, -12 * HOUR]
)
def test_drift_and_time_zones_are_no_fault(difference):
    assert judged(int(NOW + difference)) == []


@pytest.mark.parametrize(("difference", "minutes"), [(400, 7), (-400, 7), (8 * HOUR + 300, 485), (-13 * HOUR, 780)])
def test_differs(difference, minutes):
    (finding,) = judged(NOW + difference)
    assert (finding.code, finding.verdict, finding.values) == ("CLOCK-8212", Verdict.UNKNOWN, {"minutes": minutes})
    assert finding.severity is Severity.INFO
    for language in LANGUAGES:
        assert str(minutes) in message(finding, language)


def test_the_battery_is_reported_while_the_time_is_right():
    (finding,) = judged(NOW, battery="dead")
    assert (finding.code, finding.verdict, finding.severity) == ("CLOCK-8220", Verdict.UNKNOWN, Severity.WARNING)
    assert finding.evidence[0].name == "rtc.battery_ok"
