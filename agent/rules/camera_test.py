"""What came of the cameras when they were asked for pictures. Those that were plugged in are left out."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

NO_PICTURE = "CAM-7817"
BLACK = "CAM-7825"
FROZEN = "CAM-7830"
LOSES = "CAM-7849"


def _of_unit(readings: Readings, name: str) -> Iterator[Reading]:
    for reading in readings.all(f"camera_test.{name}"):
        built_in = readings.get("camera.built_in", reading.subject)
        if built_in is None or built_in.value is True:
            yield reading


@rule(NO_PICTURE)
def no_picture(readings: Readings) -> Iterator[Finding]:
    """The camera is there and takes orders, but not one picture came. Its driver may be at fault as well, so this is no
    verdict. Confidence 0.5 (ours).
    """
    for frames in _of_unit(readings, "frames"):
        asked = readings.get("camera_test.asked", frames.subject)
        number = readings.number("camera_test.asked", frames.subject)
        if asked is not None and number and frames.value == 0:
            yield finding(NO_PICTURE, frames.subject, Verdict.UNKNOWN, 0.5, (frames, asked), asked=int(number))


@rule(BLACK)
def black(readings: Readings) -> Iterator[Finding]:
    """All pictures were black: a shutter that is closed, far more often than a fault. Confidence 0.2 (ours)."""
    for dark in _of_unit(readings, "black"):
        seen, count = readings.get("camera_test.looked_at", dark.subject), readings.number(dark.name, dark.subject)
        if seen is not None and count and count >= entry(BLACK).limit("pictures") and count == seen.value:
            yield finding(BLACK, dark.subject, Verdict.UNKNOWN, 0.2, (dark, seen), pictures=int(count))


@rule(FROZEN)
def frozen(readings: Readings) -> Iterator[Finding]:
    """All pictures of each burst were the same, byte for byte: a sensor that works is never without noise. Cameras
    whose shutter is electronic send one fixed picture while it is closed, so this is no verdict. Confidence 0.4 (ours).
    Black ones are told as such.
    """
    for repeated in _of_unit(readings, "repeated"):
        compared = readings.get("camera_test.compared", repeated.subject)
        seen, dark = (readings.number(f"camera_test.{n}", repeated.subject) for n in ("looked_at", "black"))
        count = readings.number(repeated.name, repeated.subject)
        if compared is None or not count or count < entry(FROZEN).limit("pictures") or dark == seen:
            continue
        if count == compared.value:
            yield finding(FROZEN, repeated.subject, Verdict.UNKNOWN, 0.4, (repeated, compared), pictures=int(count))


@rule(LOSES)
def loses_pictures(readings: Readings) -> Iterator[Finding]:
    """Pictures that the camera took did not come whole: bad contact, or a USB bus that has too much to do. Confidence
    0.4 (ours).
    """
    limit = entry(LOSES).limit
    for missed in _of_unit(readings, "missed"):
        frames, lost = readings.get("camera_test.frames", missed.subject), readings.number(missed.name, missed.subject)
        came = readings.number("camera_test.frames", missed.subject)
        if frames is None or lost is None or not came or lost < limit("pictures"):
            continue
        if lost > limit("share") * (lost + came):
            values = {"missed": int(lost), "pictures": int(lost + came)}
            yield finding(LOSES, missed.subject, Verdict.UNKNOWN, 0.4, (missed, frames), **values)
