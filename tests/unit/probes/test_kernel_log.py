from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Readings, Severity, Text, Verdict
from agent.probes._kernel_lines import parse
from agent.probes._kernel_messages import DEVICE_CAP, families, machine_check, survey
from agent.probes.kernel_log import PROBE
from agent.rules.kernel_log import messages

NOW = "2026-01-02T03:04:05.000Z"


RECORDS = {"machine_check_logged", "hardware_error_line"}


def log(text: str | bytes) -> Evidence:
    return Evidence("kernel-log", "", text.encode() if isinstance(text, str) else text, "kern.log", NOW)


def dmesg(text: str = "", exit_status: int | None = None, problem: Text | None = None) -> Evidence:
    return Evidence("dmesg", "", text.encode(), "dmesg --color=never", NOW, exit_status, problem=problem)


def read(*evidence: Evidence) -> Readings:
    return Readings(r for r in PROBE.interpret(evidence) if isinstance(r, Reading))


def families_of(text: str) -> set[str]:
    return {seen.family.name for seen in survey(parse(text))}


@pytest.mark.parametrize(
    ("line", "family", "device"),
    [
        ("critical medium error, dev sdc, sector 8 op 0x0:(READ)", "disk_media", "sdc"),
        ("ata25.00: error: { UNC }", "disk_media", "ata25"),
        ("nvme nvme9: Device not ready; aborting reset, CSTS=0x1", "nvme_lost", "nvme9"),
        ("nvme nvme2: I/O 5 QID 0 timeout, reset controller", "nvme_timeout", "nvme2"),
        ("I/O error, dev nvme0n1, sector 370882864 op", "disk_io", "nvme0"),
        ("ata4: hard resetting link", "ata_link", "ata4"),
        ("ata1.00: exception Emask 0x0 SAct 0x1000000 SErr 0x0 action 0x6 frozen", "ata_link", "ata1"),
        ("ata1.00: exception Emask 0x10 SAct 0x7 SErr 0x4010000 action 0xe", "ata_link", "ata1"),
        ("EXT4-fs error (device sda2): ext4_find_entry:1455: reading directory", "file_system", "sda"),
        (
            "EDAC MC0: 1 UE Cannot decode on mc#0csrow#1channel#0 (csrow:1)",
            "memory_uncorrected",
            "mc#0csrow#1channel#0",
        ),
        ("Memory failure: 0x10000: recovery action for free buddy page: Recovered", "memory_uncorrected", ""),
        ("EDAC MC1: 1 CE ghes_mc on N1 DIMM_L0 (card:3 module:0)", "memory_corrected", "N1 DIMM_L0"),
        ("pcieport 0000:00:1c.4: PCIe Bus Error: severity=Corrected, type=x", "pcie_corrected", "0000:00:1c.4"),
        ("nvme 0000:02:00.0: PCIe Bus Error: severity=Uncorrectable (Fatal)", "pcie_uncorrected", "0000:02:00.0"),
        ("mce: CPU0: Package temperature is above threshold, cpu clock is throttled", "thermal_throttled", "CPU0"),
        ("CPU1: Core temperature above threshold, cpu clock throttled", "thermal_throttled", "CPU1"),
        ("thermal thermal_zone0: acpitz: critical temperature reached, shutting down", "thermal_critical", ""),
        ("i915 0000:00:02.0: [drm] *ERROR* CPU pipe A FIFO underrun", "display_link", ""),
        ("[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx timeout, signaled seq=1", "gpu_hang", ""),
        ("mce: [Hardware Error]: Machine check events logged", "machine_check_logged", ""),
        ("BERT: Error records from previous boot:", "previous_session", ""),
        ("usb usb1-port3: over-current condition", "usb_power", "usb1-port3"),
        ("usb 1-3: device descriptor read/64, error -71", "usb_errors", "1-3"),
        ("usb 2-1.4: reset high-speed USB device number 5 using xhci_hcd", "usb_errors", "2-1.4"),
        ("sd 0:0:0:0: [sdb] Synchronize Cache(10) failed: Result: hostbyte=DID_BAD_TARGET", "disk_io", "sdb"),
        ("usb 1-3: USB disconnect, device number 7", "usb_disconnect", "1-3"),
        ("Out of memory: Killed process 42 (firefox)", "out_of_memory", ""),
        ("watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [stress:42]", "lockup", "1"),
        ("rcu: INFO: rcu_preempt self-detected stall on CPU", "lockup", ""),
        ("INFO: task jbd2/sda1-8:200 blocked for more than 120 seconds.", "hung_task", ""),
        ("Kernel panic - not syncing: Fatal exception", "kernel_crash", ""),
        ("NETDEV WATCHDOG: enp3s0 (r8169): transmit queue 0 timed out", "ethernet_timeout", "enp3s0"),
        ("iwlwifi 0000:00:14.3: Microcode SW error detected. Restarting 0x0.", "wifi_firmware", "0000:00:14.3"),
        ("sd 2:0:0:0: [sdb]  Sense Key : Medium Error [current]", "disk_media", "sdb"),
        ("nvme0n1: Read(0x2) @ LBA 8, 8 blocks, Unrecovered Read Error (sct 0x2 / sc 0x81)", "disk_media", "nvme0"),
        ("nvme nvme0: I/O tag 5 (1005) opcode 0x2 (I/O Cmd) QID 4 timeout, aborting", "nvme_timeout", "nvme0"),
        ("nvme nvme2: queue 0: timeout request 0x10 type 4", "nvme_timeout", "nvme2"),
        ("ata8.00: qc timeout after 5000 msecs (cmd 0xec)", "ata_timeout", "ata8"),
        ("ata8.00: qc timeout (cmd 0x27)", "disk_command", "ata8"),
        ("ata6.00: disabled", "ata_link", "ata6"),
        ("ata6.00: link offline, clearing class 1 to NONE", "ata_link", "ata6"),
        ("ata5.00: failed command: READ FPDMA QUEUED", "disk_command", "ata5"),
        ("md/raid1:md0: Disk failure on nvme9n1p2, disabling device.", "disk_io", "nvme9"),
        ("Buffer I/O error on dev dm-1, logical block 0, lost async page write", "disk_io", "dm-1"),
        ("BTRFS error (device sdc1): bdev /dev/sdf1 errs: wr 0, rd 1, flush 0, corrupt 0", "file_system", "sdf"),
        ("BTRFS error (device sdc): parent transid verify failed on 30425088 wanted 3 found 4", "file_system", "sdc"),
        ("XFS (dm-0): metadata I/O error in x at daddr 0x1 len 8 error 5", "file_system", "dm-0"),
        ("Aborting journal on device sda1-8.", "file_system", "sda"),
        ("ntfs3(sda3): ino=5, mi_read is corrupted", "file_system", "sda"),
        ("FAT-fs (sdb1): error, fat_get_cluster: invalid cluster chain", "file_system", "sdb"),
        ("EDAC MC0: UE page 0x1, offset 0x0, grain 128, row 0, labels x", "memory_uncorrected", ""),
        ("EDAC MC0: 1 CE single-symbol chipkill ECC on unknown memory (node:0)", "memory_corrected", ""),
        ("rasdaemon: mc_event: 2024-01-01 1 Corrected error: read on DIMM_A1 (mc: 0)", "memory_corrected", "DIMM_A1"),
        ("pcieport 0000:00:1d.0: AER: Corrected error received: 0000:02:00.0", "pcie_corrected", "0000:02:00.0"),
        (
            "pcieport 0000:00:1c.4: AER: Correctable error message received from 0000:07:00.0",
            "pcie_corrected",
            "0000:07:00.0",
        ),
        ("pcieport 0000:00:1c.0: AER: Uncorrected (Fatal) error received: id=00e0", "pcie_uncorrected", ""),
        ("pcieport 0000:00:10.0: DPC: containment event, status:0x1f01", "pcie_uncorrected", "0000:00:10.0"),
        ("mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: bea0000000000108", "cpu_uncorrected", ""),
        ("STATUS 8c00004000010090 MCGSTATUS 0", "memory_corrected", ""),
        ("mce_record: 2024-01-01 L3 (bank=5), status= be00000000800400, mci=x", "cpu_uncorrected", ""),
        ("aer_event: 2024-01-01 03:04:05 +0100 0000:02:00.0 Bad TLP Corrected", "pcie_corrected", "0000:02:00.0"),
        ("reboot: HARDWARE PROTECTION shutdown (Temperature too high)", "thermal_critical", ""),
        ("xe 0000:00:02.0: [drm] CRITICAL: Xe has declared device 0000:00:02.0 as wedged.", "gpu_hang", ""),
        ("xhci_hcd 0000:00:14.0: HC died; cleaning up", "usb_controller", "0000:00:14.0"),
        ("igb 0000:09:00.0: Detected Tx Unit Hang", "ethernet_timeout", "0000:09:00.0"),
        ("mt7921e 0000:02:00.0: Message 00020007 (seq 9) timeout", "wifi_firmware", "0000:02:00.0"),
        ("EDID block 0 (tag 0x00) checksum is invalid", "display_edid", ""),
        ("kernel BUG at fs/ext4/inode.c:1!", "kernel_crash", ""),
        ("Current sdc: sense key Hardware Error", "disk_media", "sdc"),
        ("Current sdc: sense = 70  3", "disk_media", "sdc"),
        ("ata5.00: status: { DRDY DF ERR }", "disk_media", "ata5"),
        ("ata5.00: error: { UNC ABRT }", "disk_media", "ata5"),
        ("nvme 0000:03:00.0: probe with driver nvme failed with error -4", "nvme_lost", "0000:03:00.0"),
        ("nvme: probe of 0000:03:00.0 failed with error -19", "nvme_lost", "0000:03:00.0"),
        ("exception Emask 0x10 SAct 0x70000 SErr 0x280100 action 0x6 frozen", "ata_link", ""),
        ("irq_stat 0x08000000, interface fatal error", "ata_link", ""),
        ("SError: { UnrecovData 10B8B BadCRC }", "ata_link", ""),
        ("ata3.00: irq_stat 0x08000000, interface fatal error", "ata_link", "ata3"),
        ("res 40/00:80:00:10:0c/00:00:48:00:00/40 Emask 0x10 (ATA bus error)", "ata_link", ""),
        ("ata3: failed to recover link after 3 tries, disabling", "ata_link", "ata3"),
        ("ata3.00: Read log 0x30 page 0x00 failed, Emask 0x40", "disk_command", "ata3"),
        ("raid1: Disk failure on sdb2, disabling device.", "disk_io", "sdb"),
        ("mmcblk1: recovery failed!", "disk_io", "mmcblk1"),
        ("mmc1: Timeout waiting for hardware interrupt.", "disk_io", ""),
        ("mmc0: cqhci: timeout for tag 3, qcnt 2", "disk_io", ""),
        ("BTRFS warning (device sdc): lost super block write due to IO error on /dev/sdd (-5)", "disk_io", "sdd"),
        ("EXT4-fs warning (device sdb1): ext4_end_bio:343: I/O error 10 writing to inode 12", "disk_io", "sdb"),
        ("EXT4-fs (sdb1): error loading journal", "file_system", "sdb"),
        ("EXT4-fs (sdb1): warning: mounting fs with errors, running e2fsck is recommended", "file_system", "sdb"),
        ("JBD2: Detected IO errors while flushing file data on sdb1-8", "file_system", "sdb"),
        ("JBD2: Failed to read block at offset 14", "file_system", ""),
        ("BTRFS: error (device sdb) in btrfs_run_delayed_refs:2127: errno=-5 IO failure", "file_system", "sdb"),
        ("BTRFS error (device sdb): block=4096 write time tree block corruption detected", "file_system", "sdb"),
        (
            "XFS (sda3): Log I/O Error (0x2) detected at xlog_ioend_work+0x6b/0x80 (x.c:1). Shutting",
            "file_system",
            "sda",
        ),
        ("XFS (dm-4): I/O Error Detected. Shutting down filesystem", "file_system", "dm-4"),
        ("XFS (dm-0): xfs_log_force: error -5 returned.", "file_system", "dm-0"),
        ("XFS: Internal error XFS_WANT_CORRUPTED_RETURN at line 1 of file x.c.", "file_system", ""),
        ("mce: 0x12345: Memory error not recovered", "memory_uncorrected", ""),
        ("ACPI: Critical temperature reached (110 C), shutting down.", "thermal_critical", ""),
        (
            "i915 0000:00:02.0: [drm] *ERROR* AUX A/DDI A/PHY A: did not complete or timeout within 10ms (status 0x1)",
            "display_link",
            "",
        ),
        ("xe 0000:00:02.0: [drm] GT0: Timedout job: seqno=4294967169, guc_id=5", "gpu_hang", ""),
        ("amdgpu 0000:03:00.0: amdgpu: device lost from bus!", "gpu_hang", ""),
        ("amdgpu 0000:03:00.0: amdgpu: GPU Recovery Failed: -110", "gpu_hang", ""),
        ("nouveau 0000:01:00.0: Xorg[812]: failed to idle channel 2 [Xorg[812]]", "gpu_hang", ""),
        ("usb 2-1: reset SuperSpeed Plus Gen 2x1 USB device number 3 using xhci_hcd", "usb_errors", "2-1"),
        ("usb 4-1: reset high speed USB device using ehci_hcd and address 9", "usb_errors", "4-1"),
        ("usb 4-1: USB disconnect, address 9", "usb_disconnect", "4-1"),
        ("usb usb1-port3: connect-debounce failed", "usb_errors", "usb1-port3"),
        ("usb usb3-port1: config error", "usb_errors", "usb3-port1"),
        ("xhci-hcd f10f8000.usb3: HC died; cleaning up", "usb_controller", "f10f8000.usb3"),
        ("xHCI host controller not responding, assume dead", "usb_controller", ""),
        ("xhci_hcd 0000:01:00.0: WARNING: Host System Error", "usb_controller", "0000:01:00.0"),
        ("xhci_hcd 0000:01:00.0: xHCI host not responding to stop endpoint command", "usb_controller", "0000:01:00.0"),
        (
            "r8169 0000:03:00.0 enp3s0: NETDEV WATCHDOG: CPU: 2: transmit queue 0 timed out 5210 ms",
            "ethernet_timeout",
            "enp3s0",
        ),
        ("iwlwifi 0000:00:14.3: Failed to run INIT ucode: -110", "wifi_firmware", "0000:00:14.3"),
        ("iwlwifi 0000:00:14.3: Device gone - scheduling removal!", "wifi_firmware", "0000:00:14.3"),
        ("rtw89_8852be 0000:02:00.0: failed to send h2c", "wifi_firmware", "0000:02:00.0"),
        ("rtw89_8852be 0000:02:00.0: FW does not process h2c registers", "wifi_firmware", "0000:02:00.0"),
        ("mt7921e 0000:02:00.0: Timeout for driver own", "wifi_firmware", "0000:02:00.0"),
        (
            "snd_hda_intel 0000:00:1f.3: azx_get_response timeout, switching to single_cmd mode: last cmd=0x20170500",
            "sound_codec",
            "0000:00:1f.3",
        ),
        (
            "snd_hda_intel 0000:00:1f.3: No response from codec, resetting bus: last cmd=0x20170500",
            "sound_codec",
            "0000:00:1f.3",
        ),
        ("sof-audio-pci 0000:00:1f.3: CORB reset timeout#1, CORBRP = 0", "sound_codec", "0000:00:1f.3"),
        ("uvcvideo: Non-zero status (-71) in video completion handler.", "camera_stream", ""),
        ("uvcvideo 1-5:1.1: Non-zero status (-84) in video completion handler.", "camera_stream", "1-5"),
        ("uvcvideo 1-5:1.1: Failed to set UVC probe control : -71 (exp. 26).", "camera_stream", "1-5"),
        ("i2c_hid i2c-GDIX1001:00: failed to reset device.", "touch_device", "i2c-GDIX1001:00"),
        ("i2c_hid_acpi i2c-GDIX1001:00: can't add hid device: -110", "touch_device", "i2c-GDIX1001:00"),
        ("tpm tpm0: TPM in field failure mode, requires firmware upgrade", "security_chip", ""),
        ("tpm_tis 00:06: TPM self test failed", "security_chip", ""),
        ("ata4: soft resetting port", "ata_link", "ata4"),
        ("ata4: link online but 1 devices misclassified, retrying", "ata_link", "ata4"),
        ("ata4: SRST failed (errno=-16)", "ata_link", "ata4"),
        ("ata4: reset failed (errno=-22), retrying in 9 secs", "ata_link", "ata4"),
        ("ata4: failed to recover some devices, retrying in 5 secs", "ata_link", "ata4"),
        ("nvme 0000:2c:00.0: AER: aer_status: 0x00002001, aer_mask: 0x00000000", "pcie_corrected", "0000:2c:00.0"),
        ("igb 0000:09:00.1: AER: aer_uncor_severity: 0x00062011", "pcie_uncorrected", "0000:09:00.1"),
        (
            "x86/amd: Previous system reset reason [0x08000800]: an uncorrected error caused a data fabric sync flood",
            "previous_session",
            "",
        ),
        (
            "x86/amd: Previous system reset reason [0x00000200]: internal CPU thermal limit was tripped",
            "thermal_critical",
            "",
        ),
        (
            "x86/amd: Previous system reset reason [0x00000001]: thermal pin BP_THERMTRIP_L was tripped",
            "thermal_critical",
            "",
        ),
    ],
)
def test_each_family(line: str, family: str, device: str) -> None:
    assert [(s.family.name, s.device) for s in survey(parse(f"[    1.0] {line}"))] == [(family, device)]


@pytest.mark.parametrize(
    "line",
    [
        "[Firmware Bug]: TSC ADJUST differs within socket(s)",
        "ACPI BIOS Error (bug): Could not resolve symbol [\\_SB.PCI0], AE_NOT_FOUND",
        "ata3: SATA link down (SStatus 0 SControl 300)",
        "ata1.00: exception Emask 0x0 SAct 0x40 SErr 0x0 action 0x0",
        "ata1.00: exception Emask 0x9 SAct 0x40 SErr 0x0 action 0x0",
        "ata1.00: failed command: SMART",
        "ata1.00: failed command: SET FEATURES",
        "ata1.00: failed command: READ LOG DMA EXT",
        "ata1.00: status: { DRDY ERR }",
        "ata1.00: failed to enable AA (error_mask=0x1)",
        "ata1.00: failed to get Identify Device Data, Emask 0x1 err_mask=0x1",
        "ata1.00: Read log 0x30 page 0x00 failed, Emask 0x1",
        "exception Emask 0x0 SAct 0x40 SErr 0x0 action 0x0",
        "nvme 0000:03:00.0: probe with driver nvme failed with error -12",
        "mmc0: Timeout waiting for hardware cmd interrupt.",
        "XFS (sda1): User initiated shutdown received.",
        "ata1.01: error: { UNC IDNF ABRT }",
        "ata1.01: status: { DRDY DF DRQ ERR }",
        "UBSAN: array-index-out-of-bounds in drivers/hwmon/x.c:1:20",
        "WARNING: CPU: 1 PID: 2 at drivers/gpu/drm/x.c:3 x+0x1/0x2 [x]",
        "BTRFS: error (device sdb: state A) in __btrfs_free_extent:3053: errno=-28 No space left",
        "BTRFS info (device sdb: state EA): forced readonly",
        "x86/amd: Previous system reset reason [0x00080800]: software wrote 0x6 to reset control register 0xCF9",
        "x86/amd: Previous system reset reason [0x00000002]: power button was pressed for 4 seconds",
        "usb 2-1: new SuperSpeed Plus Gen 2x1 USB device number 3 using xhci_hcd",
        "rtw89_8852be 0000:02:00.0: failed to send h2c join info",
        "nouveau 0000:01:00.0: fifo: DMA_PUSHER - ch 4 [greeter[429]] (err: INVALID_CMD)",
        "tpm tpm0: [Hardware Error]: Adjusting reported durations.",
        "tpm tpm0: A TPM error (256) occurred attempting the self test",
        "snd_hda_intel 0000:00:1f.3: azx_get_response timeout, switching to polling mode: last cmd=0x000f0000",
        "snd_hda_intel 0000:00:1f.3: Codec #2 probe error; disabling it...",
        "uvcvideo 1-5:1.0: Failed to query (GET_INFO) UVC control 6 on unit 2: -32 (exp. 1).",
        "uvcvideo 1-5:1.1: Non-zero status (-32) in video completion handler.",
        "i2c_hid_acpi i2c-GDIX1001:00: can't add hid device: -61",
        "i2c_hid_acpi i2c-GDIX1001:00: device did not ack reset within 1000 ms",
        "blk_update_request: I/O error, dev loop0, sector 0 op 0x0:(READ)",
        "I/O error, dev fd0, sector 0",
        "critical medium error, dev sr0, sector 64",
        "usb 1-3: new high-speed USB device number 5 using xhci_hcd",
        "pcieport 0000:00:1d.0: AER: enabled with IRQ 122",
        "EDAC MC: Ver: 3.0.0",
        "EDAC igen6 MC1: HANDLING IBECC MEMORY ERROR",
        "RAS: Correctable Errors collector initialized.",
        "mce: CPU0: Thermal monitoring enabled (TM1)",
        "mce: Machine check polling timer started.",
        "thermal LNXTHERM:00: registered as thermal_zone0",
        "ata1.00: configured for UDMA/133",
        "ata1: SATA max UDMA/133 abar m2048@0xfea00000 port 0xfea00100 irq 26",
        "usb usb2: We don't know the algorithms for LPM for this host, disabling LPM.",
        "pci 0000:00:00.2: PCI INT A: not connected",
        "clocksource: timekeeping watchdog on CPU3: Marking clocksource 'tsc' as unstable",
        "nvme nvme0: missing or invalid SUBNQN field.",
        "nvme nvme0: 8/0/0 default/read/poll queues",
        "BTRFS info (device sda): bdev /dev/sdb errs: wr 0, rd 0, flush 0, corrupt 2, gen 0",
        "EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none.",
        "FAT-fs (sda1): Volume was not properly unmounted. Some data may be corrupt. Please run fsck.",
        "r8169 0000:03:00.0: can't disable ASPM; OS doesn't have ASPM control",
        "pcieport 0000:00:1c.0: DPC: error containment capabilities: Int Msg #0, RPExt+",
        "ccp 0000:04:00.2: psp: unable to access the device: you might be running a broken BIOS.",
        "sd 0:0:0:0: [sda] tag#0 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_SENSE",
        "sd 0:0:0:0: [sda] tag#0 Sense Key : Illegal Request [current]",
        "sr 6:0:1:0: [sr0] Sense Key : Hardware Error [current]",
        "sd 6:0:0:0: [sda] Synchronize Cache(10) failed: Result: hostbyte=DID_NO_CONNECT driverbyte=DRIVER_OK",
    ],
)
def test_harmless_noise_is_left_alone(line: str) -> None:
    assert families_of(f"[    1.0] {line}") == set()


def test_severity_of_a_firmware_record_goes_with_its_section() -> None:
    record = "[1.0] {1}[Hardware Error]: event severity: %s\n[1.0] {1}[Hardware Error]:   section_type: memory error"
    assert families_of(record % "corrected") - RECORDS == {"memory_corrected"}
    assert families_of(record % "fatal") - RECORDS == {"memory_uncorrected"}


@pytest.mark.parametrize(
    ("record", "ended_by_it"),
    [
        ("[Hardware Error]: event severity: fatal", True),
        ("[Hardware Error]: event severity: recoverable", True),
        ("Bluetooth: Core ver 2.22", True),
        ("[Hardware Error]: It has been corrected by h/w and requires no further action", False),
        ("[Hardware Error]: event severity: corrected", False),
        ("[Hardware Error]: event severity: info", False),
    ],
)
def test_what_firmware_kept_ended_the_session_if_it_was_not_corrected(record: str, ended_by_it: bool) -> None:
    heading = "[1.0] BERT: Error records from previous boot:"
    assert ("previous_session" in families_of(f"{heading}\n[1.0] {record}")) is ended_by_it
    assert families_of(heading) == {"previous_session"}


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (0xBE00000001010091, "uncorrected memory"),
        (0x9C00000001010091, "corrected memory"),
        (0xB40000000000083B, "uncorrected processor"),
        (0x8800004000010005, "corrected processor"),
        (0xA600000000020408, "not enabled"),
    ],
)
def test_machine_check_status(status: int, meaning: str) -> None:
    assert machine_check(status) == meaning


def test_what_firmware_left_behind_is_no_fault() -> None:
    """Boards with Intel's Apollo Lake log it at each start; bank 128 is the kernel's own, for heat."""
    line = "[0.046760] mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank {}"
    assert families_of(line.format("4: a600000000020408")) == {"machine_check_logged"}
    assert families_of(line.format("128: 000000008844000f")) == {"thermal_throttled"}


@pytest.mark.parametrize("quote", ["", "> ", "> > "])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("[1.0] mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 5:", "bea0000000000108"), ("cpu_uncorrected", "")),
        (
            (
                "[1.0] pcieport 0000:00:00.0: AER: Multiple Uncorrectable",
                "(Non-Fatal) error message received from 0000:02:00.0",
            ),
            ("pcie_uncorrected", "0000:02:00.0"),
        ),
        (
            ("[1.0] sd 24:0:0:0: [sdc] tag#16 Add. Sense: Unrecovered", "read error"),
            ("disk_media", "sdc"),
        ),
    ],
)
def test_a_line_that_a_mail_broke_is_one(lines: tuple[str, str], expected: tuple[str, str], quote: str) -> None:
    log = "\n".join(f"{quote}{line}" for line in lines)
    assert [(s.family.name, s.device, s.count) for s in survey(parse(log))] == [(*expected, 1)]


def test_events_are_counted_not_their_lines() -> None:
    """A sector that cannot be read is told by the port, the command and the block layer."""
    event = (
        "[1.0] ata1.00: error: { UNC }\n[1.0] sd 0:0:0:0: [sda] tag#1 Sense Key : Medium Error [current]\n"
        "[1.0] critical medium error, dev sda, sector 8\n[1.0] ata1: EH complete\n"
    )
    readings = read(log(event * 3))
    assert [r.subject for r in readings.all("kernel_log.disk_media.count")] == ["sda"]
    assert readings.number("kernel_log.disk_media.count", "sda") == 3


def test_a_message_may_tell_of_many_events() -> None:
    readings = read(
        log("[1.0] EDAC MC0: 8821 CE on DIMM_A1 (channel:0)\n[2.0] EDAC MC0: 1 CE on DIMM_A1 (channel:0)\n")
    )
    assert readings.number("kernel_log.memory_corrected.count", "DIMM_A1") == 8822
    sender = "Sep 23 19:05:33 pc rasdaemon[9]: x-1 [000] 0.1: "
    event = f"{sender}mc_event: 2024-01-02 03:04:05 +0100 7 Corrected errors: x on A1 (mc: 0)"
    assert read(log(event)).number("kernel_log.memory_corrected.count", "A1") == 7


def test_what_the_kernel_held_back_is_told_apart() -> None:
    readings = read(
        log(
            "[1.0] print_req_error: 312 callbacks suppressed\n[1.0] blk_update_request: I/O error, dev sda, sector 8\n"
            "[2.0] buffer_io_error: 5 callbacks suppressed\n[2.0] unknown_function: 9 callbacks suppressed\n"
        )
    )
    assert readings.number("kernel_log.disk_io.count", "sda") == 1
    assert readings.number("kernel_log.disk_io.held_back", "sda") == 317


def test_repeats_of_a_syslog_are_counted_and_dated() -> None:
    text = (
        "Sep 23 19:05:33 pc kernel: ata1: hard resetting link\n"
        "Sep 23 19:05:40 pc kernel: message repeated 4 times: [ ata1: hard resetting link]\n"
    )
    readings = read(log(text))
    assert readings.number("kernel_log.ata_link.count", "ata1") == 5
    dates = [readings.get(f"kernel_log.ata_link.{which}_at", "ata1") for which in ("first", "last")]
    assert [date.value for date in dates if date] == ["Sep 23 19:05:33", "Sep 23 19:05:40"]


def test_counts_times_and_a_line() -> None:
    readings = read(log("[ 10.0] ata1: hard resetting link\n[ 20.5] ata1: COMRESET failed (errno=-16)\n[ 30.0] fine\n"))
    assert readings.number("kernel_log.lines") == 3
    assert readings.number("kernel_log.ata_link.count", "ata1") == 2
    assert readings.number("kernel_log.ata_link.first_s", "ata1") == 10.0
    assert readings.number("kernel_log.ata_link.last_s", "ata1") == 20.5
    line = readings.get("kernel_log.ata_link.line", "ata1")
    assert line is not None
    assert line.value == "ata1: hard resetting link"


def test_from_a_read_error_to_a_finding() -> None:
    (finding,) = messages(read(log("[ 1.0] critical medium error, dev sda, sector 8\n")))
    assert (finding.code, finding.component, finding.subject) == ("LOG-8400", ComponentKind.STORAGE_DEVICE, "sda")
    assert (finding.severity, finding.verdict) == (Severity.CRITICAL, Verdict.FAIL)
    assert finding.values == {"count": 1}
    assert {r.name for r in finding.evidence} == {"kernel_log.disk_media.count", "kernel_log.disk_media.line"}


# Eight times asleep, on a virtual machine whose USB controller has no power meanwhile.
WOKEN = """[ 99.1] PM: suspend entry (deep)
[ 101.9] xhci_hcd 0000:00:05.0: xHC error in resume, USBSTS 0x401, Reinit
[ 103.1] usb 1-3: reset high-speed USB device number 2 using xhci_hcd
[ 103.7] usb 1-1: reset high-speed USB device number 3 using xhci_hcd
[ 104.0] PM: suspend exit
"""
RESET = "[ 105.0] usb 1-3: reset high-speed USB device number 2 using xhci_hcd\n"


def test_devices_that_are_reset_when_the_unit_wakes_up_are_sound() -> None:
    assert not list(messages(read(log(WOKEN * 8))))


@pytest.mark.parametrize(
    "between", ["", "[ 0.0] Linux version 6.1.0-28-amd64\n", "PM: hibernation: hibernation exit\n"]
)
def test_resets_of_a_unit_that_is_awake_count(between: str) -> None:
    asleep = "" if not between else "[ 99.1] PM: suspend entry (deep)\n"
    (found,) = messages(read(log(WOKEN * 8 + asleep + between + RESET * 6)))
    assert (found.code, found.subject, found.values["count"]) == ("LOG-8565", "1-3", 6)


def test_one_link_reset_is_no_finding() -> None:
    assert not list(messages(read(log("[ 1.0] ata1: hard resetting link\n"))))
    assert list(messages(read(log("[ 1.0] ata1: hard resetting link\n" * 2))))


MISSING = Text("{program} is not installed", {"program": "dmesg"})
STUCK = Text("no answer within {seconds} s", {"seconds": 10.0})


@pytest.mark.parametrize(
    ("evidence", "reason", "outcome", "remedy"),
    [
        ([], "could not be read: kernel log", "unsupported", ""),
        (
            [dmesg("dmesg: read kernel buffer failed: Operation not permitted", exit_status=1)],
            "needs root",
            "unsupported",
            "sudo aiodiag probe kernel_log",
        ),
        ([dmesg(problem=MISSING)], "dmesg is not installed", "unsupported", "sudo apt-get install util-linux"),
        ([dmesg(problem=STUCK, exit_status=-9)], "no answer within 10.0 s", "error", ""),
        ([dmesg("dmesg: bad\x07 luck\n", exit_status=1)], "dmesg failed: dmesg: bad  luck", "error", ""),
    ],
)
def test_no_log_is_no_judgement(evidence: list[Evidence], reason: str, outcome: str, remedy: str) -> None:
    (gap,) = PROBE.interpret(evidence)
    assert isinstance(gap, Gap)
    assert (str(gap.reason), gap.outcome, gap.remedy, gap.essential) == (reason, Outcome(outcome), remedy, True)


def test_a_hostile_log_stays_small() -> None:
    lines = "\n".join(f"[1.0] ata{n}: hard resetting link" for n in range(5000))
    assert len(survey(parse(lines))) == DEVICE_CAP + 1


@given(
    st.lists(
        st.builds(
            lambda kind, data, status: Evidence(kind, "", data, "x", NOW, exit_status=status),
            st.sampled_from(["kernel-log", "dmesg", "journal-kernel", "tree"]),
            st.binary(max_size=200)
            | st.lists(
                st.sampled_from(
                    ["[ 1.0] ", "{", '{"MESSAGE": ', "[1]}", "CPU 0: Bank 7: ffffffffffffffff", "ata1: ", "\n"]
                    + [literal for family in families() for literal, _ in family.patterns]
                ),
                max_size=12,
            ).map(lambda parts: "".join(parts).encode()),
            st.sampled_from([None, 0, 1, -9]),
        ),
        max_size=3,
    )
)
def test_anything_may_be_evidence(evidence: list[Evidence]) -> None:
    items = list(PROBE.interpret(evidence))
    for item in items:
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
    list(messages(Readings(r for r in items if isinstance(r, Reading))))


@pytest.mark.parametrize(("transport", "verdict"), [("usb", Verdict.UNKNOWN), ("sata", Verdict.FAIL)])
def test_a_drive_on_usb_is_no_part_of_the_unit(transport: str, verdict: Verdict) -> None:
    seen = read(log("[ 1.0] critical medium error, dev sda, sector 8 op 0x0:(READ)\n"))
    told = Reading("storage.transport", transport, "", ComponentKind.STORAGE_DEVICE, "sda", "sysfs", NOW)
    (finding,) = messages(Readings([*seen, told]))
    assert (finding.code, finding.verdict) == ("LOG-8400", verdict)
