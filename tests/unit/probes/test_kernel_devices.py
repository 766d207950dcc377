"""Which drive a port is follows from what the log itself says, and from nothing else."""

from __future__ import annotations

import pytest

from agent.probes._kernel_devices import DEVICES_MOST, Devices, Named

MODEL = "ata{port}.00: ATA-9: {model}, 01.01A01, max UDMA/133"
INQUIRY = "scsi {host}:0:0:0: Direct-Access     ATA      {model} 1A01 PQ: 0 ANSI: 5"
DISK = "sd {host}:0:0:0: [{disk}] 1953525168 512-byte logical blocks: (1.00 TB/932 GiB)"
WDC, SHORT = "WDC WD10EZEX-00BN5A0", "WDC WD10EZEX-00B"


def hear(*lines: str) -> Devices:
    devices = Devices()
    for line in lines:
        devices.hear(line)
    return devices


def of(port: int, host: int, disk: str, model: str = WDC) -> list[str]:
    return [
        MODEL.format(port=port, model=model),
        INQUIRY.format(host=host, model=model[:16]),
        DISK.format(host=host, disk=disk),
    ]


def test_by_the_model() -> None:
    devices = hear(*of(3, 2, "sdb"), *of(5, 4, "sda", "ST1000DM003-1ER162"))
    assert devices.named("ata3") == Named("sdb", WDC)
    assert devices.named("sdb") == Named("sdb", WDC)
    assert devices.named("2:0:0:0") == Named("sdb", WDC)
    assert devices.named("ata5") == Named("sda", "ST1000DM003-1ER162")


def test_drives_of_one_model_by_their_order() -> None:
    devices = hear(*of(1, 0, "sda"), *of(10, 9, "sdc"), *of(2, 1, "sdb"))
    assert [devices.named(port).drive for port in ("ata1", "ata2", "ata10")] == ["sda", "sdb", "sdc"]


def test_a_drive_that_is_missing_in_the_log_leaves_its_twins_unnamed() -> None:
    devices = hear(*of(1, 0, "sda"), MODEL.format(port=2, model=WDC))
    assert devices.named("ata1") == Named("", WDC)


def test_by_errors_that_were_handled_together() -> None:
    failed = "sd {}:0:0:0: [{}] tag#16 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=7s"
    lines = ["ata25.00: error: { UNC }", failed.format(24, "sdc"), "ata25: EH complete", failed.format(30, "sdd")]
    devices = hear(*lines)
    assert devices.named("ata25").drive == "sdc"
    assert devices.named("sdd") == Named("sdd")
    mixed = hear(*lines, "ata7.00: error: { UNC }", failed.format(24, "sdc"))
    assert mixed.named("ata25") == Named(), "two ports are handled at once: which it is, is not told"


def test_a_host_of_several_drives_tells_nothing() -> None:
    failed = "sd 6:0:{}:0: [{}] tag#1 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK"
    devices = hear("ata7.00: error: { UNC }", failed.format(1, "sdb"), "ata7: EH complete", failed.format(2, "sdc"))
    assert devices.named("ata7") == Named()
    assert devices.named("sdc") == Named("sdc")


def test_what_is_on_usb() -> None:
    devices = hear("scsi host6: uas", "sd 6:0:0:0: [sdb] Attached SCSI disk", *of(1, 0, "sda"))
    assert devices.named("sdb").on_usb
    assert not devices.named("sda").on_usb


def test_an_nvme_drive_by_its_slot() -> None:
    assert hear("nvme nvme0: pci function 0000:02:00.0").named("0000:02:00.0") == Named("nvme0")


@pytest.mark.parametrize("device", ["", "ata1", "sda", "thermal_zone0", "0000:02:00.0"])
def test_nothing_is_known_of_a_device_that_the_log_does_not_tell_of(device: str) -> None:
    assert hear().named(device) == Named()


def test_a_hostile_log_stays_small() -> None:
    lines = [line for n in range(5000) for line in of(n, n, "sda")]
    assert len(hear(*lines)._ata_models) == DEVICES_MOST
