"""Memory that gives back something else than was written."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

MEMTESTER = "memtester 16M 1 2>&1 | tr '\\b' '\\n' | grep -m 5 FAILURE"


@scenario(
    "memory",
    customer="Programs crash at random, and a photo that I saved is damaged.",
    symptom="memory-errors",
    expected=[Expected("MEM-3908", "memory-module", "critical")],
)
def stuck_memory_bit(aio: VirtualAio, check: Check) -> None:
    """Bits of the memory are stuck at 1."""
    with aio.memory.stuck_bit():
        said = aio.guest.shell(MEMTESTER).out
        proven("FAILURE" in said, "memtester reads something else than it wrote", said)
        check()
