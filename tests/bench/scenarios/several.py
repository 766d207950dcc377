"""Several faults at once, in parts that have nothing to do with each other: each is told, and none hides another."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario
from tests.bench.scenarios.processor import INTEL, prove_uncorrected

LEFT_MIB = 12
FILL = f"fallocate -l $(($(df -m --output=avail / | tail -n 1) - {LEFT_MIB}))M /var/tmp/fill"
MODULE = {"manufacturer": "Samsung", "part": "M471A1K43EB1-CWE", "mib": 1024, "speed": 3200}


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


@scenario(
    "processor",
    "memory",
    customer="Since you exchanged the board it is slow, and a program closed by itself.",
    symptom="freezes",
    # Of the machine check the processor's counter, and rasdaemon's record.
    expected=[
        Expected("MEM-3038", "memory-module", "warning"),
        Expected("CPU-6002", "cpu", "critical"),
        Expected("CPU-6028", "cpu", "critical"),
    ],
    tolerated=["LOG-8468"],  # the kernel's message of it
    changes={**INTEL, "identity": {"modules": [{**MODULE, "locator": f"DIMM {place}"} for place in "AB"]}},
)
def module_lost_and_machine_check(aio: VirtualAio, check: Check) -> None:
    """Firmware tells of two modules of 1 GiB each and hands over the memory of one; and the processor could not correct
    an error in its cache, which nothing had used yet, so that it went on.
    """
    fitted = aio.guest.shell("dmidecode -t 17 | grep -c 'Size: 1 GB'").out
    total = int(aio.guest.read("/proc/meminfo").split()[1])
    proven(fitted == "2\n" and total < 1 << 20, "dmidecode shows two modules, the kernel less than one", f"{total} kB")
    aio.processor.uncorrected_error()
    prove_uncorrected(aio)
    check()
