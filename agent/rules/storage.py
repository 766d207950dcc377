"""Storage: what a drive's own records say of it.

Confidence is the chance that the drive is faulty or fails within a year. Where Backblaze's observed yearly failure
rates by attribute value exist, it is ``1 - exp(-rate)`` of the bracket that the count falls in (the rates are
thresholds of the catalogue entry); elsewhere it is ours and says so.

Only a drive that says itself that it fails, that cannot read back data now, that fails its own test or that does not
answer is judged faulty. Everything else is a hint (verdict unknown): of the drives that failed about half had shown no
sign before (Google 2007), and of the healthy ones about 4 % show one (Backblaze 2016).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule

_CERTAIN = 0.95
"""No reading makes us surer than this: cables, slots and firmware can look like a bad drive. Ours."""

_COUNTERS = {
    5: re.compile("Realloc|Retired"),
    187: re.compile("Uncorrect"),
    188: re.compile("Command_Timeout"),
    197: re.compile("Pending"),
    198: re.compile("Uncorrect"),
    199: re.compile("CRC"),
}
"""What an attribute must be called (by smartctl's drive database) for its number to mean what it means on most drives:
makers use the numbers freely, and known wrong ones are renamed there (``Bogus_Current_Pend_Sect``)."""


@rule("DISK-1007", "DISK-1055")
def no_answer(readings: Readings) -> Iterator[Finding]:
    """The drive was asked who it is and did not answer, or the kernel has given it up.

    Confidence 0.7 (ours): the rest is cable, slot or power. A drive on USB is no part of the unit and may be asleep:
    that is a hint only, 0.3, with words of its own.
    """
    for responds in readings.all("storage.responds"):
        if responds.value is False:
            transport = readings.get("storage.transport", responds.subject)
            outside = transport is not None and transport.value == "usb"
            if outside:
                yield _finding("DISK-1055", Verdict.UNKNOWN, 0.3, responds)
            else:
                yield _finding("DISK-1007", Verdict.FAIL, 0.7, responds)


@rule("DISK-1010")
def says_it_fails(readings: Readings) -> Iterator[Finding]:
    """The drive's own overall verdict is FAILED. For NVMe that is the same as a critical warning, whose bits are judged
    one by one (:func:`nvme_warnings`), so that a hot drive is not called a dying one.

    Confidence 0.9 (ours): it is the maker's own criterion for an exchange, set for few false alarms.
    """
    for passed in readings.all("storage.smart.passed"):
        bits = readings.number("storage.nvme.critical_warning", passed.subject)
        if passed.value is False and not (bits and int(bits) & 0b11111):
            now = _failing(readings, "now", prefailure=True, subject=passed.subject)
            yield _finding("DISK-1010", Verdict.FAIL, 0.9, passed, *now)


@rule("DISK-1029", "DISK-1032", "DISK-1041", "DISK-1216")
def attribute_limits(readings: Readings) -> Iterator[Finding]:
    """An attribute is, or was, at the limit that the maker set.

    One that predicts failure, now: faulty, confidence 0.9, unless the drive's overall verdict says so already. The same
    in the past: a hint, 0.5. One that counts use or wear, now: a hint, 0.3. A temperature in the past: a note on the
    unit's cooling, 0.3; now: :func:`too_hot`, or a hint where the drive is cool all the same. All ours, in the order of
    what the standard lets each mean (SFF-8035i: only pre-failure attributes predict a failure).
    """
    for reading in (r for r in readings.matching("storage.ata.") if r.name.endswith(".failing")):
        attribute = reading.name.removesuffix(".failing")
        name = readings.get(f"{attribute}.name", reading.subject)
        prefailure = readings.get(f"{attribute}.prefailure", reading.subject)
        passed = readings.get("storage.smart.passed", reading.subject)
        called = str(name.value) if name else attribute.rpartition(".")[2]
        now, predicts = reading.value == "now", prefailure is not None and prefailure.value is True
        heat = _is_temperature(called)
        if heat and not now:
            yield _finding("DISK-1216", Verdict.UNKNOWN, 0.3, reading)
        elif heat and _warm(readings, reading.subject):
            continue
        elif predicts and now and not heat:
            if passed is None or passed.value is not False:
                yield _finding("DISK-1029", Verdict.FAIL, 0.9, reading, attribute=called)
        elif predicts and not now:
            yield _finding("DISK-1032", Verdict.UNKNOWN, 0.5, reading, attribute=called)
        elif now:
            yield _finding("DISK-1041", Verdict.UNKNOWN, 0.3, reading, attribute=called)


@rule("DISK-1108", "DISK-1119")
def unreadable(readings: Readings) -> Iterator[Finding]:
    """Sectors that the drive could not read back and has not replaced (attributes 197 and 198, which often count the
    same sectors). Alone a hint: a power cut in the middle of a write leaves one behind, and writing it again cures it.
    With a read error in the drive's log or a self-test that stopped at a sector, data was lost: faulty.

    Confidence by Backblaze's rates for 197; after a first scan error a drive is 39 times likelier to fail within
    60 days (Google 2007), so 0.95 (ours) when confirmed.
    """
    for subject, counters in _by_subject(_counters(readings, 197) + _counters(readings, 198)):
        count = max(_count(r) for r in counters)
        if count <= entry("DISK-1108").limit("sectors"):
            continue
        read_errors = readings.get("storage.ata.error_log.media", subject)
        stopped = readings.get("storage.selftest.failure.lba", subject)
        proofs = [r for r in (read_errors, stopped) if r and (r is stopped or _count(r) > 0)]
        if proofs:
            yield _finding("DISK-1119", Verdict.FAIL, _CERTAIN, *counters, *proofs, count=count)
        else:
            yield _finding("DISK-1108", Verdict.UNKNOWN, _odds("DISK-1108", count), *counters, count=count)


@rule("DISK-1124")
def replaced_sectors(readings: Readings) -> Iterator[Finding]:
    """The drive has replaced bad sectors from its reserve (attribute 5; grown defects of SCSI drives).

    A warning, not a fault, even for many: the data was saved, and a customer with three sectors replaced years ago has
    a drive that in Backblaze's data fails no more often than one with none (2.7 % against 2.5 % a year). Growth between
    two runs says more. Flash wears out block by block (30 to 80 % of drives get a bad block within four
    years: Schroeder et al., FAST 2016), so a solid-state drive has a few allowed; beyond, confidence 0.3 (ours).
    """
    for counter in _counters(readings, 5) + readings.all("storage.scsi.grown_defects"):
        count, solid = _count(counter), _solid(readings, counter.subject)
        if count > entry("DISK-1124").limit("flash_blocks" if solid else "sectors"):
            odds = entry("DISK-1124").limit("flash_odds") if solid else _odds("DISK-1124", count)
            yield _finding("DISK-1124", Verdict.UNKNOWN, odds, counter, count=count)


@rule("DISK-1135")
def past_read_errors(readings: Readings) -> Iterator[Finding]:
    """The drive has reported data that it could not read (attribute 187, device statistics, or UNC in its error log),
    and nothing is unreadable now. Confidence by Backblaze's rates for 187.
    """
    limit = entry("DISK-1135").limit("errors")
    sources = [
        *_counters(readings, 187),
        *readings.all("storage.ata.statistics.reported_uncorrectable"),
        *readings.all("storage.ata.error_log.media"),
        *readings.all("storage.scsi.uncorrected"),
    ]
    now_unreadable = {finding.subject for finding in unreadable(readings) if finding.verdict is Verdict.FAIL}
    for subject, counters in _by_subject([r for r in sources if _count(r) > limit]):
        if subject not in now_unreadable:
            count = max(_count(r) for r in counters)
            yield _finding("DISK-1135", Verdict.UNKNOWN, _odds("DISK-1135", count), *counters, count=count)


@rule("DISK-1143")
def command_timeouts(readings: Readings) -> Iterator[Finding]:
    """Commands that the drive did not finish in time (attribute 188). Few are common on healthy drives (6 of 16 of our
    clean captures that have it), and point to cable or power as much as to the drive, so the limit is where
    Backblaze's failure rate rises. Those are hard disks: nothing is concluded for a solid-state drive. Confidence by
    that rate.
    """
    for counter in _counters(readings, 188):
        count = _count(counter)
        if count > entry("DISK-1143").limit("timeouts") and not _solid(readings, counter.subject):
            yield _finding("DISK-1143", Verdict.UNKNOWN, _odds("DISK-1143", count), counter, count=count)


@rule("DISK-1162")
def self_test_failed(readings: Readings) -> Iterator[Finding]:
    """The drive's own test failed, and no later extended test passed. Confidence 0.9 (ours): the drive tested itself,
    so no cable is in between.
    """
    for failures in readings.all("storage.selftest.failures"):
        if _count(failures) > 0:
            status = readings.get("storage.selftest.failure.status", failures.subject)
            evidence = (failures, status) if status else (failures,)
            yield _finding("DISK-1162", Verdict.FAIL, 0.9, *evidence)


@rule("DISK-1170")
def interface_errors(readings: Readings) -> Iterator[Finding]:
    """Data was damaged between drive and motherboard (attribute 199 or the link's counters): the cable or a connector,
    not the disk. Only a note: the counter never goes back, and 5 of 56 clean captures have some. Confidence 0.5 (ours).
    """
    sources = _counters(readings, 199) + readings.all("storage.ata.phy.crc")
    limit = entry("DISK-1170").limit("errors")
    for _, counters in _by_subject([r for r in sources if _count(r) > limit]):
        yield _finding("DISK-1170", Verdict.UNKNOWN, 0.5, *counters, count=max(_count(r) for r in counters))


@rule("DISK-1203")
def too_hot(readings: Readings) -> Iterator[Finding]:
    """Warmer than the drive's own limit, or than data sheets allow where it states none; or warm, and its temperature
    attribute is at the maker's limit. Says more of the cooling than of the drive: never a fault of the drive by itself.
    Confidence 0.5 (ours).
    """
    for temperature in readings.all("storage.temperature"):
        subject = temperature.subject
        bits = readings.number("storage.nvme.critical_warning", subject)
        own = readings.get("storage.temperature.limit", subject)
        usual = entry("DISK-1203").limit("flash_limit" if _solid(readings, subject) else "disk_limit")
        limit = _count(own) if own else usual
        at_limit = [r for r in _failing(readings, "now", prefailure=None, subject=subject) if _named_hot(readings, r)]
        hot = _count(temperature) > limit or (at_limit and _warm(readings, subject))
        if hot and not (bits and int(bits) & 0b10):
            evidence = [temperature, *([own] if own else []), *at_limit]
            yield _finding("DISK-1203", Verdict.UNKNOWN, 0.5, *evidence, temperature=_count(temperature))


_NVME_BITS = (
    (0, "DISK-1300", Verdict.FAIL, 0.9),
    (1, "DISK-1313", Verdict.UNKNOWN, 0.3),
    (2, "DISK-1321", Verdict.FAIL, _CERTAIN),
    (3, "DISK-1337", Verdict.FAIL, _CERTAIN),
    (4, "DISK-1345", Verdict.FAIL, 0.9),
)


@rule("DISK-1300", "DISK-1313", "DISK-1321", "DISK-1337", "DISK-1345")
def nvme_warnings(readings: Readings) -> Iterator[Finding]:
    """The critical warnings of an NVMe drive, bit by bit (NVM Express Base Specification 2.0, 5.16.1.3): spare used up,
    temperature outside its limits, reliability degraded, read-only, backup of the volatile memory failed; and spare
    below its threshold where the bit was not set. All but the temperature are the drive's own word that it is failing.
    Confidence ours.
    """
    for warning in readings.all("storage.nvme.critical_warning"):
        for bit, code, verdict, confidence in _NVME_BITS:
            if _count(warning) >> bit & 1:
                yield _finding(code, verdict, confidence, warning)
    for spare in readings.all("storage.nvme.available_spare"):
        threshold = readings.get("storage.nvme.available_spare_threshold", spare.subject)
        bits = readings.number("storage.nvme.critical_warning", spare.subject) or 0
        if threshold and _count(spare) < _count(threshold) and not int(bits) & 1:
            yield _finding("DISK-1300", Verdict.FAIL, 0.9, spare, threshold)


@rule("DISK-1359")
def worn(readings: Readings) -> Iterator[Finding]:
    """The rated endurance is used up. A hint: many drives go on far beyond it. Confidence 0.3 (ours)."""
    for used in readings.all("storage.percentage_used"):
        if _count(used) >= entry("DISK-1359").limit("used"):
            yield _finding("DISK-1359", Verdict.UNKNOWN, 0.3, used, percent=_count(used))


@rule("DISK-1368")
def media_errors(readings: Readings) -> Iterator[Finding]:
    """An NVMe drive has found data that it could not correct. The counter never goes back, so it is a hint until it
    grows. Confidence 0.5 (ours).
    """
    for errors in readings.all("storage.nvme.media_errors"):
        if _count(errors) > entry("DISK-1368").limit("errors"):
            yield _finding("DISK-1368", Verdict.UNKNOWN, 0.5, errors, count=_count(errors))


def _finding(
    code: str, verdict: Verdict, confidence: float, *evidence: Reading, **values: str | int | float
) -> Finding:
    known = entry(code)
    return Finding(code, known.component, evidence[0].subject, known.severity, verdict, confidence, values, evidence)


def _counters(readings: Readings, number: int) -> list[Reading]:
    """The raw counts of an attribute, of those drives on which it is called what it should be."""
    return [
        raw
        for raw in readings.all(f"storage.ata.{number}.raw")
        if (name := readings.get(f"storage.ata.{number}.name", raw.subject))
        and _COUNTERS[number].search(str(name.value))
    ]


def _failing(readings: Readings, when: str, *, prefailure: bool | None, subject: str) -> list[Reading]:
    """A drive's attributes at their limit; ``prefailure`` chooses those that predict failure, ``None`` all."""
    found = []
    for reading in readings.matching("storage.ata."):
        if reading.subject == subject and reading.name.endswith(".failing") and reading.value == when:
            predicts = readings.get(reading.name.removesuffix("failing") + "prefailure", subject)
            if prefailure is None or (predicts is not None and predicts.value is prefailure):
                found.append(reading)
    return found


def _named_hot(readings: Readings, failing: Reading) -> bool:
    name = readings.get(failing.name.removesuffix("failing") + "name", failing.subject)
    return name is not None and _is_temperature(str(name.value))


def _warm(readings: Readings, subject: str) -> bool:
    temperature = readings.get("storage.temperature", subject)
    return temperature is not None and _count(temperature) >= entry("DISK-1203").limit("warm")


def _is_temperature(name: str) -> bool:
    return "Temperature" in name


def _solid(readings: Readings, subject: str) -> bool:
    rotational = readings.get("storage.rotational", subject)
    return rotational is not None and rotational.value is False


def _by_subject(found: Iterable[Reading]) -> list[tuple[str, list[Reading]]]:
    by: dict[str, list[Reading]] = {}
    for reading in found:
        by.setdefault(reading.subject, []).append(reading)
    return list(by.items())


def _count(reading: Reading) -> int:
    return 0 if isinstance(reading.value, str | bool) else int(reading.value)


def _odds(code: str, count: int) -> float:
    """The chance to fail within a year, by the entry's ``yearly_failures_from_N`` of the highest N up to ``count``."""
    rates = {
        int(name.rpartition("_")[2]): threshold.value
        for name, threshold in entry(code).thresholds.items()
        if name.startswith("yearly_failures_from_")
    }
    rate = rates[max(n for n in rates if n <= count)]
    return round(min(_CERTAIN, 1 - math.exp(-rate)), 2)
