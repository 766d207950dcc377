"""What a unit has after a restart that it had before: parts, USB devices, and the width and speed of its links.

Judged by kind, maker and model and not by names, which the kernel deals out anew at each start (``sda``, ``video0``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agent.model import Component, ComponentKind, Reading, Readings

LINKS = {
    "pcie.link.width": "pcie.id",
    "usb.device.speed": "usb.device.id",
    "network.speed": "",
}
"""What a link should keep over a restart -> the reading by which it is known that the same thing is there. Not the
speed of a PCIe link, which follows the load.
"""
_USB = "usb.device.id"
_SHOWS_AT_WORK = frozenset({ComponentKind.FAN})
"""Parts that many units show only while they work: a cool fan stands still, and is not seen. Whether it should turn is
judged by the heat.
"""


class Looked(NamedTuple):
    """What one area showed."""

    parts: tuple[Component, ...]
    readings: tuple[Reading, ...]


class Missing(NamedTuple):
    """Something that is not there any more; ``what`` it is called."""

    kind: ComponentKind
    subject: str
    what: str


class Slower(NamedTuple):
    """A link that came up with less than it had."""

    before: Reading
    after: Reading


def missing(before: Mapping[str, Looked], after: Mapping[str, Looked]) -> list[Missing]:
    """The parts and USB devices that are gone, of the areas that could be looked at both times."""
    found: dict[Missing, None] = {}
    for area in before.keys() & after.keys():
        left = Counter(_made(part) for part in after[area].parts)
        for part in before[area].parts:
            if part.kind in _SHOWS_AT_WORK:
                continue
            left[_made(part)] -= 1
            if left[_made(part)] < 0:
                called = f"{part.manufacturer} {part.model}".strip() or part.description or part.name
                found[Missing(part.kind, part.name, called)] = None
        names = Readings(before[area].readings)
        there = Counter(str(r.value) for r in Readings(after[area].readings).all(_USB))
        for device in names.all(_USB):
            there[str(device.value)] -= 1
            if there[str(device.value)] < 0:
                name = names.get("usb.device.name", device.subject)
                called = f"{name.value} ({device.value})" if name else str(device.value)
                found[Missing(ComponentKind.USB_PORT, device.subject, called)] = None
    return sorted(found)


def slower(before: Iterable[Reading], after: Iterable[Reading]) -> list[Slower]:
    """The links that came up narrower or slower, at the same place with the same thing at its end; and the network
    cables with no link at all (``network.carrier`` is the reading after then). Wi-Fi often joins its network only when
    somebody logs in.
    """
    then, now = Readings(before), Readings(after)
    pairs = [
        Slower(was, found)
        for name, known_by in LINKS.items()
        for was in then.all(name)
        if (found := now.get(name, was.subject)) is not None and _same(then, now, known_by, was.subject)
    ]
    cables = [r for r in then.all("network.speed") if r.component is ComponentKind.ETHERNET]
    cut = [Slower(was, is_now) for was in cables if (is_now := _no_carrier(now, was.subject)) is not None]
    return [*(pair for pair in pairs if (pair.after.number or 0.0) < (pair.before.number or 0.0)), *cut]


def _made(part: Component) -> tuple[ComponentKind, str, str]:
    return part.kind, part.manufacturer, part.model


def _same(then: Readings, now: Readings, known_by: str, subject: str) -> bool:
    if not known_by:
        return True
    was, found = then.get(known_by, subject), now.get(known_by, subject)
    return was is not None and found is not None and was.value == found.value


def _no_carrier(readings: Readings, subject: str) -> Reading | None:
    carrier = readings.get("network.carrier", subject)
    return carrier if carrier is not None and carrier.value is False else None
