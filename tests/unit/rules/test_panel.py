"""From sysfs files to findings about the panel."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from agent.model import Evidence, Finding, Reading, Readings, Tree, Verdict
from agent.probes.panel import PROBE
from agent.probes.panel.edid import HEADER
from agent.rules import apply

DRM = "/sys/class/drm"
LIGHT = "/sys/class/backlight"


def edid(*, base_sum: int = 0, extension_sum: int | None = None, announced: int = 0) -> bytes:
    """An EDID whose blocks add up to the given sums; 0 is right."""
    base = bytearray(HEADER.ljust(127, b"\x01"))
    base[18:20] = b"\x01\x04"
    base[126] = announced
    data = bytes(base) + bytes([(base_sum - sum(base)) % 256])
    if extension_sum is not None:
        data += b"\x02".ljust(127, b"\0") + bytes([(extension_sum - 2) % 256])
    return data


GOOD = edid()


def output(name: str, status: str, data: bytes = GOOD, dpms: str = "On") -> dict[str, Any]:
    path = f"{DRM}/{name}"
    return {
        f"{path}/status": status,
        f"{path}/enabled": "enabled" if status == "connected" else "disabled",
        f"{path}/dpms": dpms,
        f"{path}/edid": {"base64": base64.b64encode(data).decode()},
    }


def light(name: str, kind: str, wanted: int, level: int, power: int = 0) -> dict[str, Any]:
    values = {"type": kind, "brightness": wanted, "actual_brightness": level, "bl_power": power, "max_brightness": 100}
    return {f"{LIGHT}/{name}/{file}": str(value) for file, value in values.items()}


def judge(*parts: dict[str, Any]) -> dict[str, Finding]:
    files: dict[str, Any] = {}
    for part in parts:
        files |= part
    evidence = Evidence("tree", "", Tree(files).encode(), "test", "2026-01-01T00:00:00Z")
    found = Readings(item for item in PROBE.interpret([evidence]) if isinstance(item, Reading))
    return {finding.code: finding for finding in apply(found)}


def test_a_healthy_panel_has_no_finding() -> None:
    assert judge(output("card0-eDP-1", "connected"), light("intel_backlight", "raw", 50, 50)) == {}


def test_missing_panel() -> None:
    finding = judge(output("card0-eDP-1", "disconnected"), output("card0-HDMI-A-1", "disconnected"))["LCD-4001"]
    assert (finding.verdict, finding.subject) == (Verdict.FAIL, "card0-eDP-1")
    assert [r.name for r in finding.evidence] == ["panel.connected"]


def test_an_unused_output_beside_the_used_one_is_no_fault() -> None:
    assert judge(output("card0-LVDS-1", "disconnected"), output("card0-eDP-1", "connected")) == {}


def test_another_display_leaves_it_open() -> None:
    findings = judge(output("card0-eDP-1", "disconnected"), output("card0-DP-1", "connected"))
    assert {code: f.verdict for code, f in findings.items()} == {"LCD-4017": Verdict.UNKNOWN}


def test_no_display_at_all_is_a_hint() -> None:
    findings = judge(output("card0-DP-1", "disconnected"), output("card0-HDMI-A-1", "disconnected"))
    assert {code: f.verdict for code, f in findings.items()} == {"LCD-4025": Verdict.UNKNOWN}


@pytest.mark.parametrize("name", ["card0-eDP-1", "card0-VGA-1"])
def test_an_output_that_does_not_know_is_not_judged(name: str) -> None:
    assert judge(output(name, "unknown")) == {}


def test_silence_of_the_driver() -> None:
    findings = judge({f"{DRM}/card0-eDP-1": {"link": "../../x"}})
    assert {code: f.verdict for code, f in findings.items()} == {"LCD-4030": Verdict.UNKNOWN}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("card0-eDP-1", {"LCD-4105": Verdict.FAIL}),
        ("card0-LVDS-1", {"LCD-4105": Verdict.UNKNOWN}),
        ("card0-DSI-1", {}),
        ("card0-HDMI-A-1", {}),
    ],
)
def test_no_identification(name: str, expected: dict[str, Verdict]) -> None:
    assert {code: f.verdict for code, f in judge(output(name, "connected", b"")).items()} == expected


@pytest.mark.parametrize(
    ("data", "code", "inside", "outside"),
    [
        (edid(base_sum=1), "LCD-4118", Verdict.FAIL, Verdict.UNKNOWN),
        (b"\xff" + GOOD[1:], "LCD-4118", Verdict.FAIL, Verdict.UNKNOWN),
        (edid(extension_sum=1, announced=1), "LCD-4126", Verdict.FAIL, Verdict.UNKNOWN),
        (edid(announced=1), "LCD-4139", Verdict.UNKNOWN, Verdict.UNKNOWN),
        (GOOD[:64], "LCD-4139", Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_damaged_identification(data: bytes, code: str, inside: Verdict, outside: Verdict) -> None:
    assert {c: f.verdict for c, f in judge(output("card0-eDP-1", "connected", data)).items()} == {code: inside}
    assert {c: f.verdict for c, f in judge(output("card0-DP-1", "connected", data)).items()} == {code: outside}


PANEL = output("card0-eDP-1", "connected")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([PANEL, light("a", "raw", 0, 0)], {"LCD-4208"}),
        ([PANEL, light("a", "raw", 80, 0)], {"LCD-4208"}),
        ([PANEL, light("a", "raw", 80, 80, power=4)], {"LCD-4208"}),
        ([output("card0-eDP-1", "connected", dpms="Off"), light("a", "raw", 0, 0, power=4)], set()),
        ([PANEL, light("a", "raw", 80, 80), light("acpi_video0", "firmware", 0, 0)], set()),
        ([PANEL, light("a", "firmware", 0, 0), light("b", "firmware", 90, 90)], set()),
        ([PANEL, light("a", "raw", 90, 39)], {"LCD-4219"}),
        ([PANEL, light("a", "raw", 90, 40)], set()),
        ([PANEL, light("a", "platform", 90, 10)], set()),
        ([output("card0-DP-1", "connected"), light("a", "raw", 0, 0)], set()),
    ],
)
def test_backlight(parts: list[dict[str, Any]], expected: set[str]) -> None:
    findings = judge(*parts)
    assert set(findings) == expected
    assert all(f.verdict is Verdict.UNKNOWN for f in findings.values())
