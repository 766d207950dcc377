"""The screen's connection and light, put through what they go through in use: dark and lit again, another brightness,
and a look whether the display is still there and still says the same of itself.

Each cycle blanks the console's picture (where a graphical session owns the screen, the kernel leaves that picture
alone, and only the rest happens), sets each backlight to three levels and reads back what the hardware has, and has the
driver of each connected display look again, which reads its EDID over the cable. All of it is put back, whatever
becomes of the test (``agent.tools.setting``). Only root may do this.

Readings: of each connected display, subjects ``card0-eDP-1``: ``display_test.cycles`` (count), ``display_test.lost``
(count, how often it was not found again), ``display_test.edid_errors`` (count, of EDIDs that are damaged or missing)
and ``display_test.edid_changed`` (count, of sound EDIDs that differ from the first one). Of each backlight, subjects
``intel_backlight``: ``display_test.steps`` (count) and ``display_test.brightness_wrong`` (count, how often the level
was another than the one set).
Source of the formats: drm_sysfs.c, Documentation/ABI/stable/sysfs-class-backlight, VESA E-EDID A2 (header, blocks of
128 bytes that sum up to 0).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.tests_hw._test import Bout, HardwareTest, Measured

if TYPE_CHECKING:
    from agent.tools.setting import Setting

DARK_S, LIT_S = 0.5, 2.0
"""Seconds that the picture is away, and there again, in each cycle; ours: panels need up to half a second for either
(VESA eDP: T12, 500 ms from off to on).
"""
SETTLE_S = 0.3
"""Seconds until a level that was set is read back; ours: drivers fade within 200 ms."""
LEVELS = (0.3, 1.0, 0.6)
"""Shares of the brightest level that are set in turn; ours: all of them can be read by."""
TOLERANCE = 0.05
"""Share of the brightest level by which what is read back may differ; ours: hardware with fewer steps rounds."""

_DRM = "/sys/class/drm"
_LIGHT = "/sys/class/backlight"
_BLANK = "/sys/class/graphics/fb0/blank"
_KIND = "display-test-json"
_CONNECTOR = re.compile(r"card\d{1,3}-[A-Za-z]{1,20}(?:-[A-Z])?-\d{1,3}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_:.-]{1,64}")
_HEADER = bytes.fromhex("00ffffffffffff00")


@dataclass(slots=True)
class Display:
    """What one display did; ``first`` is its first EDID."""

    first: bytes
    cycles: int = 0
    lost: int = 0
    edid_errors: int = 0
    edid_changed: int = 0

    def look(self, connected: bool, edid: bytes) -> None:
        """Count what one look showed."""
        self.cycles += 1
        if not connected:
            self.lost += 1
        elif not is_sound(edid):
            self.edid_errors += 1
        elif edid != self.first:
            self.edid_changed += 1


@dataclass(slots=True)
class Light:
    """What one backlight did."""

    steps: int = 0
    brightness_wrong: int = 0


class DisplayTest(HardwareTest):
    """See the module."""

    name = "display"
    programs = ()
    heats = ()
    disturbs = Text("the screen goes dark for moments and changes its brightness")
    least_s = 10.0
    slack_s = 30.0
    measures: ClassVar = {
        "display_test.cycles": "count",
        "display_test.lost": "count",
        "display_test.edid_errors": "count",
        "display_test.edid_changed": "count",
        "display_test.steps": "count",
        "display_test.brightness_wrong": "count",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Cycle until the time is over; one piece of evidence at the end, and the first EDID of each display."""
        first = host.tree(f"{_DRM}/card*-*/status", f"{_DRM}/card*-*/edid", f"{_LIGHT}/*/max_brightness")
        yield first
        tree = first.tree()
        connectors = [p.split("/")[4] for p in tree.paths(f"{_DRM}/card*/status") if tree.text(p) == "connected"]
        brightest = {p.split("/")[4]: tree.integer(p) or 0 for p in tree.paths(f"{_LIGHT}/*/max_brightness")}
        lights = {name: Light() for name, most in brightest.items() if most > 0 and _NAME.fullmatch(name)}
        displays = {c: Display(tree.binary(f"{_DRM}/{c}/edid") or b"") for c in connectors if _CONNECTOR.fullmatch(c)}
        if not displays and not lights:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
            return
        started, begun = now(), time.monotonic()
        try:
            with ExitStack() as stack:
                blank = stack.enter_context(host.changing(_BLANK)) if host.exists(_BLANK) else None
                looks = {c: stack.enter_context(host.changing(f"{_DRM}/{c}/status")) for c in displays}
                levels = {n: stack.enter_context(host.changing(f"{_LIGHT}/{n}/brightness")) for n in lights}
                while time.monotonic() - begun < bout.seconds:
                    _blink(blank)
                    for name, setting in levels.items():
                        _dim(host, name, setting, brightest[name], lights[name])
                    for connector, setting in looks.items():
                        _look(host, connector, setting, displays[connector])
        except PermissionError:
            yield Gap("", Outcome.UNSUPPORTED, Text("needs root"), essential=True, remedy="sudo aiodiag test display")
            return
        except OSError as e:
            yield Gap("", Outcome.ERROR, Text("could not be read: {error}", {"error": str(e)[:200]}), essential=True)
            return
        counts = {name: {k: v for k, v in asdict(seen).items() if k != "first"} for name, seen in displays.items()}
        data = json.dumps({"displays": counts, "lights": {name: asdict(seen) for name, seen in lights.items()}})
        seconds = round(time.monotonic() - begun, 2)
        yield Evidence(_KIND, "", data.encode(), f"{_DRM} {_LIGHT} {_BLANK}", started, duration_s=seconds)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Readings of each display and backlight."""
        found = [reading for e in evidence if e.kind == _KIND for reading in _readings(e)]
        yield from found
        if not found:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)


TEST = DisplayTest()


def is_sound(edid: bytes) -> bool:
    """Whether an EDID has its header, and all of its blocks their checksums."""
    blocks = [edid[at : at + 128] for at in range(0, len(edid), 128)]
    return edid.startswith(_HEADER) and len(edid) % 128 == 0 and all(sum(block) % 256 == 0 for block in blocks)


def _blink(blank: Setting | None) -> None:
    if blank is not None:
        try:
            blank.set("4")
            time.sleep(DARK_S)
            blank.set("0")
        except OSError:
            pass  # a driver without this; the rest is exercised all the same
    time.sleep(LIT_S)


def _dim(host: Host, name: str, setting: Setting, most: int, light: Light) -> None:
    for share in LEVELS:
        level = max(1, round(share * most))
        try:
            setting.set(str(level))
        except OSError:
            level = -1 - most
        time.sleep(SETTLE_S)
        path = f"{_LIGHT}/{name}/actual_brightness"
        actual = host.tree(path).tree().integer(path)
        light.steps += 1
        light.brightness_wrong += actual is None or abs(actual - level) > max(1.0, TOLERANCE * most)


def _look(host: Host, connector: str, setting: Setting, display: Display) -> None:
    try:
        setting.set("detect")
    except OSError:
        display.look(False, b"")
        return
    tree = host.tree(f"{_DRM}/{connector}/status", f"{_DRM}/{connector}/edid").tree()
    connected = tree.text(f"{_DRM}/{connector}/status") == "connected"
    display.look(connected, tree.binary(f"{_DRM}/{connector}/edid") or b"")


def _readings(piece: Evidence) -> Iterator[Reading]:
    loaded: Any = piece.json()
    for key, part, allowed, quantities in (
        ("displays", ComponentKind.PANEL, _CONNECTOR, ("cycles", "lost", "edid_errors", "edid_changed")),
        ("lights", ComponentKind.BACKLIGHT, _NAME, ("steps", "brightness_wrong")),
    ):
        seen = loaded.get(key) if isinstance(loaded, Mapping) else None
        for name, counts in seen.items() if isinstance(seen, Mapping) else ():
            numbers = [counts.get(q) for q in quantities] if isinstance(counts, Mapping) else []
            good = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 53]
            if allowed.fullmatch(name) and len(good) == len(quantities):
                for quantity, number in zip(quantities, good, strict=True):
                    yield Reading(f"display_test.{quantity}", number, "count", part, name, piece.source, piece.time)
