"""Memory that gives back something else than was written."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.hardware.pcie import DRIVE_IN_GUEST
from tests.bench.scenario import Check, Expected, scenario

WARM_C = 61.0
"""A unit at rest has 36 °C, one that works with all its processors soon more than 65 °C."""
COLD_ROOM_C = -10.0
"""Even at work it stays below 40 °C there."""
MEMTESTER = "memtester 16M 1 2>&1 | tr '\\b' '\\n' | grep -m 5 FAILURE"


def _prove_stuck(aio: VirtualAio) -> None:
    said = aio.guest.shell(MEMTESTER).out
    proven("FAILURE" in said, "memtester reads something else than it wrote", said)


@scenario(
    "memory",
    customer="Programs crash at random, and a photo that I saved is damaged.",
    symptom="memory-errors",
    expected=[Expected("MEM-3908", "memory-module", "critical")],
)
def memory_bit_stuck(aio: VirtualAio, check: Check) -> None:
    """Bits of the memory are stuck at 1."""
    with aio.memory.stuck_bit():
        _prove_stuck(aio)
        check()


@scenario(
    "memory",
    "heat",
    customer="It works all morning, and when I really work with it, programs crash.",
    symptom="memory-errors",
    expected=[Expected("MEM-3908", "memory-module", "critical")],
)
def memory_bit_stuck_when_warm(aio: VirtualAio, check: Check) -> None:
    """Bits of the memory are stuck at 1 as long as the unit is warm."""
    with aio.memory.stuck_bit(when=lambda: aio.cooling.temperature > WARM_C):
        with aio.cooling.room(COLD_ROOM_C):
            aio.guest.run("/bin/sleep", "2")
            cold = aio.guest.run("/usr/sbin/memtester", "2M", "1")
        proven(cold.status == 0, f"memtester finds nothing at {aio.cooling.temperature:.0f} °C", cold.out + cold.err)
        load = "stress-ng --quiet --cpu 2 --timeout 60 & load=$!"
        said = aio.guest.shell(f"{load}; until {MEMTESTER}; do :; done; kill $load", timeout_s=120).out
        proven("FAILURE" in said, f"memtester finds it at {aio.cooling.temperature:.0f} °C", said)
        check()


@scenario(
    "memory",
    "pcie",
    customer="It crashes, and it is slow as well.",
    symptom="freezes",
    expected=[
        Expected("MEM-3908", "memory-module", "critical"),
        Expected("BUS-7003", "storage-device", "warning", DRIVE_IN_GUEST),
    ],
)
def two_faults_at_once(aio: VirtualAio, check: Check) -> None:
    """Bits of the memory are stuck at 1, and the drive is connected by one of its four lanes."""
    with aio.memory.stuck_bit(), aio.pcie.lanes_lost():
        _prove_stuck(aio)
        said = aio.guest.out("/usr/bin/lspci", "-vv", "-s", DRIVE_IN_GUEST)
        proven("Width x4" in said and "Width x1" in said, "lspci shows lanes that are not used", said)
        check()


@scenario(
    "memory",
    customer="Programs close by themselves.",
    symptom="freezes",
    expected=[Expected("LOG-8616", "memory-module", "info")],
    never=["MEM-*"],
)
def memory_full(aio: VirtualAio, check: Check) -> None:
    """A program took more memory than there is, and the system closed it: the memory is sound."""
    ran = aio.guest.run("/usr/bin/python3", "-c", "kept = [b'x' * (64 << 20) for _ in range(64)]")
    said = aio.guest.shell("dmesg | grep 'Out of memory: Killed process'").out
    proven(ran.status != 0 and said != "", "the kernel says which program it closed", said)
    check()
