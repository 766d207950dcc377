"""Memory that the guest's kernel keeps its hands off: registers of emulated hardware, and what outlives a restart.

Everything that needs some of it has its place here.
"""

from __future__ import annotations

BASE = 0x30000000
"""Well below the top of the memory, where the kernel finds its initial RAM disk."""
SIZE = 0x100000
RESERVED = f"memmap={SIZE >> 10}K${BASE:#x}"
"""The word of the kernel's command line."""

COOLING = BASE
"""Dwords: temperature (0.1 K), duty of the fan (%), its speed (rpm)."""
BACKLIGHT = BASE + 0x1000
"""A dword: the level (%)."""
MEMORY_CONTROLLER = BASE + 0x10000
"""Of a memory controller with ECC: 16 KiB, as its registers are."""
BOOT_ERROR = BASE + 0x2000
BOOT_ERROR_SIZE = 0x1000
"""What firmware has kept of the error that ended the session before (:mod:`tests.bench.hardware.boot_error`)."""
FIRMWARE_ERROR = BASE + 0x3000
FIRMWARE_ERROR_SIZE = 0x1000
"""What firmware says of an error while the system runs (:mod:`tests.bench.hardware.firmware_error`)."""

CRASH_RECORDS = BASE + 0x80000
"""Of pstore (ramoops), over a restart."""
CRASH_RECORDS_SIZE = 0x40000
