"""Judging a camera by how it is connected. A unit without one may be made so; what it sees, only a test can tell."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

SLOW = "CAM-7801"


@rule(SLOW)
def slow_connection(readings: Readings) -> Iterator[Finding]:
    """The built-in camera runs at USB full speed, too slow for the pictures of any camera built into an all-in-one.

    A device falls back to it where the handshake for high speed fails (USB 2.0, 7.1.7.5): a bad cable or plug, the
    camera or its port. Cameras that were plugged in may be old, and are left out. Confidence: ours.
    """
    for speed in readings.all("camera.speed"):
        bits = readings.number(speed.name, speed.subject)
        capture = readings.get("camera.capture", speed.subject)
        built_in = readings.get("camera.built_in", speed.subject)
        if bits is None or capture is None or built_in is None:
            continue
        if capture.value is not True or built_in.value is not True:
            continue
        if 0 < bits <= entry(SLOW).limit("speed"):
            evidence, megabits = (speed, built_in, capture), round(bits / 1e6, 1)
            yield finding(SLOW, speed.subject, Verdict.UNKNOWN, 0.5, evidence, speed=megabits)
