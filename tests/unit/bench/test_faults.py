"""What the bench puts into memory, processor and debugger."""

from __future__ import annotations

import pytest

from agent.probes._kernel_messages import machine_check
from tests.bench.hardware import boot_error, firmware_error, processor, registers
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
    assert registers.BOOT_ERROR + registers.BOOT_ERROR_SIZE <= registers.FIRMWARE_ERROR
    assert registers.FIRMWARE_ERROR + registers.FIRMWARE_ERROR_SIZE <= registers.CRASH_RECORDS
    assert registers.CRASH_RECORDS + registers.CRASH_RECORDS_SIZE <= registers.BASE + registers.SIZE


def test_the_boot_error_record_adds_up() -> None:
    section = boot_error.memory_error()
    block = boot_error.status_block(section)
    assert len(section) == 80  # UEFI 2.10, table N.31
    assert len(block) == 20 + 72 + len(section)  # ACPI 6.5, tables 18.13 and 18.14
    assert int.from_bytes(block[12:16], "little") == len(block) - 20
    assert len(block) < registers.BOOT_ERROR_SIZE


def test_the_source_of_errors_adds_up() -> None:
    described = firmware_error.source()
    assert len(described) == 64  # ACPI 6.5, table 18.11
    assert described[32:34] == bytes([0, 28])  # polled; the length of table 18.14
    assert len(boot_error.status_block(boot_error.memory_error())) <= firmware_error.BLOCK_SIZE
