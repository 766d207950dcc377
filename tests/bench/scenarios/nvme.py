"""An NVMe drive that fails, in the ways in which such drives do."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

DRIVE = "storage-device"


@scenario(
    "storage",
    "nvme",
    customer="A message says that the disk is nearly worn out.",
    symptom="slow-disk",
    expected=[Expected("DISK-1300", DRIVE, "critical", "nvme0")],
)
def nvme_spare_used_up(aio: VirtualAio, check: Check) -> None:
    """The drive's spare is below its threshold (critical warning, bit 0)."""
    with aio.storage.nvme[0].warning(0b00001):
        said = aio.guest.run("smartctl", "-H", "/dev/nvme0").out
        proven("available spare has fallen below threshold" in said, "smartctl tells of the spare", said)
        check()


@scenario(
    "storage",
    "nvme",
    customer="It got very slow since last week, and some files do not open.",
    symptom="slow-disk",
    expected=[Expected("DISK-1321", DRIVE, "critical", "nvme0")],
)
def nvme_reliability_degraded(aio: VirtualAio, check: Check) -> None:
    """The drive says that its reliability is degraded (critical warning, bit 2)."""
    with aio.storage.nvme[0].warning(0b00100):
        said = aio.guest.run("smartctl", "-H", "/dev/nvme0").out
        proven("reliability has been degraded" in said, "smartctl tells of the reliability", said)
        check()


@scenario(
    "storage",
    "nvme",
    customer="Nothing that I save is there the next day.",
    symptom="slow-disk",
    expected=[Expected("DISK-1337", DRIVE, "critical", "nvme0")],
)
def nvme_read_only(aio: VirtualAio, check: Check) -> None:
    """The drive has made itself read-only (critical warning, bit 3)."""
    with aio.storage.nvme[0].warning(0b01000):
        said = aio.guest.run("smartctl", "-H", "/dev/nvme0").out
        proven("read only mode" in said, "smartctl tells of it", said)
        check()


@scenario(
    "storage",
    "nvme",
    customer="Copying large files begins fast and then crawls.",
    symptom="overheats",
    expected=[Expected("DISK-1313", DRIVE, "critical", "nvme0")],
)
def nvme_too_hot(aio: VirtualAio, check: Check) -> None:
    """The drive is at 88 C, above its own limit of 70 C."""
    with aio.storage.nvme[0].temperature(88):
        said = aio.guest.run("smartctl", "-H", "-A", "/dev/nvme0").out
        proven("88 Celsius" in said and "FAILED" in said, "smartctl shows 88 C and the drive's warning", said)
        check()


@scenario(
    "storage",
    "nvme",
    customer="Some photos do not open any more.",
    symptom="slow-disk",
    expected=[Expected("LOG-8400", DRIVE, "critical", "nvme0")],
)
def nvme_bad_sectors(aio: VirtualAio, check: Check) -> None:
    """The drive cannot read two of its sectors back, and programs have tried."""
    with aio.storage.nvme[0].medium.bad_sectors([2048, 2056]):
        read = aio.guest.shell("dd if=/dev/nvme0n1 of=/dev/null bs=4k skip=256 count=8 iflag=direct")
        log = aio.guest.shell("dmesg | grep 'critical medium error, dev nvme0n1'").out
        proven(read.status == 1 and log != "", "dd fails, and the kernel tells of a medium error", read.err)
        check()


@scenario(
    "storage", "nvme", customer="Everything takes ages, but it works.", symptom="slow-disk", never=["DISK-*", "LOG-84*"]
)
def nvme_slow(aio: VirtualAio, check: Check) -> None:
    """The drive does 50 reads a second, a hundredth of a healthy one.

    Nothing measures that yet: the agent must not make up another cause.
    """
    with aio.storage.nvme[0].medium.limited(iops_total=50):
        words = "--readonly --rw=randread --bs=4k --direct=1 --ioengine=psync --time_based --runtime=3 --minimal"
        said = aio.guest.shell(f"fio --name=slow --filename=/dev/nvme0n1 {words}").check().out
        reads_per_second = int(said.split(";")[7])
        proven(reads_per_second < 100, "fio measures it", said)
        check()


@scenario(
    "storage",
    "nvme",
    customer="It stands still for some seconds now and then.",
    symptom="freezes",
    expected=[Expected("LOG-8437", DRIVE, "warning", "nvme0")],
)
def nvme_hung(aio: VirtualAio, check: Check) -> None:
    """The drive did not answer until the driver reset it; then it went on."""
    with aio.storage.nvme[0].hung():
        aio.guest.shell("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 iflag=direct", timeout_s=60).check()
        log = aio.guest.shell("dmesg | grep 'nvme nvme0: .*reset'").out
        proven(log != "", "the kernel tells of the reset")
        check()


@scenario(
    "storage",
    "nvme",
    customer="It froze, and after that nothing could be opened any more.",
    symptom="freezes",
    expected=[Expected("LOG-8445", DRIVE, "critical", "nvme0")],
    # What was being read when the driver waited, and when it gave up.
    tolerated=["LOG-8413", "LOG-8437"],
)
def nvme_dead(aio: VirtualAio, check: Check) -> None:
    """The drive has stopped answering for good, and the kernel has removed it."""
    with aio.storage.nvme[0].dead():
        read = aio.guest.shell("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 iflag=direct", timeout_s=90)
        gone = aio.guest.shell("while test -e /dev/nvme0; do sleep 0.1; done", timeout_s=90)
        proven(read.status == 1 and gone.status == 0, "dd fails, and the drive has gone", read.err)
        checked = check()
    assert checked.outcomes["probe.storage"] == "unsupported", checked.outcomes


@scenario("storage", "nvme", customer="It does not find Windows any more.", symptom="slow-disk", status=3)
def nvme_removed(aio: VirtualAio, check: Check) -> None:
    """The only drive was taken out of its slot. Nothing tells that there was one, so nothing can be judged."""
    with aio.storage.nvme[0].removed():
        said = aio.guest.out("lspci")
        proven("Non-Volatile memory controller" not in said, "lspci does not find it", said)
        checked = check()
    assert checked.outcomes["probe.storage"] == "unsupported", checked.outcomes


@scenario(
    "storage",
    "nvme",
    customer="It is slow, and some files on the second disk do not open.",
    symptom="slow-disk",
    expected=[Expected("DISK-1321", DRIVE, "critical", "nvme0"), Expected("LOG-8413", DRIVE, "warning", "sda")],
    # A drive that says itself that it cannot read has no bad cable.
    never=["LOG-8421"],
    personality="aio-24-sata",
)
def two_drives_fail(aio: VirtualAio, check: Check) -> None:
    """The NVMe drive says that its reliability is degraded, and the SATA drive has bad sectors."""
    with aio.storage.nvme[0].warning(0b00100), aio.storage.sata[0].medium.bad_sectors([2048]):
        said = aio.guest.run("smartctl", "-H", "/dev/nvme0").out
        proven("reliability has been degraded" in said, "smartctl tells of the reliability", said)
        read = aio.guest.shell("dd if=/dev/sda of=/dev/null bs=4k skip=256 count=8 iflag=direct")
        proven(read.status == 1 and "Input/output error" in read.err, "dd fails", read.err)
        check()


@scenario(
    "storage",
    "nvme",
    customer="Saving a file takes minutes, and then it goes on.",
    symptom="slow-disk",
    expected=[Expected("LOG-8669", DRIVE, "info")],
    never=["DISK-*", "LOG-84*"],
)
def nvme_stands_still(aio: VirtualAio, check: Check) -> None:
    """The drive takes 16 s for one write, less than the driver's patience. The kernel is told to report programs that
    wait for 3 s instead of 2 minutes.
    """
    aio.guest.write("/proc/sys/kernel/hung_task_timeout_secs", "3")
    write = "dd if=/dev/zero of=/dev/nvme0n1 bs=64k count=1 conv=fsync"
    with aio.storage.nvme[0].medium.limited(bps_total=4096):
        aio.guest.shell(f"{write}; {write}", timeout_s=90).check()
    said = aio.guest.shell("dmesg | grep 'blocked for more than'").out
    proven("task dd:" in said, "the kernel says which program waits", said)
    check()
