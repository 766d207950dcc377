"""What the camera's readings mean."""

from __future__ import annotations

import pytest

from agent.catalogue.entry import LANGUAGES, message
from agent.model import Evidence, Finding, Reading, Readings, Severity, Tree, Verdict
from agent.probes.camera import PROBE
from agent.rules.camera import slow_connection

NODE = "/sys/class/video4linux/video0"


def judged(*, speed: str, removable: str = "fixed", index: str = "0") -> list[Finding]:
    files = {
        f"{NODE}/device": {"link": "../../../1-8:1.0"},
        f"{NODE}/index": index,
        f"{NODE}/device/../speed": speed,
        f"{NODE}/device/../removable": removable,
    }
    evidence = Evidence("tree", "", Tree(files).encode(), "", "2026-01-01T00:00:00Z")
    return list(slow_connection(Readings(r for r in PROBE.interpret([evidence]) if isinstance(r, Reading))))


@pytest.mark.parametrize(("speed", "told"), [("12", "12.0"), ("1.5", "1.5")])
def test_a_built_in_camera_that_fell_back(speed: str, told: str) -> None:
    (finding,) = judged(speed=speed)
    assert (finding.code, finding.subject, finding.component) == ("CAM-7801", "video0", "camera")
    assert (finding.verdict, finding.severity) == (Verdict.UNKNOWN, Severity.WARNING)
    assert {r.name for r in finding.evidence} == {"camera.speed", "camera.built_in", "camera.capture"}
    for language in LANGUAGES:
        assert f"{told} Mbit/s" in message(finding, language)


@pytest.mark.parametrize("speed", ["480", "5000", ""])
def test_fast_enough_or_unknown(speed: str) -> None:
    assert judged(speed=speed) == []


@pytest.mark.parametrize(("removable", "index"), [("removable", "0"), ("unknown", "0"), ("fixed", "1")])
def test_only_built_in_cameras_that_give_pictures(removable: str, index: str) -> None:
    assert judged(speed="12", removable=removable, index=index) == []
