"""USB devices asked again and again whether they are still there and still say the same.

lsusb asks each device over its wires: its status, and text of its configurations; what the kernel keeps of a device
(``descriptors`` in sysfs) is no such question. Opening a device also wakes one that sleeps. Nothing is written to any
device, so one in use is not disturbed. Hubs are asked as well, root hubs not, as they have no wire.

Readings of each device that was there at the beginning or came later, subjects ``1-2.3``, all of them counts:
``usb_test.cycles`` (count, how often it was asked), ``usb_test.lost`` (it was gone at the next look),
``usb_test.renumbered`` (it had another address: it was gone in between and came back), ``usb_test.errors`` (it did not
answer, or said something else than the first time; with root's rights only).
Source of the formats: lsusb.c of usbutils 014 (``Device Status:`` stands there only when the device answered;
``(error)`` for a text that did not come), Documentation/ABI/stable/sysfs-bus-usb.
"""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

PAUSE_S = 0.5
"""Seconds between two rounds; ours: a device that is asked all the time never falls asleep, and waking fails often."""
ANSWER_S = 10.0
"""Seconds that a device has; the kernel gives up a question after 5 (``USB_CTRL_GET_TIMEOUT``)."""

_DEVICES = "/sys/bus/usb/devices"
_KIND = "usb-test-json"
_DEVICE = re.compile(r"\d{1,4}-\d{1,3}(\.\d{1,3})*", re.ASCII)
_STATUS = re.compile(r"^Device Status:", re.MULTILINE)
_NEEDS_ROOT = Text("needs root")


@dataclass(slots=True)
class Asked:
    """What became of one device."""

    cycles: int = 0
    lost: int = 0
    renumbered: int = 0
    errors: int = 0


class UsbTest(HardwareTest):
    """See the module."""

    name = "usb"
    programs = ("lsusb",)
    heats = ()
    disturbs = Text("nothing that you would notice")
    least_s = 10.0
    slack_s = 30.0
    measures: ClassVar = {
        "usb_test.cycles": "count",
        "usb_test.lost": "count",
        "usb_test.renumbered": "count",
        "usb_test.errors": "count",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Ask every device in turn until the time is over. What lsusb prints is not kept: it holds serial numbers of
        what a person has plugged in.
        """
        version = host.output("lsusb", "lsusb", "--version", timeout_s=10)
        yield version
        address = addresses(host)
        if version.problem or not address:
            return
        started, begun = now(), time.monotonic()
        asked = {device: Asked() for device in address}
        said: dict[str, int] = {}
        while time.monotonic() - begun < bout.seconds:
            meet(asked, address, addresses(host))
            for device, state in asked.items():
                if time.monotonic() - begun >= bout.seconds:
                    break
                found = addresses(host, device).get(device)
                compare(state, address.get(device), found)
                if found is not None:
                    address[device] = found
                    answer = host.run("lsusb", "-v", "-s", f"{found[0]}:{found[1]}", timeout_s=ANSWER_S)
                    hear(state, answer.stdout.decode("utf-8", "replace"), said, device)
                else:
                    address.pop(device, None)
            time.sleep(min(PAUSE_S, max(0.0, bout.seconds - (time.monotonic() - begun))))
        seconds = round(time.monotonic() - begun, 2)
        data = json.dumps(
            {"seconds": seconds, "root": host.is_root, "devices": {d: asdict(s) for d, s in asked.items()}}
        ).encode()
        yield Evidence(_KIND, "", data, f"{_DEVICES} lsusb -v", started, duration_s=seconds)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Readings of each device that was asked at least once."""
        broken = next((e for e in evidence if e.kind == "lsusb" and (e.problem or e.exit_status)), None)
        if broken is not None:
            yield program_gap(broken, "", essential=True)
            return
        seen = [reading for e in evidence if e.kind == _KIND for reading in _of_devices(e)]
        yield from seen
        if not seen:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        for reading in seen:
            if reading.name == "usb_test.cycles" and not any(
                r.name == "usb_test.errors" and r.subject == reading.subject for r in seen
            ):
                yield Gap(reading.subject, Outcome.UNSUPPORTED, _NEEDS_ROOT, remedy="sudo aiodiag test usb")


TEST = UsbTest()


def addresses(host: Host, device: str = "*") -> dict[str, tuple[int, int]]:
    """Bus and address of the devices that are there."""
    tree = host.tree(f"{_DEVICES}/{device}/busnum", f"{_DEVICES}/{device}/devnum").tree()
    found: dict[str, tuple[int, int]] = {}
    for path in tree.paths(f"{_DEVICES}/*/devnum"):
        name = path.split("/")[5]
        bus, number = tree.integer(f"{_DEVICES}/{name}/busnum"), tree.integer(path)
        if _DEVICE.fullmatch(name) and bus is not None and number is not None:
            found[name] = (bus, number)
    return found


def meet(asked: dict[str, Asked], address: dict[str, tuple[int, int]], there: Mapping[str, tuple[int, int]]) -> None:
    """Take in what was not there before: it may have been away just when all was begun, as it often is."""
    for device, at in there.items():
        if device not in asked:
            asked[device], address[device] = Asked(), at


def compare(state: Asked, before: tuple[int, int] | None, at: tuple[int, int] | None) -> None:
    """Count what changed since the last look; one that stays away is lost once."""
    if before is not None and at is None:
        state.lost += 1
    elif before is not None and at != before:
        state.renumbered += 1


def hear(state: Asked, text: str, said: dict[str, int], device: str) -> None:
    """Count an answer, compared with the first that came; ``said`` keeps that one's checksum."""
    state.cycles += 1
    answered = _STATUS.search(text) is not None
    # What follows these words is of the moment: which ports of a hub have a device, whether it may wake the unit.
    fixed = zlib.crc32(re.split("Hub Port Status:|Device Status:", text)[0].encode())
    first = said.setdefault(device, fixed) if answered else None
    state.errors += not answered or "(error)" in text or fixed != first


def _of_devices(piece: Evidence) -> Iterator[Reading]:
    loaded: Any = piece.json()
    devices = loaded.get("devices") if isinstance(loaded, Mapping) else None
    root = isinstance(loaded, Mapping) and loaded.get("root") is True
    for name, counts in devices.items() if isinstance(devices, Mapping) else ():
        if not _DEVICE.fullmatch(name) or not isinstance(counts, Mapping):
            continue
        found = {key: counts.get(key) for key in ("cycles", "lost", "renumbered", "errors")}
        numbers = {k: v for k, v in found.items() if isinstance(v, int) and 0 <= v < 1 << 53}
        if len(numbers) < len(found) or not numbers["cycles"] + numbers["lost"]:
            continue
        for quantity in ("cycles", "lost", "renumbered", "errors"):
            if quantity != "errors" or root:
                part, count = ComponentKind.USB_PORT, numbers[quantity]
                yield Reading(f"usb_test.{quantity}", count, "count", part, name, piece.source, piece.time)
