"""The cameras on USB, opened again and again: whether pictures come, all of them, in time, and whether they show
anything.

Each burst starts the stream anew, lets frames go by that are only counted, and looks at a few behind them. Pictures of
people are private: the frames come through a pipe, never reach a disk, and of each no more is kept than its length, the
mean and the deviation of its brightness, and whether it is the same as the one before, byte for byte; the noise of a
sensor alone sees to it that no two are. The size of the picture is set for the test and put back. A camera that is in
use is left alone; its light comes on as with any other program.

Readings of each camera, subjects ``video0``: ``camera_test.asked`` (count, frames that were asked for),
``camera_test.frames`` (count, that came), ``camera_test.missed`` (count, by the gaps in the driver's numbers),
``camera_test.rate`` (Hz, of those that came) and ``camera_test.promised`` (Hz, what the mode promises; in the dark
cameras give fewer). Of the frames that were looked at: ``camera_test.looked_at`` (count), ``camera_test.compared``
(count, those that had one before them in a burst), ``camera_test.repeated`` (count, of those, that were the same), and
where the format shows it ``camera_test.black`` (count) and ``camera_test.brightness`` (1, mean, 0 to 255).
Source of the formats: v4l2-ctl 1.22.1 (Debian 12), V4L2 specification (``YUYV``, ``UYVY``, ``NV12``, ``YU12``,
``GREY``), ITU-R BT.601 (black is 16).
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

COUNTED = 30
"""Frames of a burst that are only counted; ours: a second, in which most cameras find the right exposure. Those that
are looked at are not counted: they wait for us, and what the driver drops meanwhile is no fault."""
LOOKED_AT = 8
"""Frames of a burst that are looked at, at most; ours."""
ROOM_B = 7 * 1024 * 1024
"""Bytes of frames that fit into what is kept of a program's output."""
BURST_S = 20.0
"""Seconds for a burst; ours: in the dark, cameras give 5 frames a second."""
ASK_S = 5.0
"""Seconds for it to be told how to work; as the kernel gives it (``UVC_CTRL_CONTROL_TIMEOUT``)."""
BLACK = 24.0
"""Mean brightness up to which a frame is black; ours: 16, and the noise of a sensor in the dark."""
FLAT = 4.0
"""Deviation of the brightness up to which nothing is seen in it; ours: noise in the dark."""

_NODES = "/sys/class/video4linux"
_FRAMES, _SAID = "camera-test-json", "v4l2-ctl"
_ON_USB = re.compile(r"(?:^|/)\d{1,4}-\d{1,3}(?:\.\d{1,3})*:\d{1,3}\.\d{1,3}$", re.ASCII)
_NODE = re.compile(r"video\d{1,3}", re.ASCII)
_FORMAT = re.compile(
    r"Width/Height +: (\d{1,5})/(\d{1,5})\n\s*Pixel Format +: '([A-Z0-9]{4})'[\s\S]{0,300}?Size Image +: (\d{1,9})\n",
    re.ASCII,
)
_PROMISED = re.compile(r"Frames per second: (\d{1,4}\.\d{3}) ", re.ASCII)
_FRAME = re.compile(
    r"^cap dqbuf: +\d{1,3} seq: +(\d{1,10}) bytesused: (\d{1,10}) .{0,60}?ts: (\d{1,10}\.\d{6}) (.{0,200})$",
    re.ASCII | re.MULTILINE,
)
_NEEDS_ROOT = Text("needs root")
_BUSY = "Device or resource busy"
_BRIGHTNESS = {"YUYV": 2, "UYVY": 2, "NV12": 1, "YU12": 1, "GREY": 1}
"""Formats that hold the brightness as bytes, and how far these are apart; in planar ones they come first."""


class Mode(NamedTuple):
    """How a camera is set: pixels, FOURCC, bytes of a frame at most, and frames a second as promised (0: unknown)."""

    width: int
    height: int
    pixels: str
    bytes: int
    promised: float

    @classmethod
    def of(cls, text: str) -> Mode | None:
        """From what v4l2-ctl says of it."""
        match, rate = _FORMAT.search(text), _PROMISED.search(text)
        if match is None or int(match[4]) == 0:
            return None
        return cls(int(match[1]), int(match[2]), match[3], int(match[4]), float(rate[1]) if rate else 0.0)

    def setting(self) -> str:
        """The option of v4l2-ctl that sets it."""
        return f"--set-fmt-video=width={self.width},height={self.height},pixelformat={self.pixels}"


class Frame(NamedTuple):
    """A frame as v4l2-ctl tells it: the driver's number, bytes, and seconds."""

    number: int
    length: int
    at: float


class CameraTest(HardwareTest):
    """See the module."""

    name = "camera"
    programs = ("v4l2-ctl",)
    heats = ()
    disturbs = Text("the camera's light comes on; no picture is kept")
    least_s = 10.0
    slack_s = 2 * (BURST_S + 3 * ASK_S) + 10.0
    measures: ClassVar = {
        "camera_test.asked": "count",
        "camera_test.frames": "count",
        "camera_test.missed": "count",
        "camera_test.rate": "Hz",
        "camera_test.promised": "Hz",
        "camera_test.looked_at": "count",
        "camera_test.compared": "count",
        "camera_test.repeated": "count",
        "camera_test.black": "count",
        "camera_test.brightness": "1",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """A burst of each camera in turn, until the time is over."""
        tree = host.tree(f"{_NODES}/video*/device", f"{_NODES}/video*/index")
        yield tree
        begun, nodes = time.monotonic(), cameras(tree)
        for turn, node in enumerate(itertools.cycle(nodes)):
            if turn >= len(nodes) and time.monotonic() - begun >= bout.seconds:
                return
            yield from burst(host, node)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Readings of each camera that could be asked."""
        nodes = dict.fromkeys(e.subject for e in evidence if e.kind in {_SAID, _FRAMES} and _NODE.fullmatch(e.subject))
        if not nodes:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        for node in nodes:
            yield from _of_camera([e for e in evidence if e.subject == node], node)


TEST = CameraTest()


def cameras(tree: Evidence) -> list[str]:
    """The nodes that give pictures: the first of each USB device (drivers register them so). Others are no cameras, or
    give nothing without being set up by a program of their own (MIPI).
    """
    files = tree.tree()
    links = {path.split("/")[4]: files.link(path) or "" for path in files.paths(f"{_NODES}/video*/device")}
    firsts = [node for node in links if files.integer(f"{_NODES}/{node}/index") == 0 and _NODE.fullmatch(node)]
    return [node for node in firsts if _ON_USB.search(links[node])]


def burst(host: Host, node: str) -> Iterator[Evidence]:
    """Open the camera once: how it is set, what was said of each frame, and what the frames that were looked at are."""
    device = ("-d", f"/dev/{node}")
    before = host.output(_SAID, "v4l2-ctl", *device, "--get-fmt-video", subject=node, timeout_s=ASK_S)
    was = Mode.of(before.text())
    if was is None:
        closed = not host.is_root and "Cannot open device" in before.text()
        yield replace(before, problem=_NEEDS_ROOT) if closed else before
        return
    small = "--set-fmt-video=width=640,height=480,pixelformat=YUYV"
    try:
        ask = (small, "--get-fmt-video", "--get-parm")
        told = host.output(_SAID, "v4l2-ctl", *device, *ask, subject=node, timeout_s=ASK_S)
        yield told
        mode = Mode.of(told.text())
        if mode is None:
            return
        frames, started = max(1, min(LOOKED_AT, ROOM_B // mode.bytes)), now()
        how = ("--verbose", "--stream-mmap", "--stream-poll", f"--stream-skip={COUNTED}", f"--stream-count={frames}")
        ran = host.run("v4l2-ctl", *device, *how, "--stream-to=-", timeout_s=BURST_S)
    finally:
        host.run("v4l2-ctl", *device, was.setting(), timeout_s=ASK_S)
    source = " ".join(("v4l2-ctl", *device, *how))
    said, why = ran.stderr, ran.reason
    yield Evidence(_SAID, node, said, source, started, ran.exit_status, ran.duration_s, ran.truncated, why)
    lengths = [frame.length for frame in _said(ran.stderr.decode("utf-8", "replace"))[COUNTED:] if frame.length]
    seen = {"asked": COUNTED + frames, "frames": list(looked_at(ran.stdout, lengths, mode.pixels))}
    yield Evidence(_FRAMES, node, json.dumps(seen).encode(), source, started, duration_s=ran.duration_s)


def looked_at(data: bytes, lengths: Sequence[int], pixels: str) -> Iterator[dict[str, Any]]:
    """What may be known of each frame: ``mean`` and ``deviation`` only where its format shows the brightness."""
    at, before = 0, b""
    for length in lengths:
        frame = data[at : at + length]
        at += length
        if not frame or len(frame) < length:
            return
        found: dict[str, Any] = {"bytes": length, "same": frame == before}
        if pixels in _BRIGHTNESS:
            found |= _light(_brightness(frame, pixels))
        yield found
        before = frame


def _brightness(frame: bytes, pixels: str) -> bytes:
    if pixels in {"NV12", "YU12"}:  # colours of a quarter of the pixels each, behind them
        return frame[: len(frame) * 2 // 3]
    return frame[1 if pixels == "UYVY" else 0 :: _BRIGHTNESS[pixels]]


def _light(levels: bytes) -> dict[str, float]:
    times = Counter(levels)
    mean = sum(level * n for level, n in times.items()) / max(1, len(levels))
    variance = sum((level - mean) ** 2 * n for level, n in times.items()) / max(1, len(levels))
    return {"mean": round(mean, 2), "deviation": round(variance**0.5, 2)}


def _of_camera(evidence: Sequence[Evidence], node: str) -> Iterator[Measured]:
    said, looks = [e for e in evidence if e.kind == _SAID], [e for e in evidence if e.kind == _FRAMES]
    if not looks:
        yield _why_nothing(said[-1] if said else None, node)
        return
    streams = [e for e in said if "--stream-mmap" in e.source]
    if streams and any(_BUSY in e.text() for e in streams):
        yield _why_nothing(next(e for e in streams if _BUSY in e.text()), node)
        return
    last = looks[-1]

    def reading(quantity: str, value: float, unit: str) -> Reading:
        return Reading(f"camera_test.{quantity}", value, unit, ComponentKind.CAMERA, node, last.source, last.time)

    bursts = [_said(e.text()) for e in streams]
    loaded = [piece for e in looks if isinstance(piece := e.json(), Mapping)]
    asked = [n for piece in loaded if isinstance(n := piece.get("asked"), int) and 0 < n < 1 << 31]
    if not asked:
        yield _why_nothing(None, node)
        return
    counted = [[frame for frame in frames[:COUNTED] if frame.length] for frames in bursts]
    yield reading("asked", sum(asked), "count")
    yield reading("frames", sum(frame.length > 0 for frames in bursts for frame in frames), "count")
    yield reading("missed", sum(_missed([frame.number for frame in frames]) for frames in counted), "count")
    spans = [(len(frames) - 1, frames[-1].at - frames[0].at) for frames in counted if len(frames) > 1]
    if (seconds := sum(s for _, s in spans)) > 0:
        yield reading("rate", round(sum(n for n, _ in spans) / seconds, 3), "Hz")
    promised = [float(match[1]) for e in said if (match := _PROMISED.search(e.text()))]
    if promised and promised[-1] > 0:
        yield reading("promised", promised[-1], "Hz")
    yield from _of_frames([_frames(piece) for piece in loaded], reading)


def _said(text: str) -> list[Frame]:
    """The frames that v4l2-ctl counts, empty ones too. Those that the driver calls damaged it tells and lets go."""
    found = [m for m in _FRAME.finditer(text) if not re.search(r"\berror\b", m[4])]
    return [Frame(int(m[1]), int(m[2]), float(m[3])) for m in found]


def _missed(numbers: Sequence[int]) -> int:
    return sum(max(0, after - before - 1) for before, after in itertools.pairwise(numbers))


def _frames(piece: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    frames = piece.get("frames")
    return [frame for frame in frames if isinstance(frame, Mapping)] if isinstance(frames, list) else []


def _of_frames(
    bursts: Sequence[Sequence[Mapping[str, Any]]], reading: Callable[[str, float, str], Reading]
) -> Iterator[Reading]:
    frames = [frame for burst in bursts for frame in burst]
    if not frames:
        return
    yield reading("looked_at", len(frames), "count")
    yield reading("compared", sum(len(burst[1:]) for burst in bursts), "count")
    yield reading("repeated", sum(frame.get("same") is True for burst in bursts for frame in burst[1:]), "count")
    light = [(_level(f.get("mean")), _level(f.get("deviation"))) for f in frames]
    known = [(mean, deviation) for mean, deviation in light if mean is not None and deviation is not None]
    if len(known) == len(frames):
        yield reading("black", sum(mean <= BLACK and deviation <= FLAT for mean, deviation in known), "count")
        yield reading("brightness", round(sum(mean for mean, _ in known) / len(known), 1), "1")


def _level(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 255 else None


def _why_nothing(said: Evidence | None, node: str) -> Gap:
    if said is not None and _BUSY in said.text():
        return Gap(node, Outcome.UNSUPPORTED, Text("another program is using it"), essential=True)
    if said is not None and said.problem == _NEEDS_ROOT:
        return Gap(node, Outcome.UNSUPPORTED, _NEEDS_ROOT, essential=True, remedy="sudo aiodiag test camera")
    if said is not None and (said.problem or said.exit_status):
        return program_gap(said, node, essential=True)
    return Gap(
        node, Outcome.ERROR, Text("{program} failed: {error}", {"program": "v4l2-ctl", "error": "?"}), essential=True
    )
