"""One fault is blamed once: what tells the cause outweighs what shows its consequences."""

from __future__ import annotations

import pytest

from agent.catalogue.entry import LANGUAGES, entry
from agent.model import ComponentKind, Evidence, Finding, Reading, Readings, Severity, Verdict
from agent.probes.kernel_log import PROBE
from agent.rules import mce
from agent.rules.kernel_log import messages

NOW = "2026-01-02T03:04:05.000Z"


def readings(*lines: str, also: tuple[Reading, ...] = ()) -> Readings:
    log = "\n".join(f"[   12.5] {line}" for line in lines).encode()
    seen = PROBE.interpret([Evidence("kernel-log", "", log, "kern.log", NOW)])
    return Readings([*(r for r in seen if isinstance(r, Reading)), *also])


def found(*lines: str, also: tuple[Reading, ...] = ()) -> list[Finding]:
    findings = list(messages(readings(*lines, also=also)))
    for finding in findings:
        assert finding.evidence
        for language in LANGUAGES:
            values = {"subject": finding.subject, **finding.values}
            assert "{" not in entry(finding.code).text("message", language, values)
    return findings


def said(*lines: str, also: tuple[Reading, ...] = ()) -> list[tuple[str, str, str]]:
    return [(f.code, f.severity.value, f.subject) for f in found(*lines, also=also)]


def reading(name: str, value: str | float, subject: str, unit: str = "count") -> Reading:
    return Reading(name, value, unit, ComponentKind.STORAGE_DEVICE, subject, "x", NOW)


UNREADABLE = "critical medium error, dev sda, sector 8 op 0x0:(READ)"
FAILED = "I/O error, dev {}, sector 8 op 0x0:(READ)"
LOST = "Memory failure: 0x10000: recovery action for free buddy page: Recovered"
CHECK = "mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 7: be00000001010091"


def test_what_follows_from_a_bad_sector_is_a_note() -> None:
    assert said(UNREADABLE, FAILED.format("sda"), "EXT4-fs error (device sda2): ext4_find_entry:1455") == [
        ("LOG-8400", "critical", "sda"),
        ("LOG-8413", "info", "sda"),
        ("LOG-8459", "info", "sda"),
    ]
    assert said(UNREADABLE, FAILED.format("sdb"))[1] == ("LOG-8413", "warning", "sdb")


def test_a_volume_fails_with_the_drive_below_it() -> None:
    assert said(FAILED.format("sda"), "Buffer I/O error on dev dm-1, logical block 0") == [
        ("LOG-8413", "warning", "sda"),
        ("LOG-8413", "info", "dm-1"),
    ]
    assert said("Buffer I/O error on dev dm-1, logical block 0") == [("LOG-8413", "warning", "dm-1")]


def test_a_drive_that_is_lost_was_late_before() -> None:
    assert said(
        "nvme nvme0: I/O 5 QID 0 timeout, reset controller", "nvme nvme0: Device not ready; aborting reset"
    ) == [
        ("LOG-8437", "info", "nvme0"),
        ("LOG-8445", "critical", "nvme0"),
    ]


def test_a_failed_command_is_said_only_where_nothing_else_is() -> None:
    command = "ata1.00: failed command: READ FPDMA QUEUED"
    assert said(command) == [("LOG-8642", "info", "ata1")]
    assert said(command, "ata1: hard resetting link", "ata1: hard resetting link") == [("LOG-8421", "warning", "ata1")]
    assert said(command, "ata2: hard resetting link", "ata2: hard resetting link") == [
        ("LOG-8421", "warning", "ata2"),
        ("LOG-8642", "info", "ata1"),
    ]


def test_a_lost_page_is_one_fault_of_the_memory() -> None:
    lines = (LOST, CHECK, "mce: [Hardware Error]: Machine check events logged")
    assert said(*lines) == [("LOG-8492", "critical", "")]
    uncorrected = "[Hardware Error]: Uncorrected, software containable error."
    assert said(LOST, uncorrected) == [("LOG-8468", "info", ""), ("LOG-8492", "critical", "")]
    assert said(LOST, uncorrected, uncorrected)[0] == ("LOG-8468", "critical", ""), "one of them was something else"


def test_a_line_of_an_unknown_record_is_a_note() -> None:
    line = "{1}[Hardware Error]:   physical_address: 0x00000008cb743020"
    assert said(line) == [("LOG-8634", "info", "")]
    assert said(line, LOST) == [("LOG-8492", "critical", "")]
    assert said(line, "EDAC MC1: 1 CE ghes_mc on N1 DIMM_L0 (card:3)") == [("LOG-8484", "warning", "N1 DIMM_L0")]
    assert said("tpm tpm0: [Hardware Error]: Adjusting reported durations.") == []


def test_a_fatal_record_of_firmware_stops_the_unit() -> None:
    panic = "Kernel panic - not syncing: Fatal hardware error!"
    link = ("{1}[Hardware Error]: event severity: fatal", "{1}[Hardware Error]:   section_type: PCIe error")
    assert said(*link, panic) == [("LOG-8506", "warning", ""), ("LOG-8691", "critical", "")]
    memory = (link[0], "{1}[Hardware Error]:   section_type: memory error")
    assert said(*memory, panic) == [("LOG-8492", "critical", ""), ("LOG-8691", "info", "")]


def test_a_line_of_a_link_that_was_not_corrected_is_no_correction() -> None:
    status = "igb 0000:09:00.1: AER: aer_status: 0x00004000, aer_mask: 0x00000000"
    severity = "igb 0000:09:00.1: AER: aer_uncor_severity: 0x00062011"
    assert said(status, severity) == [("LOG-8506", "warning", "0000:09:00.1")]
    assert said(status.replace("09", "0a"), severity)[1] == ("LOG-8511", "info", "0000:0a:00.1")


def test_parts_that_only_the_kernel_hears_of() -> None:
    lost = "uvcvideo 1-5:1.1: Non-zero status (-71) in video completion handler."
    assert said(lost, lost) == []
    assert said(lost, lost, lost) == [("CAM-7858", "info", "1-5")]
    codec = "snd_hda_intel 0000:00:1f.3: No response from codec, resetting bus: last cmd=0x20170500"
    touch = "i2c_hid_acpi i2c-GDIX1001:00: can't add hid device: -110"
    assert said(codec, touch) == [("SND-7659", "info", "0000:00:1f.3"), ("LCD-4602", "info", "i2c-GDIX1001:00")]
    assert said("tpm tpm0: TPM in field failure mode, requires firmware upgrade") == [("FW-8026", "warning", "")]


def test_the_counters_of_the_processor_yield_to_the_memory() -> None:
    exception = reading("mce.exceptions", 1, "")
    (blamed,) = mce.exceptions(readings(LOST, also=(exception,)))
    assert (blamed.severity, blamed.verdict) == (Severity.INFO, Verdict.UNKNOWN)
    for others in (readings(LOST, also=(reading("mce.exceptions", 2, ""),)), readings(also=(exception,))):
        (blamed,) = mce.exceptions(others)
        assert (blamed.severity, blamed.verdict) == (entry("CPU-6002").severity, Verdict.FAIL)


@pytest.mark.parametrize(
    ("line", "also", "code"),
    [
        (UNREADABLE, reading("storage.selftest.failures", 1, "sda"), "LOG-8400"),
        ("EDAC MC0: 1 UE on DIMM_A1 (channel:0)", reading("memory.edac.uncorrected", 1, "mc0/DIMM_A1"), "LOG-8492"),
        ("EDAC MC0: 1 CE on DIMM_A1 (channel:0)", reading("memory.edac.corrected", 1, "mc0/DIMM_A1"), "LOG-8484"),
        (
            "nvme 0000:02:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer",
            reading("pcie.aer.nonfatal", 1, "0000:02:00.0"),
            "LOG-8506",
        ),
    ],
)
def test_it_yields_to_what_a_part_counts_itself(line: str, also: Reading, code: str) -> None:
    (alone,) = found(line)
    assert (alone.code, alone.severity) == (code, entry(code).severity)
    (yielding,) = found(line, also=(also,))
    assert (yielding.code, yielding.severity, yielding.verdict) == (code, Severity.INFO, Verdict.UNKNOWN)


def test_the_unnamed_line_of_an_event_joins_the_named_one() -> None:
    record = "{1}[Hardware Error]:   section_type: memory error"
    assert said("EDAC MC1: 1 CE ghes_mc on N1 DIMM_L0 (card:3)", record) == [("LOG-8484", "warning", "N1 DIMM_L0")]


def test_a_port_is_called_with_its_drive() -> None:
    (finding,) = found(
        "scsi 0:0:0:0: Direct-Access     ATA      WDC WD10EZEX-00B 1A01 PQ: 0 ANSI: 5",
        "ata3.00: ATA-9: WDC WD10EZEX-00BN5A0, 01.01A01, max UDMA/133",
        "sd 0:0:0:0: [sdb] 1953525168 512-byte logical blocks",
        "ata3: COMRESET failed (errno=-16)",
        "ata3: hard resetting link",
    )
    assert (finding.code, finding.subject, finding.values["subject"]) == ("LOG-8421", "ata3", "ata3 (sdb)")
    assert {r.name.rpartition(".")[2]: r.value for r in finding.evidence}["model"] == "WDC WD10EZEX-00BN5A0"


def test_a_drive_that_cannot_read_has_no_bad_cable() -> None:
    resets = ("ata3: hard resetting link", "ata3: hard resetting link")
    event = (
        "ata3.00: error: { UNC }",
        "sd 2:0:0:0: [sdb] tag#1 Sense Key : Medium Error [current]",
        "ata3: EH complete",
    )
    assert said(*event, *resets) == [("LOG-8400", "critical", "sdb"), ("LOG-8421", "info", "ata3")]
    assert said(*event, *(reset.replace("3", "4") for reset in resets))[1] == ("LOG-8421", "warning", "ata4")


def test_a_drive_on_usb_is_told_by_the_log_alone() -> None:
    lines = ("scsi host6: usb-storage 1-3:1.0", "sd 6:0:0:0: [sdb] Attached SCSI removable disk")
    (outside,) = found(*lines, UNREADABLE.replace("sda", "sdb"))
    assert (outside.code, outside.severity, outside.verdict) == ("LOG-8400", Severity.CRITICAL, Verdict.UNKNOWN)
    (inside,) = found(*lines, UNREADABLE)
    assert inside.verdict is Verdict.FAIL
