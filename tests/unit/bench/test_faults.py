"""What the bench puts into memory, processor and debugger."""

from __future__ import annotations

import pytest

from agent.probes._kernel_messages import machine_check
from tests.bench.hardware import processor, registers
from tests.bench.hardware.memory import PAGE, is_pattern
from tests.bench.machine.debugger import packet


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (bytes.fromhex("55aa") * (PAGE // 2), True),
        (bytes.fromhex("ff") + bytes.fromhex("f7") * (PAGE - 1), True),  # with the stuck bit in it
        (bytes(PAGE), False),  # what the kernel hands out
        (bytes(range(256)) * 8 + bytes(PAGE // 2), False),  # somebody's data
    ],
)
def test_only_a_testers_pattern_is_hit(page: bytes, expected: bool) -> None:
    assert is_pattern(page) is expected


def test_a_debuggers_packet() -> None:
    assert packet("Hg01") == b"$Hg01#10"  # 0x48 + 0x67 + 0x30 + 0x31 = 0x110


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (processor.CORRECTED_MEMORY, "corrected memory"),
        (processor.CORRECTED_CACHE, "corrected processor"),
        (processor.RECOVERABLE, "uncorrected memory"),
        (processor.FATAL, "uncorrected memory"),
    ],
)
def test_machine_checks_mean_what_they_are_called(status: int, meaning: str) -> None:
    assert machine_check(status) == meaning


def test_reserved_memory_holds_the_crash_records() -> None:
    assert registers.RESERVED == "memmap=1024K$0x30000000"
    assert registers.BASE <= registers.CRASH_RECORDS
    assert registers.CRASH_RECORDS + registers.CRASH_RECORDS_SIZE <= registers.BASE + registers.SIZE
