"""Several faults at once, in parts that have nothing to do with each other: each is told, and none hides another."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

LEFT_MIB = 12
FILL = f"fallocate -l $(($(df -m --output=avail / | tail -n 1) - {LEFT_MIB}))M /var/tmp/fill"


@scenario(
    "storage",
    "nvme",
    customer="Nothing can be saved any more, and after the power cut the newest files were gone.",
    symptom="slow-disk",
    expected=[
        Expected("DISK-1402", "storage-device", "warning", "/"),
        Expected("DISK-1345", "storage-device", "critical", "nvme0"),
    ],
)
def full_and_damaged(aio: VirtualAio, check: Check) -> None:
    """The file system is full but for 12 MiB, and the NVMe drive can no longer save its volatile memory when the power
    goes (critical warning, bit 4).
    """
    said = aio.guest.shell(f"{FILL}; df --output=pcent / | tail -n 1").check().out
    proven(said.strip() in ("99%", "100%"), "df shows that it is full", said)
    with aio.storage.nvme[0].warning(0b10000):
        said = aio.guest.run("smartctl", "-H", "/dev/nvme0").out
        proven("volatile memory backup device has failed" in said, "smartctl tells of it", said)
        check()
