"""Memory with error correction: errors that its controller finds, as the kernel counts them (EDAC)."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.ecc import COUNTERS, EccError
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

RECORDED = "until ras-mc-ctl --errors | grep -c '{} error(s)' | grep -x {}; do sleep 0.2; done"
KINDS = {"ce": "Corrected", "ue": "Uncorrected"}


def prove_counted(aio: VirtualAio, which: str, count: int) -> None:
    """The kernel counts so many errors (``ce`` or ``ue``), and rasdaemon has recorded as many."""
    said = aio.guest.read(f"{COUNTERS}/{which}_count")
    proven(said == f"{count}\n", f"the kernel has counted {count} errors", said)
    ran = aio.guest.shell(RECORDED.format(KINDS[which], count))
    proven(ran.status == 0, f"rasdaemon recorded {count}", aio.guest.out("ras-mc-ctl", "--errors"))


@scenario("memory", customer="I only wanted to see whether all is well.", symptom="memory-errors", never=["MEM-*"])
def memory_with_ecc(aio: VirtualAio, check: Check) -> None:
    """None: the memory has ECC, and no error."""
    aio.ecc.fit()
    proven(aio.guest.read(f"{COUNTERS}/ce_count") == "0\n", "the kernel has counted no error")
    check()


@scenario(
    "memory",
    customer="A program closed by itself; else all is well.",
    symptom="memory-errors",
    # The kernel's counter, and rasdaemon's record of the same error.
    expected=[
        Expected("MEM-3014", "memory-module", "warning", "mc0"),
        Expected("MEM-3046", "memory-module", "warning"),
    ],
    never=["MEM-3009"],
)
def memory_error_corrected(aio: VirtualAio, check: Check) -> None:
    """The memory (ECC) had to correct an error."""
    aio.ecc.fit()
    aio.ecc.error(EccError.CORRECTED, rank=1)
    prove_counted(aio, "ce", 1)
    check()


@scenario(
    "memory",
    customer="Programs crash, and a file that I saved is damaged.",
    symptom="memory-errors",
    expected=[
        Expected("MEM-3009", "memory-module", "critical", "mc0"),
        Expected("MEM-3046", "memory-module", "warning"),
    ],
    never=["MEM-3014"],
)
def memory_error_uncorrected(aio: VirtualAio, check: Check) -> None:
    """The memory (ECC) has an error that could not be corrected."""
    aio.ecc.fit()
    aio.ecc.error(EccError.UNCORRECTED)
    prove_counted(aio, "ue", 1)
    check()
