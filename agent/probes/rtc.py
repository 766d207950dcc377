"""The real-time clock, which the coin cell keeps going while the unit is off.

Reads ``/sys/class/rtc/rtc*`` (Documentation/ABI/testing/sysfs-class-rtc; ``since_epoch`` in s, taken as UTC), for the
battery bit of PC clocks ``/proc/driver/rtc`` (drivers/rtc/rtc-cmos.c: ``batt_status`` is VRT, bit 7 of register D, see
the MC146818A data sheet; many chipsets always set it), and the firmware's build date from
``/sys/class/dmi/id/bios_date`` (SMBIOS 3.7, 7.1.1: ``mm/dd/yyyy``). A clock cannot rightly be before that date.

What the clock said at power-on is lost once the system corrects it, as every system with a network does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes._probe import Probe, Seen

CLASS = "/sys/class/rtc/"
DRIVER = "/proc/driver/rtc"
BIOS_DATE = "/sys/class/dmi/id/bios_date"
DEVICE_TIMEOUT_S = 2.0
"""Seconds for one clock; ours. A read waits for the clock's update, which takes up to 2 ms (MC146818A)."""

_YEAR_10000 = 253402300800  # s since 1970; no clock says that rightly


class Rtc(Probe):
    """Readings, subject ``rtc0``: ``rtc.since_epoch`` (s since 1970, UTC), ``rtc.difference`` (s, clock minus system
    clock, to 1 s), ``rtc.since_firmware`` (s from the firmware's build date to the clock's time, negative before it),
    ``rtc.battery_ok`` and ``rtc.sets_system_clock`` (yes/no).
    """

    area: ClassVar[str] = "rtc"
    timeout_s: ClassVar[float] = 5.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Which clocks there are and the firmware's date, then each clock's files side by side."""
        yield host.tree(CLASS + "rtc*", BIOS_DATE)

        def read(name: str) -> Evidence:
            files = [CLASS + name + "/" + file for file in ("since_epoch", "name", "hctosys", "date", "time")]
            return host.tree(*files, *([DRIVER] if name == "rtc0" else []), subject=name)

        clocks = [path.removeprefix(CLASS) for path in host.glob(CLASS + "rtc*")]
        yield from host.each(clocks, read, timeout_s=DEVICE_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Each clock with its readings; an essential gap when none gives a time."""
        trees = [e for e in evidence if e.kind == "tree"]
        unit = Tree.merged(e for e in trees if not e.subject)
        clocks = {e.subject: e for e in trees if e.subject}
        times = {name: _since_epoch(e.tree(), name) for name, e in clocks.items()}
        if all(time is None for time in times.values()):
            yield _nothing(unit, clocks)
        for name, e in clocks.items():
            since_epoch = times[name]
            if since_epoch is not None:
                yield from _clock(name, e, since_epoch, _build_date(unit.text(BIOS_DATE)))
            elif len(clocks) > 1:
                yield Gap(name, Outcome.ERROR, _unreadable(e, name))


def _nothing(unit: Tree, clocks: dict[str, Evidence]) -> Gap:
    """Why no clock gave a time."""
    if clocks:
        name, e = next(iter(clocks.items()))
        return Gap(name, Outcome.ERROR, _unreadable(e, name), essential=True)
    if unit.paths(CLASS + "rtc*"):
        reason = Text("could not be read: {error}", {"error": CLASS})
        return Gap("", Outcome.ERROR, reason, essential=True)
    return Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)


def _unreadable(e: Evidence, name: str) -> Text:
    """The kernel refuses a time that is none (EINVAL), as a clock that lost its power may have."""
    path = f"{CLASS}{name}/since_epoch"
    return Text("could not be read: {error}", {"error": e.tree().error(path) or path})


def _clock(name: str, e: Evidence, since_epoch: int, build_date: datetime | None) -> Iterator[Seen]:
    tree, base = e.tree(), f"{CLASS}{name}/"
    clock_path = base + "since_epoch"

    def reading(quantity: str, value: Value, unit: str, source: str) -> Reading:
        return Reading(f"rtc.{quantity}", value, unit, ComponentKind.RTC_BATTERY, name, source, e.time)

    yield Component(ComponentKind.RTC_BATTERY, name, description=tree.text(base + "name") or "", source=base + "name")
    yield reading("since_epoch", since_epoch, "s", clock_path)
    system = _moment(e.time)
    if system is not None:
        yield reading("difference", round(since_epoch - system.timestamp(), 3), "s", clock_path)
    if build_date is not None:
        yield reading("since_firmware", int(since_epoch - build_date.timestamp()), "s", BIOS_DATE)
    sets = tree.integer(base + "hctosys")
    if sets is not None:
        yield reading("sets_system_clock", sets == 1, "", base + "hctosys")
    battery = re.search(r"^batt_status\s*:\s*(okay|dead)\s*$", tree.text(DRIVER) or "", re.MULTILINE)
    if battery:
        yield reading("battery_ok", battery[1] == "okay", "", DRIVER)


def _since_epoch(tree: Tree, name: str) -> int | None:
    value = tree.integer(f"{CLASS}{name}/since_epoch")
    return value if value is not None and 0 <= value < _YEAR_10000 else None


def _build_date(text: str | None) -> datetime | None:
    if not re.fullmatch(r"\d{2}/\d{2}/\d{4}", text or "", re.ASCII):
        return None
    try:
        return datetime.strptime(f"{text} +0000", "%m/%d/%Y %z")
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


PROBE = Rtc()
