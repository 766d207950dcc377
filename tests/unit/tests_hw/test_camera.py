"""Cameras that give pictures, black ones, always the same, too few or none; and that no picture is kept."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Verdict
from agent.rules.camera_test import black, frozen, loses_pictures, no_picture
from agent.tests_hw.camera import COUNTED, TEST, Mode, burst, cameras, looked_at

TIME = "2026-01-02T03:04:05.678Z"
SOURCE = "v4l2-ctl -d /dev/video0 --verbose --stream-mmap --stream-poll --stream-skip=30 --stream-count=8"
# In the format of v4l2-ctl 1.22.1.
SET = """Format Video Capture:
	Width/Height      : 640/480
	Pixel Format      : 'YUYV' (YUYV 4:2:2)
	Field             : None
	Bytes per Line    : 1280
	Size Image        : 614400
	Colorspace        : sRGB
	Transfer Function : Rec. 709
	YCbCr/HSV Encoding: ITU-R 601
	Quantization      : Default (maps to Limited Range)
Streaming Parameters Video Capture:
	Capabilities     : timeperframe
	Frames per second: 30.000 (30/1)
	Read buffers     : 0
"""
STARTED = "\t\tVIDIOC_REQBUFS returned 0 (Success)\n\t\tVIDIOC_STREAMON returned 0 (Success)\n"
BUSY = "VIDIOC_S_FMT: failed: Device or resource busy\n"
STREAM_BUSY = "\t\tVIDIOC_REQBUFS returned -1 (Device or resource busy)\n"


def stream(numbers: list[int], start: str = STARTED) -> str:
    lines = [
        f"cap dqbuf: {i % 4} seq: {n:6} bytesused: 614400 ts: {100 + n / 30:.6f} delta: 33.333 ms (ts-monotonic)\n"
        for i, n in enumerate(numbers)
    ]
    return start + "".join(lines)


def told(text: str = SET, exit_status: int = 0, problem: Text | None = None) -> Evidence:
    source = "v4l2-ctl -d /dev/video0 --get-fmt-video --get-parm"
    return Evidence("v4l2-ctl", "video0", text.encode(), source, TIME, exit_status, problem=problem)


def streamed(text: str, exit_status: int = 0) -> Evidence:
    return Evidence("v4l2-ctl", "video0", text.encode(), SOURCE, TIME, exit_status)


def frames(*found: dict[str, Any], asked: int = COUNTED + 8) -> Evidence:
    data = json.dumps({"asked": asked, "frames": list(found)}).encode()
    return Evidence("camera-test-json", "video0", data, SOURCE, TIME)


def frame(mean: float = 110.0, deviation: float = 40.0, same: bool = False) -> dict[str, Any]:
    return {"bytes": 614400, "mean": mean, "deviation": deviation, "same": same}


SOUND = (told(), streamed(stream(list(range(38)))), frames(*[frame()] * 8))


def values(*evidence: Evidence) -> dict[str, object]:
    return {s.name.removeprefix("camera_test."): s.value for s in TEST.interpret(evidence) if isinstance(s, Reading)}


def judged(*evidence: Evidence, built_in: bool | None = None) -> list[Finding]:
    readings = [s for s in TEST.interpret(evidence) if isinstance(s, Reading)]
    if built_in is not None:
        readings.append(Reading("camera.built_in", built_in, "", ComponentKind.CAMERA, "video0", "removable", TIME))
    return [f for rule in (no_picture, black, frozen, loses_pictures) for f in rule(Readings(readings))]


def test_a_camera_that_works_is_measured_and_no_finding() -> None:
    assert values(*SOUND) == {
        "asked": 38,
        "frames": 38,
        "missed": 0,
        "rate": pytest.approx(30, abs=0.01),
        "promised": 30.0,
        "looked_at": 8,
        "compared": 7,
        "repeated": 0,
        "black": 0,
        "brightness": 110.0,
    }
    assert judged(*SOUND) == []


@pytest.mark.parametrize(
    ("said", "looks", "code", "number"),
    [
        (stream([]), [], "CAM-7817", "38"),
        (stream(list(range(38))), [frame(16.2, 0.4)] * 8, "CAM-7825", "8"),
        (stream(list(range(38))), [frame()] + [frame(same=True)] * 7, "CAM-7830", "7"),
        (stream([n for n in range(50) if n % 5]), [frame()] * 8, "CAM-7849", "7"),
    ],
)
def test_one_that_does_not(said: str, looks: list[dict[str, Any]], code: str, number: str) -> None:
    evidence = (told(), streamed(said), frames(*looks))
    (finding,) = judged(*evidence)
    assert (finding.code, finding.subject, finding.verdict) == (code, "video0", Verdict.UNKNOWN)
    for language in LANGUAGES:
        assert number in message(finding, language)
    assert [f.code for f in judged(*evidence, built_in=True)] == [code]
    assert judged(*evidence, built_in=False) == []


def test_frames_that_are_damaged_or_empty_did_not_come() -> None:
    """v4l2-ctl tells of both; it neither counts nor writes the damaged ones, and counts the empty ones."""
    lines = stream(list(range(45))).splitlines(keepends=True)
    for n in (5, 6, 7, 8):
        lines[2 + n] = lines[2 + n].replace("(ts-monotonic)", "(error, ts-monotonic)")
    for n in (12, 13, 14):
        lines[2 + n] = lines[2 + n].replace("bytesused: 614400", "bytesused: 0")
    evidence = (told(), streamed("".join(lines)), frames(*[frame()] * 8))
    assert (values(*evidence)["frames"], values(*evidence)["missed"]) == (38, 7)
    assert [f.code for f in judged(*evidence)] == ["CAM-7849"]


def test_black_pictures_that_are_the_same_are_told_once() -> None:
    dark = [frame(16.0, 0.0)] + [frame(16.0, 0.0, same=True)] * 7
    assert [f.code for f in judged(told(), streamed(stream(list(range(38)))), frames(*dark))] == ["CAM-7825"]


def test_a_dark_picture_in_which_something_is_seen_is_not_black() -> None:
    assert values(*SOUND[:2], frames(*[frame(20.0, 9.0)] * 8))["black"] == 0


def test_one_picture_that_comes_twice_or_is_missing_at_the_start_is_no_finding() -> None:
    looks = frames(frame(), frame(same=True), *[frame()] * 6)
    assert judged(told(), streamed(stream([0, 2, *range(3, 39)])), looks) == []


def test_the_same_picture_after_the_camera_was_opened_again_is_not_compared() -> None:
    assert values(*SOUND[:2], frames(frame(same=True)), frames(frame(same=True)))["compared"] == 0


def test_pictures_that_are_compressed_are_compared_only() -> None:
    jpeg = frames(*[{"bytes": 30000, "same": False}] * 8)
    seen = values(told(SET.replace("YUYV", "MJPG")), SOUND[1], jpeg)
    assert "black" not in seen
    assert "brightness" not in seen
    assert seen["compared"] == 7


@pytest.mark.parametrize("evidence", [(told(BUSY, 255),), (told(), streamed(STREAM_BUSY, 255), frames())])
def test_a_camera_in_use_is_left_alone(evidence: tuple[Evidence, ...]) -> None:
    (gap,) = TEST.interpret(evidence)
    assert isinstance(gap, Gap)
    assert (gap.subject, gap.outcome, gap.essential) == ("video0", Outcome.UNSUPPORTED, True)
    assert gap.reason == Text("another program is using it")


def test_a_missing_program_is_named_with_its_package() -> None:
    missing = Text("{program} is not installed", {"program": "v4l2-ctl"})
    (gap,) = TEST.interpret([told("", 1, missing)])
    assert isinstance(gap, Gap)
    assert gap.remedy == "sudo apt-get install v4l-utils"


def test_what_cannot_be_opened_is_an_error() -> None:
    (gap,) = TEST.interpret([told("Cannot open device /dev/video0, exiting.\n", 1)])
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)
    assert "Cannot open device" in str(gap.reason)


def test_who_may_not_open_it_is_told_who_may() -> None:
    """By the real program, of a node that nobody has."""
    host = Host()
    host.is_root = False
    evidence = list(burst(host, "video987"))
    (gap,) = TEST.interpret(evidence)
    assert isinstance(gap, Gap)
    if gap.reason.template == "{program} is not installed":
        pytest.skip("v4l2-ctl is not installed")
    assert (gap.outcome, gap.essential, gap.remedy) == (Outcome.UNSUPPORTED, True, "sudo aiodiag test camera")


def test_how_it_is_set_is_read_and_set_again() -> None:
    mode = Mode.of(SET)
    assert mode == Mode(640, 480, "YUYV", 614400, 30.0)
    assert mode.setting() == "--set-fmt-video=width=640,height=480,pixelformat=YUYV"
    assert Mode.of(SET.replace("Size Image        : 614400", "Size Image        : 0")) is None


def test_cameras_are_the_first_nodes_of_usb_devices(tmp_path: Path) -> None:
    for node, index, link in (
        ("video0", 0, "../../../1-6:1.0"),
        ("video1", 1, "../../../1-6:1.0"),
        ("video2", 0, "../../../0000:00:05.0"),
        ("video10", 0, "../../../1-1.4:1.0"),
    ):
        folder = tmp_path / "sys/class/video4linux" / node
        folder.mkdir(parents=True)
        (folder / "index").write_text(f"{index}\n")
        (folder / "device").symlink_to(link)
    tree = Host(str(tmp_path)).tree("/sys/class/video4linux/video*/device", "/sys/class/video4linux/video*/index")
    assert cameras(tree) == ["video0", "video10"]


def picture(seed: int, size: int = 128) -> bytes:
    return random.Random(seed).randbytes(size)


def test_of_a_picture_only_numbers_are_kept() -> None:
    first, second = picture(1), picture(2)
    found = list(looked_at(first + first + second, [128, 128, 128], "YUYV"))
    assert [f["same"] for f in found] == [False, True, False]
    levels = first[::2]
    mean = sum(levels) / len(levels)
    assert found[0]["mean"] == pytest.approx(mean, abs=0.01)
    assert found[0]["deviation"] == pytest.approx((sum((x - mean) ** 2 for x in levels) / 64) ** 0.5, abs=0.01)
    assert set(found[0]) == {"bytes", "same", "mean", "deviation"}


@pytest.mark.parametrize("pixels", ["YUYV", "UYVY", "NV12", "YU12", "GREY"])
def test_brightness_is_found_in_each_format(pixels: str) -> None:
    light, colour = 200, 128
    size = {"YUYV": 128, "UYVY": 128, "NV12": 96, "YU12": 96, "GREY": 64}[pixels]
    data = {
        "YUYV": bytes([light, colour]) * 64,
        "UYVY": bytes([colour, light]) * 64,
        "GREY": bytes([light]) * 64,
    }.get(pixels, bytes([light]) * 64 + bytes([colour]) * 32)
    (found,) = looked_at(data, [size], pixels)
    assert (found["mean"], found["deviation"]) == (200, 0)


@given(st.binary(max_size=64), st.lists(st.integers(0, 40), max_size=5), st.sampled_from(["YUYV", "MJPG", "NV12", "?"]))
def test_frames_that_are_cut_off_are_not_looked_at(data: bytes, lengths: list[int], pixels: str) -> None:
    found = list(looked_at(data, lengths, pixels))
    assert sum(f["bytes"] for f in found) <= len(data)
    assert len(found) <= len(lengths)


odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(odd, st.lists(odd | st.dictionaries(st.sampled_from(["bytes", "same", "mean", "deviation"]), odd)), st.text())
def test_odd_numbers_hurt_nobody(asked: Any, found: list[Any], said: str) -> None:
    data = json.dumps({"asked": asked, "frames": found}).encode()
    seen = list(TEST.interpret([told(), streamed(said), Evidence("camera-test-json", "video0", data, SOURCE, TIME)]))
    for item in seen:
        json.dumps(item.to_json(), allow_nan=False)
    assert seen
