"""Faults of drives that no look at the unit shows: reading, writing or the drive's own test finds them."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario
from tests.bench.scenarios.exercised import meanwhile

ROOMY = {"storage": {"nvme": [{"serial": "S6BNNX0T512417", "mib": 2048}]}}
"""A drive with room enough for the agent to write to: it leaves half a GiB free."""
STATE = "/var/lib/aiodiag"
SECTOR_B, AHEAD_B = 512, 16 << 20
"""Bytes of a sector, and how far ahead of what was written the drive begins to fail."""


@scenario(
    "tested",
    "storage",
    customer="Some photos cannot be opened any more.",
    tests=["storage_read"],
    expected=[Expected("DISK-1509", "storage-device", "critical", "nvme0")],
    tolerated=["LOG-8400"],  # the kernel's message of the same
)
def sectors_found_by_reading(aio: VirtualAio, check: Check) -> None:
    """Two sectors of the drive, which nobody has read so far, cannot be read."""
    with aio.storage.nvme[0].medium.bad_sectors([2048, 2056]):
        check()
        read = aio.guest.run("dd", "if=/dev/nvme0n1", "of=/dev/null", "bs=4k", "skip=256", "count=1", "iflag=direct")
        proven(read.status == 1 and "error reading" in read.err, "dd cannot read them", read.err)


@scenario(
    "tested",
    "storage",
    customer="Now and then everything waits for the disk.",
    tests=["storage_read"],
    expected=[Expected("DISK-1514", "storage-device", "warning", "nvme0")],
)
def drive_slow_when_read(aio: VirtualAio, check: Check) -> None:
    """The drive gives a MiB a second."""
    with aio.storage.nvme[0].medium.limited(bps_total=1 << 20):
        read = aio.guest.run("dd", "if=/dev/nvme0n1", "of=/dev/null", "bs=1M", "count=4", "iflag=direct").err
        seconds = float(read.rsplit("copied, ")[-1].split(" s")[0])
        proven(seconds > 1.0, "dd takes more than a second for 4 MiB", read)
        check()


@scenario(
    "tested",
    "storage",
    "sata",
    customer="Your support had me run the disk's own test, and it says that it failed.",
    tests=["smart_selftest"],
    seconds=130.0,
    expected=[Expected("DISK-1546", "storage-device", "critical", "sda")],
    tolerated=["DISK-1162"],  # the drive's log of its self-tests says the same
    personality="aio-24-sata",
)
def self_test_fails(aio: VirtualAio, check: Check) -> None:
    """The drive's own test, when it is told to make one, ends at a sector that cannot be read."""
    with aio.storage.sata[0].failing_self_tests():
        aio.guest.run("smartctl", "-t", "short", "/dev/sda").check()
        time.sleep(1.0)
        said = aio.guest.run("smartctl", "-l", "selftest", "/dev/sda").out
        proven("Completed: read failure" in said, "smartctl shows that a test failed", said)
        check()


@scenario(
    "tested",
    "storage",
    customer="A file that I saved yesterday is full of rubbish today.",
    tests=["storage_write"],
    seconds=30.0,
    expected=[Expected("DISK-1523", "storage-device", "critical", "nvme0")],
    changes=ROOMY,
)
def drive_gives_back_something_else(aio: VirtualAio, check: Check) -> None:
    """Bits of what was just written turn over on the drive, and it tells nobody."""
    _keep_state_on_the_drive(aio)
    drive = aio.storage.nvme[0]

    def turn_over() -> None:
        at = _where_it_writes(aio)
        before = _read(aio, at)
        drive.medium.turn_over(at + 1000)
        proven(_read(aio, at) != before, "dd reads something else than before")

    with meanwhile(aio, turn_over):
        check()


@scenario(
    "tested",
    "storage",
    customer="Saving fails now and then, although there is room.",
    tests=["storage_write"],
    seconds=30.0,
    expected=[Expected("DISK-1538", "storage-device", "critical", "nvme0")],
    tolerated=["LOG-8400", "LOG-8413"],  # the kernel's messages of the same
    changes=ROOMY,
)
def drive_cannot_write(aio: VirtualAio, check: Check) -> None:
    """Some places of the drive cannot be written to."""
    _keep_state_on_the_drive(aio)
    with ExitStack() as there:

        def wear_out() -> None:
            begin = (_where_it_writes(aio) + AHEAD_B) // SECTOR_B
            places = range(begin, begin + AHEAD_B // SECTOR_B * 4, AHEAD_B // SECTOR_B // 8)
            there.enter_context(aio.storage.nvme[0].medium.bad_sectors(places, on="write"))

        with meanwhile(aio, wear_out):
            check()
    said = aio.guest.out("dmesg")
    proven("op 0x1:(WRITE)" in said, "the kernel tells of writes that failed", said)


def _keep_state_on_the_drive(aio: VirtualAio) -> None:
    """The agent's state lies on the all-in-one's own drive, as it would."""
    device = f"/dev/{aio.storage.nvme[0].handle}n1"
    aio.guest.shell(f"mkfs.ext4 -q -F {device} && mkdir -p {STATE} && mount {device} {STATE}").check()


def _read(aio: VirtualAio, at: int) -> str:
    """A digest of the block there, as the drive gives it now."""
    device = f"/dev/{aio.storage.nvme[0].handle}n1"
    return aio.guest.shell(f"dd if={device} bs=4096 skip={at // 4096} count=1 iflag=direct | sha256sum").check().out


def _where_it_writes(aio: VirtualAio) -> int:
    """Bytes from the drive's beginning to the test's file, once some of it is written."""
    found = f"until file=$(find {STATE}/runs -name written -size +8M | grep .); do sleep 0.1; done"
    said = aio.guest.shell(f"{found}; filefrag -v -b4096 $file", timeout_s=120).check().out
    (first,) = re.findall(r"^ +0: +0\.\. +\d+: +(\d+)\.\.", said, re.MULTILINE)
    return int(first) * 4096
