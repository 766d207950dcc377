"""What the kernel's messages say of the components. The wording is data of the probe, the limits of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule


@dataclass(frozen=True, slots=True)
class _Meaning:
    family: str
    verdict: Verdict
    confidence: float


# Confidence is ours. FAIL only where the device itself reports that it cannot do its work. An uncorrected machine check
# is a hardware fault for certain, but a board or its voltages cause it as well as the processor that reports it.
_MEANINGS = {
    "LOG-8400": _Meaning("disk_media", Verdict.FAIL, 0.8),
    "LOG-8413": _Meaning("disk_io", Verdict.UNKNOWN, 0.5),
    "LOG-8421": _Meaning("ata_link", Verdict.UNKNOWN, 0.4),
    "LOG-8437": _Meaning("nvme_timeout", Verdict.UNKNOWN, 0.4),
    "LOG-8445": _Meaning("nvme_lost", Verdict.FAIL, 0.7),
    "LOG-8459": _Meaning("file_system", Verdict.UNKNOWN, 0.3),
    "LOG-8468": _Meaning("cpu_uncorrected", Verdict.FAIL, 0.5),
    "LOG-8476": _Meaning("cpu_corrected", Verdict.UNKNOWN, 0.2),
    "LOG-8484": _Meaning("memory_corrected", Verdict.UNKNOWN, 0.4),
    "LOG-8492": _Meaning("memory_uncorrected", Verdict.FAIL, 0.7),
    "LOG-8506": _Meaning("pcie_uncorrected", Verdict.UNKNOWN, 0.4),
    "LOG-8511": _Meaning("pcie_corrected", Verdict.UNKNOWN, 0.1),
    "LOG-8522": _Meaning("thermal_critical", Verdict.FAIL, 0.6),
    "LOG-8533": _Meaning("display_link", Verdict.UNKNOWN, 0.3),
    "LOG-8540": _Meaning("gpu_hang", Verdict.UNKNOWN, 0.3),
    "LOG-8554": _Meaning("usb_power", Verdict.UNKNOWN, 0.4),
    "LOG-8565": _Meaning("usb_errors", Verdict.UNKNOWN, 0.3),
    "LOG-8579": _Meaning("lockup", Verdict.UNKNOWN, 0.3),
    "LOG-8587": _Meaning("kernel_crash", Verdict.UNKNOWN, 0.2),
    "LOG-8598": _Meaning("wifi_firmware", Verdict.UNKNOWN, 0.3),
    "LOG-8603": _Meaning("ethernet_timeout", Verdict.UNKNOWN, 0.3),
    "LOG-8616": _Meaning("out_of_memory", Verdict.UNKNOWN, 0.05),
    "LOG-8627": _Meaning("previous_session", Verdict.UNKNOWN, 0.4),
    "LOG-8634": _Meaning("machine_check_logged", Verdict.UNKNOWN, 0.1),
}


@rule(*_MEANINGS)
def messages(readings: Readings) -> Iterator[Finding]:
    """The kernel reported a family of errors at least as often as the entry's limit ``messages`` in this boot.

    Families that healthy units show too are information only; the confidence is ours, see the table. What a drive on
    USB reports is no fault of the unit.
    """
    for code, meaning in _MEANINGS.items():
        prefix = f"kernel_log.{meaning.family}"
        for count in readings.all(f"{prefix}.count"):
            number = readings.number(f"{prefix}.count", count.subject)
            if number is None or number < entry(code).limit("messages"):
                continue
            line = readings.get(f"{prefix}.line", count.subject)
            outside = _on_usb(readings, count.subject)
            yield Finding(
                code=code,
                component=entry(code).component,
                subject=count.subject,
                severity=entry(code).severity,
                verdict=Verdict.UNKNOWN if outside else meaning.verdict,
                confidence=meaning.confidence,
                values={"count": int(number)},
                evidence=tuple(reading for reading in (count, line, outside) if reading),
            )


def _on_usb(readings: Readings, subject: str) -> Reading | None:
    """What shows that a drive hangs on USB: then it is no part of the unit, whose verdict does not depend on it."""
    transport = readings.get("storage.transport", subject)
    return transport if transport is not None and transport.value == "usb" else None
