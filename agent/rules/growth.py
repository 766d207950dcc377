"""Counters that have grown since the unit's earlier run (``earlier.…``, :mod:`agent.history.earlier`).

A drive's counters are compared with those of the same drive only, known by its serial number, so one that was exchanged
is not held against its predecessor. What grows is happening now, and weighs more than what a counter holds since who
knows when: Pinheiro, Weber, Barroso, "Failure trends in a large disk drive population", FAST 2007 (Google) found drives
39 times likelier to fail within 60 days after their first scan error, 16 times after the first pending sector and
14 times after the first replaced one. Confidence is the catalogue entry's ``odds``, with its source.

Nothing is concluded from an NVMe drive's error log: some drives count every command that they refuse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding
from agent.rules._storage import CALLED, count_of, solid

_SERIAL = "inventory.storage_device.serial"


class _Grown(NamedTuple):
    """A counter in the run and in the earlier one, and what else tells that it may be compared."""

    now: Reading
    before: Reading
    because: tuple[Reading, ...]

    @property
    def first(self) -> bool:
        """Whether there was nothing before."""
        return count_of(self.before) <= 0


@rule("DISK-1804", "DISK-1812")
def unreadable_sectors(readings: Readings) -> Iterator[Finding]:
    """There are more sectors that cannot be read (attributes 197, 198) than before.

    A drive that had some and got more goes on losing data: faulty. The first ones are a warning, with odds after
    Google's 16 times: a power cut in the middle of a write leaves one behind too.
    """
    for counters in _of_drives(readings, _attributes(197, 198)):
        grown = min(counters, key=lambda counter: counter.first)
        yield _drive("DISK-1812" if grown.first else "DISK-1804", not grown.first, grown, readings)


@rule("DISK-1820")
def read_errors(readings: Readings) -> Iterator[Finding]:
    """The drive has failed to read data since the earlier run (attribute 187 or the like of it, or another such entry
    in its error log, from which old ones only fall out): faulty, by Google's 39 times after a first scan error;
    Backblaze exchanges a drive when 187 leaves zero.
    """
    names = ("storage.ata.statistics.reported_uncorrectable", "storage.ata.error_log.media", "storage.scsi.uncorrected")
    for grown, *_ in _of_drives(readings, (*_attributes(187), *names)):
        yield _drive("DISK-1820", True, grown, readings)


@rule("DISK-1861")
def media_errors(readings: Readings) -> Iterator[Finding]:
    """An NVMe drive has met more data that it could not correct: faulty. The counter stands for "unrecovered data
    integrity errors" (NVM Express Base Specification 2.0, 5.16.1.3), of which a sound drive has none.
    """
    for grown, *_ in _of_drives(readings, ("storage.nvme.media_errors",)):
        yield _drive("DISK-1861", True, grown, readings)


@rule("DISK-1836")
def replaced_sectors(readings: Readings) -> Iterator[Finding]:
    """The drive has replaced more sectors (attributes 5, 196; grown defects of SCSI drives). A warning, as nothing was
    lost; odds after Google's 14 times. Flash wears out block by block, so a solid-state drive gets its own odds.
    """
    for grown, *_ in _of_drives(readings, (*_attributes(5, 196), "storage.scsi.grown_defects")):
        odds = "flash_odds" if solid(readings, grown.now.subject) else "odds"
        yield _drive("DISK-1836", False, grown, readings, odds=odds)


@rule("DISK-1848")
def timeouts(readings: Readings) -> Iterator[Finding]:
    """A hard disk has not finished commands in time again (attribute 188): drive, cable or power, so a warning. The
    odds are ours. Nothing for solid-state drives, whose makers count other things there.
    """
    for grown, *_ in _of_drives(readings, _attributes(188)):
        rotational = readings.get("storage.rotational", grown.now.subject)
        if rotational is not None and rotational.value is True:
            yield _drive("DISK-1848", False, grown, readings)


@rule("DISK-1857")
def damaged_transfers(readings: Readings) -> Iterator[Finding]:
    """Data was damaged between drive and motherboard again (attribute 199 or the link's counter): the cable or a
    connector, and now, where the sum alone may be of a cable that was exchanged long ago. The odds are ours.
    """
    for grown, *_ in _of_drives(readings, (*_attributes(199), "storage.ata.phy.crc")):
        yield _drive("DISK-1857", False, grown, readings)


@rule("DISK-1873")
def power_cuts(readings: Readings) -> Iterator[Finding]:
    """The drive has lost its power without a warning since the earlier run (NVMe's unsafe shutdowns): information, for
    somebody may have pulled the plug; together with restarts that nobody wanted it points at the power. Odds: ours.
    """
    for grown, *_ in _of_drives(readings, ("storage.nvme.unsafe_shutdowns",)):
        yield _drive("DISK-1873", False, grown, readings)


@rule("MEM-3526")
def memory_errors_again(readings: Readings) -> Iterator[Finding]:
    """Memory errors were corrected in both runs, and others in this one. The counter begins anew with each boot, so a
    smaller one is of new errors too; an equal one may be the same. A fault that lasts: a module with a
    corrected error is 13 to 228 times likelier to have another in the same month (Schroeder, Pinheiro, Weber,
    SIGMETRICS 2009), so the odds are above those of one run. Some controllers know that there was an error and not in
    which module: their own count is compared where none of their modules shows any.
    """
    when = readings.get("earlier.run")
    of_modules = readings.all("earlier.memory.edac.corrected")
    blamed = {r.subject.partition("/")[0] for r in of_modules if count_of(r) > 0}
    of_controllers = readings.all("earlier.memory.edac.controller.corrected")
    for before in (*of_modules, *(r for r in of_controllers if r.subject not in blamed)):
        now = readings.get(before.name.removeprefix("earlier."), before.subject)
        if when and now and count_of(now) > 0 and count_of(before) > 0 and count_of(now) != count_of(before):
            known = entry("MEM-3526")
            values: dict[str, str | int | float] = {
                "count": count_of(now),
                "before": count_of(before),
                "since": _day(when),
            }
            evidence = (now, before, when)
            odds = known.limit("odds")
            yield finding(known.code, now.subject, Verdict.UNKNOWN, odds, evidence, **values)


@rule("VOLT-5310")
def battery_runs_down(readings: Readings) -> Iterator[Finding]:
    """The clock battery's voltage has fallen since the earlier run, and is below that of a fresh one: it will not last
    as long as one that stands still. Information; the odds are ours.
    """
    when = readings.get("earlier.run")
    known = entry("VOLT-5310")
    for before in readings.all("earlier.board.battery.voltage"):
        now = readings.get("board.battery.voltage", before.subject)
        volts, earlier = readings.number("board.battery.voltage", before.subject), readings.number(*_key(before))
        if when is None or now is None or volts is None or earlier is None:
            continue
        if 0 < volts < known.limit("fresh") and earlier - volts >= known.limit("fall"):
            values: dict[str, str | int | float] = {
                "voltage": round(volts, 2),
                "before": round(earlier, 2),
                "since": _day(when),
            }
            odds, evidence = known.limit("odds"), (now, before, when)
            yield finding(known.code, now.subject, Verdict.UNKNOWN, odds, evidence, **values)


def _attributes(*numbers: int) -> tuple[str, ...]:
    return tuple(f"storage.ata.{number}.raw" for number in numbers)


def _of_drives(readings: Readings, names: tuple[str, ...]) -> Iterator[list[_Grown]]:
    """Of each drive that was there before, those of the counters that are greater than they were; at least one."""
    for serial, was in _known_again(readings):
        found = []
        for name in names:
            now, before = readings.get(name, serial.subject), readings.get(f"earlier.{name}", was.subject)
            if (
                now
                and before
                and count_of(now) > count_of(before) >= 0
                and _means_the_same(readings, name, now, before)
            ):
                found.append(_Grown(now, before, (serial, was)))
        if found:
            yield found


def _known_again(readings: Readings) -> Iterator[tuple[Reading, Reading]]:
    """Serial numbers of now and of before that are of one drive: each of them once, and the drive has not grown
    younger (a number that two drives share, or a clone's).
    """
    now, before = readings.all(_SERIAL), readings.all(f"earlier.{_SERIAL}")
    if not before:
        return
    often = Counter(str(r.value) for r in now) | Counter(str(r.value) for r in before)
    by_serial = {str(r.value): r for r in before}
    for serial in now:
        was = by_serial.get(str(serial.value))
        if was is None or often[str(serial.value)] != 1:
            continue
        hours = readings.number("storage.power_on_time", serial.subject)
        hours_before = readings.number("earlier.storage.power_on_time", was.subject)
        if hours is None or hours_before is None or hours >= hours_before:
            yield serial, was


def _means_the_same(readings: Readings, name: str, now: Reading, before: Reading) -> bool:
    """An attribute must be called the same in both runs, and what it should be; other counters are what they are."""
    if not name.endswith(".raw"):
        return True
    attribute = name.removesuffix(".raw")
    called = readings.get(f"{attribute}.name", now.subject)
    was_called = readings.get(f"earlier.{attribute}.name", before.subject)
    number = int(attribute.rpartition(".")[2])
    return (
        called is not None
        and was_called is not None
        and called.value == was_called.value
        and CALLED[number].search(str(called.value)) is not None
    )


def _drive(code: str, faulty: bool, grown: _Grown, readings: Readings, *, odds: str = "odds") -> Finding:
    known = entry(code)
    when = readings.get("earlier.run")
    values: dict[str, str | int | float] = {
        "count": count_of(grown.now),
        "before": count_of(grown.before),
        "more": count_of(grown.now) - count_of(grown.before),
        "since": _day(when) if when else "",
    }
    evidence = (grown.now, grown.before, *grown.because, *([when] if when else []))
    verdict = Verdict.FAIL if faulty else Verdict.UNKNOWN
    subject = grown.now.subject
    return finding(code, subject, verdict, known.limit(odds), evidence, **values)


def _key(reading: Reading) -> tuple[str, str]:
    return reading.name, reading.subject


def _day(when: Reading) -> str:
    """The day of a moment in ISO 8601."""
    return str(when.value)[:10]
