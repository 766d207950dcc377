"""What the kernel's messages say of the components. The wording is data of the probe, the limits of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Severity, Verdict
from agent.rules import memory, pcie, rule, storage


@dataclass(frozen=True, slots=True)
class _Meaning:
    """``told_by``: families that say of the same event what it was, where this one only shows that there was one."""

    code: str
    family: str
    verdict: Verdict
    confidence: float
    told_by: tuple[str, ...] = ()


_DRIVE = ("disk_media", "nvme_lost")
_ERRORS = ("memory_uncorrected", "memory_corrected", "cpu_uncorrected", "cpu_corrected")
_RECORDS = ("machine_check_logged", "hardware_fatal", "previous_session")
_FATAL = ("cpu_uncorrected", "memory_uncorrected")
_LINKS = ("pcie_uncorrected", "pcie_corrected")

# Confidence is ours. FAIL only where the device itself reports that it cannot do its work. An uncorrected machine check
# is a hardware fault for certain, but a board or its voltages cause it as well as the processor that reports it.
_MEANINGS = (
    _Meaning("LOG-8400", "disk_media", Verdict.FAIL, 0.8),
    _Meaning("LOG-8413", "disk_io", Verdict.UNKNOWN, 0.5, _DRIVE),
    # The kernel resets the link of a drive that cannot read, too.
    _Meaning("LOG-8421", "ata_link", Verdict.UNKNOWN, 0.4, ("disk_media",)),
    _Meaning("LOG-8437", "nvme_timeout", Verdict.UNKNOWN, 0.4, ("nvme_lost",)),
    _Meaning("LOG-8437", "ata_timeout", Verdict.UNKNOWN, 0.4, ("ata_link",)),
    _Meaning("LOG-8445", "nvme_lost", Verdict.FAIL, 0.7),
    _Meaning("LOG-8459", "file_system", Verdict.UNKNOWN, 0.3, _DRIVE),
    _Meaning("LOG-8468", "cpu_uncorrected", Verdict.FAIL, 0.5, ("memory_uncorrected",)),
    _Meaning("LOG-8476", "cpu_corrected", Verdict.UNKNOWN, 0.2, _ERRORS[:3]),
    _Meaning("LOG-8484", "memory_corrected", Verdict.UNKNOWN, 0.4, ("memory_uncorrected",)),
    _Meaning("LOG-8492", "memory_uncorrected", Verdict.FAIL, 0.7),
    _Meaning("LOG-8506", "pcie_uncorrected", Verdict.UNKNOWN, 0.4),
    # Of what firmware reports, one and the same line comes for errors of both kinds.
    _Meaning("LOG-8511", "pcie_corrected", Verdict.UNKNOWN, 0.1, _LINKS[:1]),
    _Meaning("LOG-8522", "thermal_critical", Verdict.FAIL, 0.6),
    _Meaning("LOG-8533", "display_link", Verdict.UNKNOWN, 0.3),
    _Meaning("LOG-8540", "gpu_hang", Verdict.UNKNOWN, 0.3),
    _Meaning("LOG-8554", "usb_power", Verdict.UNKNOWN, 0.4),
    _Meaning("LOG-8565", "usb_errors", Verdict.UNKNOWN, 0.3),
    _Meaning("LOG-8579", "lockup", Verdict.UNKNOWN, 0.3),
    _Meaning("LOG-8587", "kernel_crash", Verdict.UNKNOWN, 0.2, (*_FATAL, "hardware_fatal")),
    _Meaning("LOG-8598", "wifi_firmware", Verdict.UNKNOWN, 0.3),
    _Meaning("LOG-8603", "ethernet_timeout", Verdict.UNKNOWN, 0.3),
    _Meaning("LOG-8616", "out_of_memory", Verdict.UNKNOWN, 0.05),
    _Meaning("LOG-8627", "previous_session", Verdict.UNKNOWN, 0.4),
    _Meaning("LOG-8634", "machine_check_logged", Verdict.UNKNOWN, 0.1, (*_ERRORS, *_LINKS)),
    _Meaning("LOG-8634", "hardware_error_line", Verdict.UNKNOWN, 0.1, (*_ERRORS, *_LINKS, *_RECORDS)),
    _Meaning("LOG-8642", "disk_command", Verdict.UNKNOWN, 0.2, (*_DRIVE, "disk_io", "ata_link", "ata_timeout")),
    _Meaning("LOG-8650", "thermal_throttled", Verdict.UNKNOWN, 0.3, ("thermal_critical",)),
    _Meaning("LOG-8669", "hung_task", Verdict.UNKNOWN, 0.2, (*_DRIVE, "disk_io", "ata_link", "nvme_timeout")),
    _Meaning("LOG-8675", "display_edid", Verdict.UNKNOWN, 0.2, ("display_link",)),
    _Meaning("LOG-8688", "usb_controller", Verdict.UNKNOWN, 0.4),
    _Meaning("LOG-8691", "hardware_fatal", Verdict.FAIL, 0.4, _FATAL),
    _Meaning("SND-7659", "sound_codec", Verdict.UNKNOWN, 0.1),
    _Meaning("CAM-7858", "camera_stream", Verdict.UNKNOWN, 0.1),
    _Meaning("LCD-4602", "touch_device", Verdict.UNKNOWN, 0.1),
    _Meaning("FW-8026", "security_chip", Verdict.UNKNOWN, 0.4),
)
_OF_THE_UNIT = frozenset(
    (
        *_ERRORS,
        *_RECORDS,
        "hardware_error_line",
        "kernel_crash",
        "hung_task",
        "thermal_throttled",
        "display_edid",
    )
)
"""Families whose messages do not name the same instance for the same event: one of any instance tells."""

_MAPPED = ("dm-", "md", "bcache")
"""Volumes that lie on drives: what fails there has failed on one of them before."""
_OF_DRIVES = ("disk_io", "ata_link", "nvme_timeout")


@rule(*dict.fromkeys(meaning.code for meaning in _MEANINGS))
def messages(readings: Readings) -> Iterator[Finding]:
    """The kernel reported a family of errors at least as often as the entry's limit ``messages`` in this log.

    Families that healthy units show too are information only; the confidence is ours, see the table. What a drive on
    USB reports is no fault of the unit. One fault is blamed once: what only shows the consequences of an event of which
    another family tells the cause, or of which a component's own counters tell, is information, and what is such
    already is not said.
    """
    exact = _exactly_told(readings)
    for meaning in _MEANINGS:
        found = [c for c in readings.all(f"kernel_log.{meaning.family}.count") if _often(readings, meaning, c)]
        # What names no instance is most often another line of the same event.
        instances = [c for c in found if c.subject] or found
        for count in instances:
            severity = entry(meaning.code).severity
            told = (meaning.family, count.subject) in exact or _told(readings, meaning, count)
            if told and severity is Severity.INFO:
                continue
            unnamed = [c for c in found if c not in instances]
            yield _finding(readings, meaning, count, unnamed, Severity.INFO if told else severity, told=told)


def _finding(
    readings: Readings, meaning: _Meaning, count: Reading, unnamed: list[Reading], severity: Severity, *, told: bool
) -> Finding:
    prefix = f"kernel_log.{meaning.family}"
    names = (f"{prefix}.{what}" for what in ("line", "drive", "model", "bus", "held_back"))
    more = [reading for name in names if (reading := readings.get(name, count.subject))]
    outside = _on_usb(readings, prefix, count.subject)
    drive = readings.get(f"{prefix}.drive", count.subject)
    values: dict[str, str | int] = {"count": int(readings.number(count.name, count.subject) or 0)}
    if drive is not None:
        values["subject"] = f"{count.subject} ({drive.value})"
    evidence = dict.fromkeys((count, *more, *unnamed, *([outside] if outside else [])))
    return Finding(
        code=meaning.code,
        component=entry(meaning.code).component,
        subject=count.subject,
        severity=severity,
        verdict=Verdict.UNKNOWN if outside or told else meaning.verdict,
        confidence=meaning.confidence,
        values=values,
        evidence=tuple(evidence),
    )


def _often(readings: Readings, meaning: _Meaning, count: Reading) -> bool:
    number = readings.number(count.name, count.subject)
    return number is not None and number >= entry(meaning.code).limit("messages")


def _told(readings: Readings, meaning: _Meaning, count: Reading) -> bool:
    """Whether another family says of the same instance what happened; of a failure, as often as it did."""
    subject = count.subject
    about = _drive(readings, meaning.family, subject)
    events = readings.number(count.name, subject) or 0 if meaning.verdict is Verdict.FAIL else 0
    telling = (*meaning.told_by, *(_OF_DRIVES if subject.startswith(_MAPPED) else ()))
    for other in (m for m in _MEANINGS if m.family in telling):
        for told in readings.all(f"kernel_log.{other.family}.count"):
            if told.subject.startswith(_MAPPED) or (readings.number(told.name, told.subject) or 0) < events:
                continue
            same = meaning.family in _OF_THE_UNIT or not told.subject or subject.startswith(_MAPPED)
            if (same or _drive(readings, other.family, told.subject) == about) and _often(readings, other, told):
                return True
    return False


def _drive(readings: Readings, family: str, subject: str) -> str:
    drive = readings.get(f"kernel_log.{family}.drive", subject)
    return str(drive.value) if drive else subject


def _exactly_told(readings: Readings) -> set[tuple[str, str]]:
    """Family and subject of what a component's own counters say as well, and more exactly."""
    unreadable = {f.subject for f in storage.unreadable(readings) if f.verdict is Verdict.FAIL}
    unreadable |= {f.subject for f in storage.self_test_failed(readings)}
    told = {("disk_media", subject) for subject in unreadable}
    if any(pcie.uncorrected(readings)):
        counters = readings.all("pcie.aer.fatal") + readings.all("pcie.aer.nonfatal")
        told |= {("pcie_uncorrected", r.subject) for r in counters if readings.number(r.name, r.subject)}
    for family, judged in (
        ("memory_uncorrected", memory.uncorrected(readings)),
        ("memory_corrected", (*memory.uncorrected(readings), *memory.corrected(readings))),
    ):
        if any(judged):
            told |= {(family, count.subject) for count in readings.all(f"kernel_log.{family}.count")}
    return told


def _on_usb(readings: Readings, prefix: str, subject: str) -> Reading | None:
    """What shows that a drive hangs on USB: then it is no part of the unit, whose verdict does not depend on it."""
    transport = readings.get("storage.transport", subject) or readings.get(f"{prefix}.bus", subject)
    return transport if transport is not None and transport.value == "usb" else None
