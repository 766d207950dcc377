"""The panel probe, from a copy of sysfs or from raw EDID to readings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, Evidence, Gap, Outcome, Reading, Readings, Tree
from agent.probes.panel import PROBE
from agent.probes.panel.edid import HEADER, decode
from agent.probes.panel.hex_text import from_hex

TIME = "2026-01-01T00:00:00Z"


def block(**fields: bytes) -> bytes:
    """A base block of EDID 1.4 for a 1920x1080 eDP panel made in week 12 of 2023, 527 x 296 mm, with a right checksum.
    ``fields`` are ``at_OFFSET=bytes`` written over it.
    """
    timing = bytes.fromhex("023a801871382d40582c45000f2821000018")  # 148.5 MHz, 2200 x 1125 in all: 60 Hz
    head = HEADER + bytes.fromhex("0dae4027 78563412 0c21 0104 a5351e78")
    data = bytearray(head.ljust(54, b"\x01") + timing)
    data += b"\0\0\0\xfd\0" + bytes([48, 75, 30, 83, 17, 0]) + b"\n      "
    data += b"\0\0\0\xfe\0" + b"M238HCJ-E20\n "
    data += b"\0\0\0\xff\0" + b"SN12345\n     "
    data += b"\0\0"
    for name, value in fields.items():
        at = int(name.removeprefix("at_"))
        data[at : at + len(value)] = value
    data[127] = -sum(data[:127]) % 256
    return bytes(data)


def connector(root: Path, name: str, edid: bytes = b"", **files: str) -> None:
    folder = root / "sys/class/drm" / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text + "\n")
    (folder / "edid").write_bytes(edid)


def look(root: Path) -> list[object]:
    evidence = []
    gaps = []
    for item in PROBE.gather(Host(str(root))):
        (gaps if isinstance(item, Gap) else evidence).append(item)
    return [*gaps, *PROBE.interpret(evidence)]


def readings(seen: list[object]) -> Readings:
    return Readings(item for item in seen if isinstance(item, Reading))


def test_base_block_says_it_all() -> None:
    edid = decode(block())
    assert (edid.manufacturer, edid.product, edid.serial_number) == ("CMN", 0x2740, 0x12345678)
    assert (edid.serial_text, edid.texts) == ("SN12345", ("M238HCJ-E20",))
    assert (edid.week, edid.year, edid.model_year) == (12, 2023, None)
    assert (edid.width_mm, edid.height_mm) == (527, 296)
    assert (edid.digital, edid.interface, edid.bits_per_colour) == (True, "DisplayPort", 8)
    assert edid.preferred is not None
    assert (edid.preferred.width, edid.preferred.height, edid.preferred.refresh) == (1920, 1080, 60.0)
    assert edid.limits is not None
    assert edid.limits.pixel_clock_max == 170_000_000
    assert edid.valid
    assert edid.problems == ()


def test_week_255_is_a_model_year() -> None:
    edid = decode(block(at_16=b"\xff\x20"))
    assert (edid.week, edid.year, edid.model_year) == (None, None, 2022)


def test_limits_above_255() -> None:
    edid = decode(block(at_76=bytes([0x0F])))
    assert edid.limits is not None
    assert (edid.limits.vertical_min, edid.limits.vertical_max) == (303, 330)
    assert (edid.limits.horizontal_min, edid.limits.horizontal_max) == (285_000, 338_000)


def test_aspect_ratio_in_place_of_a_size_is_not_one() -> None:
    without_size = decode(block(at_21=b"\0\0", at_66=bytes([16, 9, 0])))
    assert (without_size.width_mm, without_size.height_mm) == (0, 0)
    in_whole_cm = decode(block(at_66=bytes([16, 9, 0])))
    assert (in_whole_cm.width_mm, in_whole_cm.height_mm) == (530, 300)


def test_displayid_completes_a_base_block_without_timing_and_size() -> None:
    section = bytes.fromhex("01 00 0c 3e 17 16 0d 00 14 40 0b 00 00 00 00")  # display parameters: 595.0 x 335.0 mm
    section += bytes.fromhex("03 00 14 45 b7 00 80 ff09 4f00 0700 1f00 3f0b 5100 0000 0700")  # type I, preferred
    extension = bytearray(b"\x70\x12" + bytes([len(section)]) + b"\0\0" + section).ljust(127, b"\0")
    data = block(at_21=b"\0\0", at_54=b"\0\0\0\x10".ljust(18, b"\0"), at_126=b"\x01") + extension
    edid = decode(data + bytes([-sum(extension) % 256]))
    assert edid.valid
    assert (edid.width_mm, edid.height_mm) == (595.0, 335.0)
    assert edid.preferred is not None
    assert (edid.preferred.width, edid.preferred.height) == (2560, 2880)
    assert edid.preferred.refresh == pytest.approx(469_180_000 / (2640 * 2962))


def test_blocks_that_only_hdmis_override_promises_are_not_missing() -> None:
    """CTA-861-H, section 7.5.12: a count for those who know it, beside the one in the base block, which is 1."""
    extension = bytearray(b"\x02\x03\x07\x00" + b"\xe2\x78\x03").ljust(127, b"\0")
    edid = decode(block(at_126=b"\x01") + extension + bytes([-sum(extension) % 256]))
    assert edid.valid
    assert edid.problems == ()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "only 0 of the 128 bytes of a base block"),
        (block()[:100], "only 100 of the 128 bytes of a base block"),
        (block()[:127] + b"\0", "wrong checksum in block 0"),
        (b"\xff" + block()[1:], "wrong header"),
        (block(at_126=b"\x02"), "2 extension blocks announced, 0 present"),
        (block(at_126=b"\x01") + b"\x02" + b"\0" * 127, "wrong checksum in block 1"),
        (block() + b"\n", "1 bytes after the last whole block"),
        (block(at_18=b"\x02\x00"), "unknown version 2.0"),
    ],
)
def test_damage_has_a_name(data: bytes, problem: str) -> None:
    edid = decode(data)
    assert problem in edid.problems
    assert edid.valid == (problem == "unknown version 2.0")


def test_every_single_wrong_byte_is_noticed() -> None:
    good = block()
    for at in range(128):
        assert not decode(good[:at] + bytes([good[at] ^ 0x5A]) + good[at + 1 :]).valid


@given(st.binary(max_size=600))
def test_any_bytes_decode(data: bytes) -> None:
    assert decode(data).valid is False


@given(st.lists(st.tuples(st.integers(8, 255), st.integers(0, 255)), max_size=40), st.sampled_from([0x02, 0x70]))
def test_any_body_behind_a_good_header_decodes(changes: list[tuple[int, int]], tag: int) -> None:
    data = bytearray(block(at_126=b"\x01") + bytes([tag, 0x20, 0x79]) + b"\x22\x80\x14" * 41 + b"\0\0")
    for at, value in changes:
        data[at] = value
    edid = decode(bytes(data))
    assert edid.header_ok
    assert len(edid.checksums) == 2


def test_hex_dumps() -> None:
    assert from_hex("EDID:\n\t00ffffff\n\tffffff00\n\nBlock 0, Base EDID:\n 00 11\n") == HEADER
    assert from_hex("0x00 0xff, 0xff") == b"\x00\xff\xff"
    assert from_hex("no hex here") == b""


def test_connected_panel(tmp_path: Path) -> None:
    connector(tmp_path, "card0-eDP-1", block(), status="connected", enabled="enabled", dpms="On")
    connector(tmp_path, "card0-HDMI-A-1", status="disconnected", enabled="disabled", dpms="Off")
    connector(tmp_path, "card0-Writeback-1", status="unknown", enabled="disabled", dpms="Off")
    seen = look(tmp_path)
    found = readings(seen)

    def value(name: str, subject: str = "card0-eDP-1") -> object:
        reading = found.get(name, subject)
        return reading.value if reading else None

    assert (value("panel.internal"), value("panel.connected"), value("panel.edid.valid")) == (True, True, True)
    assert (value("panel.width"), value("panel.height"), value("panel.refresh")) == (1920, 1080, 60.0)
    assert (value("panel.size.width"), value("panel.size.height")) == (0.527, 0.296)
    assert value("panel.connected", "card0-HDMI-A-1") is False
    assert value("panel.internal", "card0-HDMI-A-1") is False
    assert value("panel.responds", "card0-Writeback-1") is None
    parts = [item for item in seen if isinstance(item, Component)]
    assert [(p.name, p.manufacturer, p.model, p.serial) for p in parts] == [
        ("card0-eDP-1", "CMN", "M238HCJ-E20", "SN12345")
    ]
    assert [g.subject for g in seen if isinstance(g, Gap)] == ["backlight"]


@pytest.mark.parametrize(
    ("number", "text", "serial"),
    [
        (0x00012345, b"SN12345\n     ", "SN12345"),
        (0x01010101, b"SN12345\n     ", "SN12345"),
        (0x0C0FFEE5, b"0000000000000", "202374885"),
        (0x0C0FFEE5, b"1234567890123", "202374885"),
        (0x01010101, b"\n            ", ""),
        (0x00000001, b"\n            ", ""),
        (0xFFFFFFFF, b"\n            ", ""),
    ],
)
def test_serial_numbers_that_nobody_wrote_are_none(number: int, text: bytes, serial: str) -> None:
    data = block(at_12=number.to_bytes(4, "little"), at_113=text)
    seen = PROBE.interpret([Evidence("edid", "", data, "test", TIME)])
    assert [item.serial for item in seen if isinstance(item, Component)] == [serial]


def test_backlight_levels_and_its_connector(tmp_path: Path) -> None:
    connector(tmp_path, "card0-eDP-1", block(), status="connected", enabled="enabled", dpms="On")
    light = tmp_path / "sys/devices/pci0000:00/0000:00:02.0/drm/card0/card0-eDP-1/intel_backlight"
    light.mkdir(parents=True)
    contents = {"type": "raw", "bl_power": "0", "max_brightness": "400", "brightness": "100", "actual_brightness": "90"}
    for file, text in contents.items():
        (light / file).write_text(text + "\n")
    (tmp_path / "sys/class/backlight").mkdir()
    os.symlink(
        "../../devices/pci0000:00/0000:00:02.0/drm/card0/card0-eDP-1/intel_backlight",
        tmp_path / "sys/class/backlight/intel_backlight",
    )
    found = readings(look(tmp_path))
    values = {r.name: r.value for r in found.matching("panel.backlight.")}
    assert values == {
        "panel.backlight.type": "raw",
        "panel.backlight.connector": "card0-eDP-1",
        "panel.backlight.power": "on",
        "panel.backlight.set": 0.25,
        "panel.backlight.level": 0.225,
    }


def test_no_graphics_is_unsupported(tmp_path: Path) -> None:
    seen = look(tmp_path)
    assert [(g.outcome, g.essential) for g in seen if isinstance(g, Gap)] == [(Outcome.UNSUPPORTED, True)]
    assert len(seen) == 1


def test_a_connector_that_does_not_answer_is_told(tmp_path: Path) -> None:
    (tmp_path / "sys/class/drm").mkdir(parents=True)
    os.symlink("../../devices/gone", tmp_path / "sys/class/drm/card0-eDP-1")
    responds = readings(look(tmp_path)).get("panel.responds", "card0-eDP-1")
    assert responds is not None
    assert responds.value is False


def test_unreadable_edid_is_an_error_and_no_reading() -> None:
    tree = Tree(
        {
            "/sys/class/drm/card0-eDP-1/status": "connected\n",
            "/sys/class/drm/card0-eDP-1/edid": {"error": "EIO"},
        }
    )
    seen = list(PROBE.interpret([Evidence("tree", "card0-eDP-1", tree.encode(), "", TIME)]))
    assert [g.outcome for g in seen if isinstance(g, Gap) and g.subject == "card0-eDP-1"] == [Outcome.ERROR]
    assert readings(seen).get("panel.edid.present", "card0-eDP-1") is None


PATHS = st.sampled_from(
    [
        *(f"/sys/class/drm/card0-eDP-1/{f}" for f in ("status", "enabled", "dpms", "edid", "modes")),
        *(f"/sys/class/backlight/b/{f}" for f in ("type", "scale", "bl_power", "max_brightness", "brightness")),
        "/sys/class/backlight/b/actual_brightness",
        "/sys/class/drm/card0-eDP-1",
        "/sys/class/backlight/b",
    ]
)
CHARACTERS = "ab09-+. /\n\0é\ud800"
CONTENT = st.one_of(
    st.text(CHARACTERS, max_size=40),
    st.sampled_from(["connected", "0", "400", "-1", "9" * 5000, "\ud800"]),
    st.integers(),
    st.none(),
    st.fixed_dictionaries({"base64": st.text(CHARACTERS, max_size=8)}),
    st.fixed_dictionaries({"link": st.text(CHARACTERS, max_size=30)}),
    st.fixed_dictionaries({"error": st.text(CHARACTERS, max_size=8)}),
)


@given(
    st.dictionaries(PATHS, CONTENT).map(lambda files: json.dumps(files).encode()) | st.binary(max_size=200),
    st.sampled_from(["tree", "edid", "other"]),
)
def test_any_evidence_is_interpreted(data: bytes, kind: str) -> None:
    for item in PROBE.interpret([Evidence(kind, "x", data, "test", TIME)]):
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
