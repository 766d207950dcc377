"""Machine checks: errors that the processor reports of itself, and of the memory behind it."""

from __future__ import annotations

import time

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.hardware.processor import CORRECTED_CACHE, CORRECTED_MEMORY, RECOVERABLE_CACHE
from tests.bench.machine.qemu import CPU
from tests.bench.scenario import Check, Expected, scenario

RECORDED = "until ras-mc-ctl --errors | grep -c bank= | grep -x {}; do sleep 0.2; done"

STANDS_S = 30.0
"""Longer than the kernel's patience by far, which is counted in ticks of the processor that is left."""

INTEL = {"processor": {"cpu": f"{CPU},vendor=GenuineIntel,family=6,model=158,stepping=10"}}
"""Linux lets no AMD processor of the emulated kind survive an uncorrected error."""


def _prove_records(aio: VirtualAio, count: int) -> None:
    ran = aio.guest.shell(RECORDED.format(count))
    proven(ran.status == 0, f"rasdaemon recorded {count} machine checks", aio.guest.out("ras-mc-ctl", "--errors"))


def prove_uncorrected(aio: VirtualAio) -> None:
    """The kernel survived an exception of the processor, and rasdaemon recorded what was wrong."""
    said = aio.guest.shell("until grep 'MCE: .* [1-9]' /proc/interrupts; do sleep 0.2; done; dmesg | grep mce:").out
    proven("Machine Check" in said, "the kernel survived the exception", said)
    said = aio.guest.shell("until ras-mc-ctl --errors | grep bank=; do sleep 0.2; done").out
    proven(f"{RECOVERABLE_CACHE:x}" in said, "rasdaemon recorded it", said)


@scenario(
    "processor",
    customer="I only wanted to see whether all is well.",
    expected=[Expected("LOG-8476", "cpu", "info")],
    never=["CPU-*", "MEM-*"],
)
def machine_check_corrected(aio: VirtualAio, check: Check) -> None:
    """The processor corrected one error in its cache: it is noted, and no reason to worry."""
    aio.processor.corrected_error(CORRECTED_CACHE)
    _prove_records(aio, 1)
    check()


@scenario(
    "processor",
    customer="Programs crash now and then.",
    symptom="freezes",
    expected=[Expected("LOG-8484", "memory-module", "warning")],
)
def machine_check_memory_corrected(aio: VirtualAio, check: Check) -> None:
    """The memory controller corrected an error of the memory."""
    aio.processor.corrected_error(CORRECTED_MEMORY)
    _prove_records(aio, 1)
    check()


@scenario(
    "processor",
    customer="It restarts by itself about once a week.",
    symptom="restarts",
    expected=[Expected("CPU-6031", "cpu", "warning")],
)
def machine_checks_corrected_many(aio: VirtualAio, check: Check) -> None:
    """The processor corrected errors in many of its units, more than come by chance."""
    for cpu in (0, 1):
        for bank in range(6):
            aio.processor.corrected_error(CORRECTED_CACHE, cpu=cpu, bank=bank)
    _prove_records(aio, 12)
    check()


@scenario(
    "processor",
    customer="A program closed by itself with an error.",
    symptom="memory-errors",
    expected=[Expected("LOG-8492", "memory-module", "critical"), Expected("MEM-3023", "memory-module", "critical")],
    # The processor's counter, its own message and rasdaemon's record of the same event.
    tolerated=["CPU-6002", "CPU-6028", "LOG-8468"],
    changes=INTEL,
)
def machine_check_page_lost(aio: VirtualAio, check: Check) -> None:
    """The content of a page of memory was lost; the kernel has given it up."""
    aio.processor.lose_page()
    said = aio.guest.shell("until dmesg | grep 'Memory failure:'; do sleep 0.2; done").out
    proven("Memory failure" in said, "the kernel took the page out of use", said)
    check()


@scenario(
    "processor",
    customer="It froze for half a minute, and then it went on.",
    symptom="freezes",
    expected=[Expected("LOG-8579", "motherboard", "warning")],
)
def processor_stood_still(aio: VirtualAio, check: Check) -> None:
    """One of the processors stood still for a while, and the kernel, told to wait for 5 s instead of 21, noticed."""
    aio.guest.write("/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout", "5")
    # Nobody misses a processor that has no work.
    aio.guest.start("/usr/bin/stress-ng", "--quiet", "--cpu", "2", "--timeout", "90")
    busy = "until test $(cat /proc/[0-9]*/comm | grep -c stress-ng-cpu) -ge 2; do sleep 0.2; done; sleep 2"
    aio.guest.shell(busy).check()
    with aio.power.processor_standing():
        time.sleep(STANDS_S)
    until_said = "until dmesg | grep -E 'INFO: rcu_.* stall|soft lockup'; do sleep 0.2; done"
    said = aio.guest.shell(until_said, timeout_s=60).out
    proven("stall" in said or "lockup" in said, "the kernel says that a processor did not answer", said)
    check()
