"""The real-time clock, from files to readings."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Tree
from agent.probes.rtc import BIOS_DATE, DRIVER, PROBE

RTC0 = "/sys/class/rtc/rtc0/"
AT = "2026-03-01T12:00:00.250Z"
NOW = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())


def evidence(files, subject="rtc0", time=AT):
    return Evidence("tree", subject, Tree(files).encode(), "files", time)


def unit(bios_date="07/15/2024\n"):
    return evidence({"/sys/class/rtc/rtc0": {"link": "../../devices/pnp0/00:04/rtc/rtc0"}, BIOS_DATE: bios_date}, "")


def readings(*pieces):
    return {r.name: r for r in PROBE.interpret(pieces) if isinstance(r, Reading)}


def gaps(*pieces):
    return [g for g in PROBE.interpret(pieces) if isinstance(g, Gap)]


CLOCK = {
    RTC0 + "since_epoch": f"{NOW}\n",
    RTC0 + "name": "rtc_cmos 00:04\n",
    RTC0 + "hctosys": "1\n",
    DRIVER: "rtc_time\t: 12:00:00\nrtc_date\t: 2026-03-01\n24hr\t\t: yes\nDST_enable\t: no\nbatt_status\t: okay\n",
}


def test_a_healthy_clock():
    seen = readings(unit(), evidence(CLOCK))
    assert {name: (r.value, r.unit) for name, r in seen.items()} == {
        "rtc.since_epoch": (NOW, "s"),
        "rtc.difference": (-0.25, "s"),
        "rtc.since_firmware": (NOW - int(datetime(2024, 7, 15, tzinfo=UTC).timestamp()), "s"),
        "rtc.sets_system_clock": (True, ""),
        "rtc.battery_ok": (True, ""),
    }
    assert all((r.subject, r.component, r.time) == ("rtc0", ComponentKind.RTC_BATTERY, AT) for r in seen.values())
    assert gaps(unit(), evidence(CLOCK)) == []
    parts = [c for c in PROBE.interpret((unit(), evidence(CLOCK))) if isinstance(c, Component)]
    assert [(c.name, c.description) for c in parts] == [("rtc0", "rtc_cmos 00:04")]


def test_a_dead_battery():
    seen = readings(unit(), evidence(CLOCK | {DRIVER: "rtc_time\t: 00:00:01\nbatt_status\t: dead\n"}))
    assert seen["rtc.battery_ok"].value is False


def test_a_clock_before_its_firmware():
    seen = readings(unit("07/15/2024"), evidence({RTC0 + "since_epoch": "946684805"}))
    assert seen["rtc.since_firmware"].value == 946684805 - 1721001600
    assert "rtc.battery_ok" not in seen


@pytest.mark.parametrize(
    "date", ["", "2024-07-15", "13/45/2024", "07/15/24", "٠٧/١٥/٢٠٢٤", "00/00/0000", {"error": "EIO"}]
)
def test_a_build_date_that_is_none(date):
    assert "rtc.since_firmware" not in readings(unit(date), evidence(CLOCK))


@pytest.mark.parametrize("value", ["", "-1", "never", "99999999999999999999", {"error": "EINVAL"}, {"base64": "AA=="}])
def test_a_time_that_is_none(value):
    pieces = (unit(), evidence(CLOCK | {RTC0 + "since_epoch": value}))
    (gap,) = gaps(*pieces)
    assert (gap.subject, gap.outcome, gap.essential) == ("rtc0", Outcome.ERROR, True)
    assert readings(*pieces) == {}


def test_a_second_clock_that_cannot_be_read():
    second = evidence({"/sys/class/rtc/rtc1/since_epoch": {"error": "EINVAL"}}, "rtc1")
    (gap,) = gaps(unit(), evidence(CLOCK), second)
    assert (gap.subject, gap.outcome, gap.essential) == ("rtc1", Outcome.ERROR, False)
    assert str(gap.reason) == "could not be read: EINVAL"


def test_no_clock():
    for pieces in ((), (evidence({BIOS_DATE: "07/15/2024"}, ""),)):
        (gap,) = gaps(*pieces)
        assert (gap.outcome, gap.essential, str(gap.reason)) == (Outcome.UNSUPPORTED, True, "no such hardware")


def test_a_clock_that_did_not_answer_is_no_missing_one():
    (gap,) = gaps(unit())
    assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)


def test_gather(tmp_path: Path):
    device = tmp_path / "sys/devices/pnp0/00:04/rtc/rtc0"
    device.mkdir(parents=True)
    (tmp_path / "sys/class/rtc").mkdir(parents=True)
    os.symlink("../../devices/pnp0/00:04/rtc/rtc0", tmp_path / "sys/class/rtc/rtc0")
    for name, text in (("since_epoch", "1000000000\n"), ("name", "rtc_cmos 00:04\n"), ("hctosys", "0\n")):
        (device / name).write_text(text)
    for path, text in ((DRIVER, "batt_status\t: okay\n"), (BIOS_DATE, "07/15/2024\n")):
        (tmp_path / path.lstrip("/")).parent.mkdir(parents=True)
        (tmp_path / path.lstrip("/")).write_text(text)
    pieces = [e for e in PROBE.gather(Host(str(tmp_path))) if isinstance(e, Evidence)]
    seen = readings(*pieces)
    assert seen["rtc.since_epoch"].value == 1_000_000_000
    assert seen["rtc.difference"].value < -700_000_000
    assert (seen["rtc.battery_ok"].value, seen["rtc.sets_system_clock"].value) == (True, False)


def test_this_machine():
    pieces = [e for e in PROBE.gather(Host()) if isinstance(e, Evidence)]
    clocks = list(Path("/sys/class/rtc").glob("rtc*")) if Path("/sys/class/rtc").is_dir() else []
    found = [s for s in PROBE.interpret(pieces) if isinstance(s, Component)]
    assert len(found) == len(clocks)
    assert bool(gaps(*pieces)) == (not clocks)


@given(
    st.lists(
        st.builds(
            Evidence,
            kind=st.sampled_from(["tree", "other"]),
            subject=st.sampled_from(["", "rtc0", "rtc1", "x"]),
            data=st.binary(max_size=60)
            | st.dictionaries(
                st.sampled_from([*CLOCK, BIOS_DATE, "/sys/class/rtc/rtc1/since_epoch", "/sys/class/rtc/rtc0"]),
                st.text(max_size=30)
                | st.integers().map(str)
                | st.integers()
                | st.dictionaries(st.sampled_from(["link", "error", "base64"]), st.text(max_size=8)),
            ).map(lambda files: json.dumps(files).encode()),
            source=st.just("s"),
            time=st.text(max_size=30) | st.datetimes().map(lambda t: t.isoformat() + "Z"),
        ),
        max_size=4,
    )
)
def test_anything_as_evidence(pieces):
    for seen in PROBE.interpret(pieces):
        assert type(seen).from_json(json.loads(json.dumps(seen.to_json()))) == seen
