"""Displays that stay, go and lie, backlights that do not follow; and that nothing is changed where nothing may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading, Readings, Verdict
from agent.rules.display_test import brightness, connection
from agent.tests_hw import Bout
from agent.tests_hw.display import TEST, Display, is_sound

TIME = "2026-01-02T03:04:05.678Z"


def piece(displays: dict[str, Any] | None = None, lights: dict[str, Any] | None = None) -> Evidence:
    none = {"cycles": 10, "lost": 0, "edid_errors": 0, "edid_changed": 0}
    dark = {"steps": 30, "brightness_wrong": 0}
    data = {
        "displays": {name: {**none, **seen} for name, seen in (displays or {}).items()},
        "lights": {name: {**dark, **seen} for name, seen in (lights or {}).items()},
    }
    return Evidence("display-test-json", "", json.dumps(data).encode(), "drm", TIME)


def readings(evidence: Evidence) -> Readings:
    return Readings(r for r in TEST.interpret([evidence]) if isinstance(r, Reading))


def damaged(edid: bytes) -> bytes:
    return edid[:60] + bytes([edid[60] ^ 4]) + edid[61:]


def sealed(edid: bytes) -> bytes:
    """With a checksum that fits."""
    return edid[:127] + bytes([-sum(edid[:127]) % 256])


SOUND = sealed(bytes.fromhex("00ffffffffffff00").ljust(128, b"\x11"))


def test_each_look_is_counted_once() -> None:
    display = Display(SOUND)
    display.look(True, SOUND)
    display.look(True, damaged(SOUND))
    display.look(True, b"")
    display.look(True, sealed(damaged(SOUND)))
    display.look(False, b"")
    assert (display.cycles, display.lost, display.edid_errors, display.edid_changed) == (5, 1, 2, 1)


@given(st.integers(0, 127), st.integers(1, 255))
def test_one_wrong_byte_makes_an_edid_unsound(at: int, change: int) -> None:
    assert is_sound(SOUND)
    assert not is_sound(SOUND[:at] + bytes([SOUND[at] ^ change]) + SOUND[at + 1 :])


@given(st.binary(max_size=300))
def test_junk_is_no_edid(junk: bytes) -> None:
    assert not is_sound(junk)


def test_a_good_screen_gives_readings_and_no_finding() -> None:
    found = readings(piece({"card0-eDP-1": {}}, {"intel_backlight": {}}))
    assert found.number("display_test.cycles", "card0-eDP-1") == 10
    assert found.number("display_test.steps", "intel_backlight") == 30
    assert [*connection(found), *brightness(found)] == []


@pytest.mark.parametrize("seen", [{"lost": 2}, {"edid_changed": 3}, {"lost": 1, "edid_errors": 1}])
def test_a_bad_contact(seen: dict[str, int]) -> None:
    (finding,) = connection(readings(piece({"card0-eDP-1": seen, "card0-HDMI-A-1": {}})))
    assert (finding.code, finding.subject, finding.verdict) == ("LCD-4461", "card0-eDP-1", Verdict.UNKNOWN)
    assert all("10" in message(finding, language) for language in LANGUAGES)


@pytest.mark.parametrize("seen", [{"lost": 1}, {"edid_errors": 10}, {"lost": 10}])
def test_one_event_and_what_is_always_so_are_not_a_bad_contact(seen: dict[str, int]) -> None:
    assert list(connection(readings(piece({"card0-eDP-1": seen})))) == []


@pytest.mark.parametrize(("wrong", "codes"), [(0, []), (4, []), (10, ["LCD-4473"]), (30, ["LCD-4473"])])
def test_a_backlight_that_does_not_follow(wrong: int, codes: list[str]) -> None:
    found = readings(piece({}, {"acpi_video0": {"brightness_wrong": wrong}}))
    assert [f.code for f in brightness(found)] == codes


def test_over_captured_files_nothing_is_changed(tmp_path: Path) -> None:
    connector, light = tmp_path / "sys/class/drm/card0-eDP-1", tmp_path / "sys/class/backlight/acpi_video0"
    for folder, files in ((connector, {"status": "connected"}), (light, {"max_brightness": "10", "brightness": "8"})):
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    (connector / "edid").write_bytes(SOUND)
    _, gap = TEST.exercise(Host(str(tmp_path)), Bout(600, 1, tmp_path))
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential) == (Outcome.UNSUPPORTED, True)
    assert (light / "brightness").read_text() == "8"


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
counts = st.dictionaries(st.sampled_from(["cycles", "lost", "edid_errors", "edid_changed", "steps"]), values)


@given(
    st.dictionaries(st.sampled_from(["displays", "lights"]), st.dictionaries(st.just("card0-eDP-1"), counts) | values)
)
def test_odd_counts_hurt_nobody(loaded: dict[str, Any]) -> None:
    for reading in readings(Evidence("display-test-json", "", json.dumps(loaded).encode(), "", TIME)):
        assert isinstance(reading.value, int)
        assert reading.value >= 0
