"""A SATA drive that fails, beside an NVMe drive that is sound."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.hardware.sata_smart import READ_FAILURE, Attribute, SelfTest
from tests.bench.scenario import Check, Expected, scenario

DRIVE = "storage-device"
MACHINE = "aio-24-sata"


@scenario("healthy", "storage", "sata", customer="I only wanted to see whether all is well.", personality=MACHINE)
def healthy_with_two_drives(aio: VirtualAio, check: Check) -> None:
    """None; the inventory names both drives of the unit."""
    named = {part.name: part for part in check().parts("storage-device")}
    nvme, sata = aio.storage.nvme[0], aio.storage.sata[0]
    assert named[nvme.handle].serial == nvme.serial, named
    assert (named[sata.handle].serial, named[sata.handle].model) == (sata.serial, sata.model), named
    assert "HDD" in named[sata.handle].description, named


@scenario(
    "storage",
    "sata",
    customer="The disk makes odd noises.",
    symptom="slow-disk",
    expected=[Expected("DISK-1029", DRIVE, "critical", "sda"), Expected("DISK-1124", DRIVE, "warning", "sda")],
    personality=MACHINE,
)
def sata_attribute_failing(aio: VirtualAio, check: Check) -> None:
    """The reserve for bad sectors is past the limit at which the maker expects failure; the verdict is still PASSED."""
    with aio.storage.sata[0].attribute(Attribute(5, value=20, worst=20, raw=1800, threshold=36)):
        said = aio.guest.run("smartctl", "-H", "-A", "/dev/sda").out
        proven("PASSED" in said and "FAILING_NOW" in said, "smartctl shows the attribute failing", said)
        check()


@scenario(
    "storage",
    "sata",
    customer="At every start it says that the disk is about to fail.",
    symptom="slow-disk",
    expected=[Expected("DISK-1010", DRIVE, "critical", "sda")],
    personality=MACHINE,
)
def sata_verdict_failed(aio: VirtualAio, check: Check) -> None:
    """The drive's own overall verdict is FAILED."""
    with aio.storage.sata[0].verdict_failed():
        said = aio.guest.run("smartctl", "-H", "/dev/sda").out
        proven("result: FAILED!" in said, "smartctl shows FAILED", said)
        check()


@scenario(
    "storage",
    "sata",
    customer="Your support had me run a disk test, and it stopped in the middle.",
    symptom="slow-disk",
    expected=[Expected("DISK-1162", DRIVE, "critical", "sda")],
    personality=MACHINE,
)
def sata_self_test_failed(aio: VirtualAio, check: Check) -> None:
    """The drive's last extended self-test stopped at a sector that it could not read."""
    with aio.storage.sata[0].self_tests(SelfTest(1), SelfTest(2, READ_FAILURE, lba=123_456)):
        said = aio.guest.run("smartctl", "-l", "selftest", "/dev/sda").out
        proven("Completed: read failure" in said and "123456" in said, "smartctl shows the failed test", said)
        check()


@scenario(
    "storage",
    "sata",
    customer="Now and then it stops for a second.",
    symptom="slow-disk",
    expected=[Expected("DISK-1108", DRIVE, "warning", "sda")],
    personality=MACHINE,
)
def sata_pending_sectors(aio: VirtualAio, check: Check) -> None:
    """Eight sectors wait for their replacement, and nothing says that data was lost."""
    with aio.storage.sata[0].attribute(Attribute(197, raw=8)):
        said = aio.guest.run("smartctl", "-A", "/dev/sda").out
        proven("Current_Pending_Sector" in said, "smartctl shows them", said)
        check()


@scenario(
    "storage",
    "sata",
    customer="Some files do not open, and a disk test stopped in the middle.",
    symptom="slow-disk",
    expected=[Expected("DISK-1119", DRIVE, "critical", "sda"), Expected("DISK-1162", DRIVE, "critical", "sda")],
    personality=MACHINE,
)
def sata_data_lost(aio: VirtualAio, check: Check) -> None:
    """Eight sectors wait for their replacement, and the drive's own test stopped at one of them."""
    drive = aio.storage.sata[0]
    with drive.attribute(Attribute(197, raw=8)), drive.self_tests(SelfTest(2, READ_FAILURE, lba=123_456)):
        said = aio.guest.run("smartctl", "-A", "-l", "selftest", "/dev/sda").out
        proven("Current_Pending_Sector" in said and "read failure" in said, "smartctl shows both", said)
        check()


@scenario(
    "storage",
    "sata",
    customer="Some files do not open.",
    symptom="slow-disk",
    expected=[Expected("LOG-8413", DRIVE, "warning", "sda")],
    # A drive that says itself that it cannot read has no bad cable.
    never=["LOG-8421"],
    personality=MACHINE,
)
def sata_read_errors(aio: VirtualAio, check: Check) -> None:
    """Reading two sectors fails, and programs have tried. QEMU's drive says "aborted", not "uncorrectable"."""
    with aio.storage.sata[0].medium.bad_sectors([2048, 2056]):
        read = aio.guest.shell("dd if=/dev/sda of=/dev/null bs=4k skip=256 count=8 iflag=direct")
        log = aio.guest.shell("dmesg | grep 'I/O error, dev sda'").out
        proven(read.status == 1 and log != "", "dd fails, and the kernel tells of it", read.err)
        check()


@scenario(
    "storage",
    "sata",
    customer="It stands still for some seconds now and then.",
    symptom="freezes",
    expected=[Expected("LOG-8421", DRIVE, "warning", "ata1")],
    personality=MACHINE,
)
def sata_hung(aio: VirtualAio, check: Check) -> None:
    """The drive did not answer until the kernel had reset its link; then it went on."""
    waiting = "until dmesg | grep -q 'ata1: hard resetting link'; do sleep 0.1; done"
    with aio.storage.sata[0].hung():
        aio.guest.start("/bin/dd", "if=/dev/sda", "of=/dev/null", "bs=4k", "count=1", "iflag=direct")
        reset = aio.guest.shell(waiting, timeout_s=60)
        proven(reset.status == 0, "the kernel resets the link")
    aio.guest.shell("while pidof dd; do sleep 0.1; done", timeout_s=60).check()
    check()


@scenario(
    "storage",
    "sata",
    customer="The second disk does not open, and everything waits for it.",
    symptom="slow-disk",
    expected=[Expected("DISK-1007", DRIVE, "critical", "sda")],
    tolerated=["LOG-8413", "LOG-8421", "LOG-8437"],  # what the kernel says of it, as soon as it has lost patience
    personality=MACHINE,
)
def sata_silent(aio: VirtualAio, check: Check) -> None:
    """The drive answers no question."""
    with aio.storage.sata[0].hung():
        aio.guest.start("/usr/sbin/smartctl", "-i", "/dev/sda")
        said = aio.guest.shell("sleep 2; grep -l 'Name:.smartctl' /proc/[0-9]*/status | xargs grep -h State").out
        proven("D (disk sleep)" in said, "smartctl waits in the kernel for the drive", said)
        check()
