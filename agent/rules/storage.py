"""Storage: what a drive's own records say of it.

Confidence is the chance that the drive is faulty or fails within a year. Where Backblaze's observed yearly failure
rates by attribute value exist, it is ``1 - exp(-rate)`` of the bracket that the count falls in (the rates are
thresholds of the catalogue entry); elsewhere it is ours and says so.

Only a drive that says itself that it fails, that cannot read back data now, that fails its own test or that does not
answer is judged faulty. Everything else is a hint (verdict unknown): of the drives that failed about half had shown no
sign before (Google 2007), and of the healthy ones about 4 % show one (Backblaze 2016).
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._storage import (
    CERTAIN,
    attributes_at_limit,
    by_subject,
    count_of,
    counters,
    finding,
    is_temperature,
    named_hot,
    odds,
    solid,
    warm,
)

_SCSI_HEAT = "0b/01"
_SCSI_REHEARSAL = "5d/ff"
"""SPC-4, additional sense codes: a warning of the temperature; a failure that was predicted as a rehearsal."""
_LOGGED_HOURS = 0xFFFF
"""The self-test log keeps the low 16 bits of the hours (ATA8-ACS): beyond, nobody knows how long ago a test was."""


@rule("DISK-1007", "DISK-1055")
def no_answer(readings: Readings) -> Iterator[Finding]:
    """The drive was asked who it is and did not answer, or the kernel has given it up, or it went away while hardware
    was exercised.

    Confidence 0.7 (ours): the rest is cable, slot or power. A drive on USB is no part of the unit and may be asleep:
    that is a hint only, 0.3, with words of its own.
    """
    silent = {r.subject for r in readings.all("storage.responds") if r.value is False}
    for lost in readings.all("storage.lost"):
        if lost.subject not in silent and readings.number(lost.name, lost.subject):
            yield finding("DISK-1007", Verdict.FAIL, 0.7, lost)
    for responds in readings.all("storage.responds"):
        if responds.value is False:
            transport = readings.get("storage.transport", responds.subject)
            outside = transport is not None and transport.value == "usb"
            if outside:
                yield finding("DISK-1055", Verdict.UNKNOWN, 0.3, responds)
            else:
                yield finding("DISK-1007", Verdict.FAIL, 0.7, responds)


@rule("DISK-1010")
def says_it_fails(readings: Readings) -> Iterator[Finding]:
    """The drive's own overall verdict is FAILED. For NVMe that is the same as a critical warning, whose bits are judged
    one by one (:func:`nvme_warnings`), and a SCSI drive may mean its temperature (:func:`scsi_heat`), so that a hot
    drive is not called a dying one.

    Confidence 0.9 (ours): it is the maker's own criterion for an exchange, set for few false alarms.
    """
    for passed in readings.all("storage.smart.passed"):
        bits = readings.number("storage.nvme.critical_warning", passed.subject)
        sense = readings.get("storage.scsi.sense", passed.subject)
        harmless = sense is not None and sense.value in (_SCSI_HEAT, _SCSI_REHEARSAL)
        if passed.value is False and not (bits and int(bits) & 0b11111) and not harmless:
            now = attributes_at_limit(readings, "now", prefailure=True, subject=passed.subject)
            yield finding("DISK-1010", Verdict.FAIL, 0.9, passed, *([sense] if sense else []), *now)


@rule("DISK-1029", "DISK-1032", "DISK-1041")
def attribute_limits(readings: Readings) -> Iterator[Finding]:
    """An attribute is, or was, at the limit that the maker set.

    One that predicts failure, now: faulty, confidence 0.9, unless the drive's overall verdict says so already. The same
    in the past: a hint, 0.5. One that counts use or wear, now: a hint, 0.3. A temperature in the past is part of
    the drive's life (``storage_life``); now: :func:`too_hot`, or a hint where the drive is cool all the same. All ours,
    in the order of what the standard lets each mean (SFF-8035i: only pre-failure attributes predict a failure).
    """
    for reading in (r for r in readings.matching("storage.ata.") if r.name.endswith(".failing")):
        attribute = reading.name.removesuffix(".failing")
        name = readings.get(f"{attribute}.name", reading.subject)
        prefailure = readings.get(f"{attribute}.prefailure", reading.subject)
        passed = readings.get("storage.smart.passed", reading.subject)
        called = str(name.value) if name else attribute.rpartition(".")[2]
        now, predicts = reading.value == "now", prefailure is not None and prefailure.value is True
        heat = is_temperature(called)
        if heat and (not now or warm(readings, reading.subject)):
            continue
        if predicts and now and not heat:
            if passed is None or passed.value is not False:
                yield finding("DISK-1029", Verdict.FAIL, 0.9, reading, attribute=called)
        elif predicts and not now:
            yield finding("DISK-1032", Verdict.UNKNOWN, 0.5, reading, attribute=called)
        elif now:
            yield finding("DISK-1041", Verdict.UNKNOWN, 0.3, reading, attribute=called)


@rule("DISK-1108", "DISK-1119")
def unreadable(readings: Readings) -> Iterator[Finding]:
    """Sectors that the drive could not read back and has not replaced (attributes 197 and 198, the logs of pending
    defects of ATA and SCSI drives, which often count the same sectors). Alone a hint: a power cut in the middle of a
    write leaves one behind, and writing it again cures it. With a read error in the drive's log or a self-test that
    stopped at a sector, data was lost: faulty.

    Confidence by Backblaze's rates for 197, 0.3 for a solid-state drive (ours); after a first scan error a drive is 39
    times likelier to fail within 60 days (Google 2007), so 0.95 (ours) when confirmed.
    """
    sources = [
        *counters(readings, 197),
        *counters(readings, 198),
        *readings.all("storage.ata.pending_defects"),
        *readings.all("storage.scsi.pending_defects"),
    ]
    limit = entry("DISK-1108").limit("sectors")
    for subject, counted in by_subject([r for r in sources if count_of(r) > limit]):
        count = max(map(count_of, counted))
        read_errors = readings.get("storage.ata.error_log.media", subject)
        stopped = readings.get("storage.selftest.failure.lba", subject)
        proofs = [r for r in (read_errors, stopped) if r and (r is stopped or count_of(r) > 0)]
        if proofs:
            yield finding("DISK-1119", Verdict.FAIL, CERTAIN, *counted, *proofs, count=count)
        else:
            chance = odds("DISK-1108", count, flash=solid(readings, subject))
            yield finding("DISK-1108", Verdict.UNKNOWN, chance, *counted, count=count)


@rule("DISK-1124")
def replaced_sectors(readings: Readings) -> Iterator[Finding]:
    """The drive has replaced bad sectors from its reserve (attribute 5; grown defects of SCSI drives).

    A warning, not a fault, even for many: the data was saved, and a customer with three sectors replaced years ago has
    a drive that in Backblaze's data fails no more often than one with none (2.7 % against 2.5 % a year). Growth between
    two runs says more. Flash wears out block by block (30 to 80 % of drives get a bad block within four
    years: Schroeder et al., FAST 2016), so a solid-state drive has a few allowed; beyond, confidence 0.3 (ours).
    """
    for counter in counters(readings, 5) + readings.all("storage.scsi.grown_defects"):
        count, flash = count_of(counter), solid(readings, counter.subject)
        if count > entry("DISK-1124").limit("flash_blocks" if flash else "sectors"):
            chance = odds("DISK-1124", count, flash=flash)
            yield finding("DISK-1124", Verdict.UNKNOWN, chance, counter, count=count)


@rule("DISK-1135")
def past_read_errors(readings: Readings) -> Iterator[Finding]:
    """The drive has reported data that it could not read (attribute 187, device statistics, UNC in its error log, the
    error counters of SCSI drives), and nothing is unreadable now. Confidence by Backblaze's rates for 187, 0.3 for a
    solid-state drive (ours).
    """
    limit = entry("DISK-1135").limit("errors")
    sources = [
        *counters(readings, 187),
        *readings.all("storage.ata.statistics.reported_uncorrectable"),
        *readings.all("storage.ata.error_log.media"),
        *readings.all("storage.scsi.uncorrected"),
    ]
    now_unreadable = {f.subject for f in unreadable(readings) if f.verdict is Verdict.FAIL}
    for subject, counted in by_subject([r for r in sources if count_of(r) > limit]):
        if subject not in now_unreadable:
            count = max(map(count_of, counted))
            chance = odds("DISK-1135", count, flash=solid(readings, subject))
            yield finding("DISK-1135", Verdict.UNKNOWN, chance, *counted, count=count)


@rule("DISK-1143")
def command_timeouts(readings: Readings) -> Iterator[Finding]:
    """Commands that the drive did not finish in time (attribute 188). Few are common on healthy drives (6 of 16 of our
    clean captures that have it), and point to cable or power as much as to the drive, so the limit is where
    Backblaze's failure rate rises. Those are hard disks: nothing is concluded for a solid-state drive. Confidence by
    that rate.
    """
    for counter in counters(readings, 188):
        count = count_of(counter)
        if count > entry("DISK-1143").limit("timeouts") and not solid(readings, counter.subject):
            yield finding("DISK-1143", Verdict.UNKNOWN, odds("DISK-1143", count), counter, count=count)


@rule("DISK-1162", "DISK-1181")
def self_test_failed(readings: Readings) -> Iterator[Finding]:
    """The drive's own test failed, and no later extended test passed.

    Faulty, confidence 0.9 (ours), when nothing that it finished since went well: the drive tested itself, so no cable
    is in between. A hint, 0.5 (ours), when a shorter test passed later (it reads a part of the disk only), or when the
    drive has lived on for long.
    """
    recent = entry("DISK-1162").limit("recent")
    for failures in readings.all("storage.selftest.failures"):
        if count_of(failures) == 0:
            continue
        subject = failures.subject
        last = readings.get("storage.selftest.last.passed", subject)
        status = readings.get("storage.selftest.failure.status", subject)
        failed_at = readings.number("storage.selftest.failure.time", subject)
        hours = readings.number("storage.power_on_time", subject)
        old = failed_at is not None and hours is not None and recent < hours - failed_at and hours <= _LOGGED_HOURS
        evidence = [r for r in (failures, status, last) if r]
        if old or (last is not None and last.value is True):
            yield finding("DISK-1181", Verdict.UNKNOWN, 0.5, *evidence)
        else:
            yield finding("DISK-1162", Verdict.FAIL, 0.9, *evidence)


@rule("DISK-1170")
def interface_errors(readings: Readings) -> Iterator[Finding]:
    """Data was damaged between drive and motherboard (attribute 199, ICRC in the error log, the device statistics or
    the link's counters): the cable or a connector, not the disk. Only a note: the counters never go back, and 5 of 56
    clean captures have some. Confidence 0.5 (ours).
    """
    sources = [
        *counters(readings, 199),
        *readings.all("storage.ata.phy.crc"),
        *readings.all("storage.ata.error_log.interface"),
        *readings.all("storage.ata.statistics.interface_crc"),
    ]
    limit = entry("DISK-1170").limit("errors")
    for _, counted in by_subject([r for r in sources if count_of(r) > limit]):
        yield finding("DISK-1170", Verdict.UNKNOWN, 0.5, *counted, count=max(map(count_of, counted)))


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
        usual = entry("DISK-1203").limit("flash_limit" if solid(readings, subject) else "disk_limit")
        limit = count_of(own) if own else usual
        attributes = [
            r for r in attributes_at_limit(readings, "now", prefailure=None, subject=subject) if named_hot(readings, r)
        ]
        hot = count_of(temperature) > limit or (attributes and warm(readings, subject))
        if hot and not (bits and int(bits) & 0b10):
            evidence = [temperature, *([own] if own else []), *attributes]
            yield finding("DISK-1203", Verdict.UNKNOWN, 0.5, *evidence, temperature=count_of(temperature))


_NVME_BITS = (
    (0, "DISK-1300", Verdict.FAIL, 0.9),
    (1, "DISK-1313", Verdict.UNKNOWN, 0.3),
    (2, "DISK-1321", Verdict.FAIL, CERTAIN),
    (3, "DISK-1337", Verdict.FAIL, CERTAIN),
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
            if count_of(warning) >> bit & 1:
                yield finding(code, verdict, confidence, warning)
    for spare in readings.all("storage.nvme.available_spare"):
        threshold = readings.get("storage.nvme.available_spare_threshold", spare.subject)
        bits = readings.number("storage.nvme.critical_warning", spare.subject) or 0
        if threshold and count_of(spare) < count_of(threshold) and not int(bits) & 1:
            yield finding("DISK-1300", Verdict.FAIL, 0.9, spare, threshold)


@rule("DISK-1313")
def scsi_heat(readings: Readings) -> Iterator[Finding]:
    """A SCSI drive warns that it is too hot (SPC-4, additional sense 0Bh/01h). Says more of the cooling than of the
    drive. Confidence 0.3 (ours), as for the same warning of an NVMe drive.
    """
    for sense in readings.all("storage.scsi.sense"):
        if sense.value == _SCSI_HEAT:
            yield finding("DISK-1313", Verdict.UNKNOWN, 0.3, sense)


@rule("DISK-1368")
def media_errors(readings: Readings) -> Iterator[Finding]:
    """An NVMe drive has found data that it could not correct (its counter, or an unrecovered read or a write fault kept
    in its error log). The counter never goes back, so it is a hint until it grows. Confidence 0.5 (ours); 0.1 for a
    count that no drive can have reached: then something is wrong with the record, which is all that is known.

    The number of entries of the error log says nothing: drives count there every command that they did not know or
    were not ready for, and some of those asking itself caused (linuxhw/hw-probe issue 182).
    """
    limit, plausible = entry("DISK-1368").limit("errors"), entry("DISK-1368").limit("plausible")
    sources = readings.all("storage.nvme.media_errors") + readings.all("storage.nvme.error_log.media")
    for _, counted in by_subject([r for r in sources if count_of(r) > limit]):
        count = max(map(count_of, counted))
        yield finding("DISK-1368", Verdict.UNKNOWN, 0.5 if count < plausible else 0.1, *counted, count=count)
