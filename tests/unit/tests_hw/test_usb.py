"""Devices that stay, go, come back, and say something else; over files that change while they are looked at."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading, Readings, Text, Verdict
from agent.rules.usb_test import does_not_stay
from agent.tests_hw import Bout
from agent.tests_hw.usb import TEST, Asked, addresses, compare, hear, meet

TIME = "2026-01-02T03:04:05.678Z"
# In the format of lsusb 014.
TABLET = """
Bus 001 Device 002: ID 0627:0001 Adomax Technology Co., Ltd QEMU USB Tablet
Device Descriptor:
  bLength                18
  bDescriptorType         1
  bcdUSB               2.00
  iManufacturer           1 QEMU
  iProduct                2 QEMU USB Tablet
Device Status:     0x0001
  Self Powered
"""


def piece(root: bool = True, **devices: dict[str, Any]) -> Evidence:
    named = {
        name.replace("_", "-"): {"cycles": 20, "lost": 0, "renumbered": 0, "errors": 0, **counts}
        for name, counts in devices.items()
    }
    data = json.dumps({"seconds": 20.0, "root": root, "devices": named}).encode()
    return Evidence("usb-test-json", "", data, "lsusb", TIME)


def readings(*evidence: Evidence) -> Readings:
    return Readings(r for r in TEST.interpret(evidence) if isinstance(r, Reading))


def asked(*texts: str) -> Asked:
    state, said = Asked(), dict[str, int]()
    for text in texts:
        hear(state, text, said, "1-1")
    return state


def test_a_device_that_always_says_the_same_has_no_errors() -> None:
    assert asked(TABLET, TABLET, TABLET) == Asked(cycles=3)


def test_its_status_may_change() -> None:
    assert asked(TABLET, TABLET.replace("0x0001", "0x0003")).errors == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        TABLET.partition("Device Status")[0],
        TABLET.replace("QEMU USB Tablet\nDevice Status", "(error)\nDevice Status"),
        TABLET.replace("bcdUSB               2.00", "bcdUSB               1.10"),
    ],
)
def test_no_answer_or_another_one_is_an_error(text: str) -> None:
    assert asked(TABLET, text, TABLET) == Asked(cycles=3, errors=1)


def test_a_device_that_never_answers_is_always_wrong() -> None:
    assert asked("", "").errors == 2


def test_what_went_and_came_is_seen_in_its_address(tmp_path: Path) -> None:
    folder, host = tmp_path / "sys/bus/usb/devices/1-2.3", Host(str(tmp_path))
    for name in ("1-2.3", "usb1", "1-2.3:1.0"):
        (folder.parent / name).mkdir(parents=True)
        (folder.parent / name / "busnum").write_text("1\n")
        (folder.parent / name / "devnum").write_text("7\n")
    before = addresses(host)
    assert before == {"1-2.3": (1, 7)}
    state = Asked()
    compare(state, before["1-2.3"], addresses(host, "1-2.3").get("1-2.3"))
    (folder / "devnum").write_text("8\n")
    again = addresses(host, "1-2.3")["1-2.3"]
    compare(state, before["1-2.3"], again)
    shutil.rmtree(folder)
    compare(state, again, addresses(host, "1-2.3").get("1-2.3"))
    compare(state, None, None)
    compare(state, None, (1, 9))
    assert state == Asked(lost=1, renumbered=1)


def test_one_that_was_away_when_all_was_begun_is_asked_when_it_comes() -> None:
    known, address = {"1-1": Asked(cycles=3)}, {"1-1": (1, 2)}
    meet(known, address, {"1-1": (1, 9), "1-2": (1, 5)})
    assert known == {"1-1": Asked(cycles=3), "1-2": Asked()}
    assert address == {"1-1": (1, 2), "1-2": (1, 5)}, "what became of the others is for the next look to tell"
    compare(known["1-2"], address["1-2"], (1, 6))
    assert known["1-2"].renumbered == 1


def test_readings_of_each_device_and_no_finding_for_good_ones() -> None:
    found = readings(piece(**{"1_1": {}, "2_3": {"cycles": 19}}))
    assert {r.subject: r.value for r in found.all("usb_test.cycles")} == {"1-1": 20, "2-3": 19}
    assert {r.value for r in found.all("usb_test.errors")} == {0}
    assert list(does_not_stay(found)) == []


@pytest.mark.parametrize("counts", [{"renumbered": 2}, {"errors": 2}, {"lost": 1, "errors": 1}])
def test_a_device_that_does_not_stay(counts: dict[str, int]) -> None:
    (finding,) = does_not_stay(readings(piece(**{"1_1": counts, "1_2": {}})))
    assert (finding.code, finding.subject, finding.verdict) == ("USB-7389", "1-1", Verdict.UNKNOWN)
    for language in LANGUAGES:
        assert "20" in message(finding, language)
        assert "2" in message(finding, language)


def test_one_event_may_be_a_person() -> None:
    assert list(does_not_stay(readings(piece(**{"1_1": {"lost": 1}})))) == []


def test_without_root_nobody_knows_whether_they_answered() -> None:
    seen = list(TEST.interpret([piece(False, **{"1_1": {"errors": 20}})]))
    assert "usb_test.errors" not in {s.name for s in seen if isinstance(s, Reading)}
    (gap,) = (s for s in seen if isinstance(s, Gap))
    assert (gap.subject, gap.outcome, gap.essential) == ("1-1", Outcome.UNSUPPORTED, False)


def test_a_missing_program_is_named_with_its_package() -> None:
    missing = Text("{program} is not installed", {"program": "lsusb"})
    (gap,) = TEST.interpret([Evidence("lsusb", "", b"", "lsusb --version", TIME, None, problem=missing)])
    assert isinstance(gap, Gap)
    assert (gap.essential, gap.remedy) == (True, "sudo apt-get install usbutils")


def test_a_unit_without_devices_is_not_waited_for(tmp_path: Path) -> None:
    assert len(list(TEST.exercise(Host(str(tmp_path)), Bout(600, 1, tmp_path)))) == 1


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
counts = st.dictionaries(st.sampled_from(["cycles", "lost", "renumbered", "errors"]), values)


@given(st.dictionaries(st.sampled_from(["1-1", "usb1", "x"]), counts | values))
def test_odd_counts_hurt_nobody(devices: dict[str, Any]) -> None:
    data = json.dumps({"root": True, "devices": devices}).encode()
    for reading in readings(Evidence("usb-test-json", "", data, "", TIME)):
        assert isinstance(reading.value, int)
        assert reading.value >= 0
