"""What QEMU's SATA drives say of their health, changed in QEMU's own tables: it has no other way.

The tables are those of hw/ide/core.c in QEMU 7.2: ``smart_attributes``, one for all drives of a machine, and in each
drive's ``IDEState`` one behind the other ``smart_errors``, ``smart_selftest_count`` and ``smart_selftest_data``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests.bench.machine.innards import Innards

READ_FAILURE = 7
"""Status of a self-test that a read error ended (ATA8-ACS 7.52.7, self-test execution status)."""


class Attribute(NamedTuple):
    """A row of the table: ``value`` and ``worst`` 0 to 253, higher is better; at or below ``threshold`` it fails."""

    number: int
    flags: int = 0x03
    value: int = 100
    worst: int = 100
    raw: int = 0
    threshold: int = 0

    def row(self) -> bytes:
        """As QEMU keeps it: twelve 32-bit numbers, each of which holds one byte."""
        raw = self.raw.to_bytes(6, "little")
        return struct.pack("<12I", self.number, self.flags, 0, self.value, self.worst, *raw, self.threshold)


ROW = 12 * 4
RAW_READ_ERRORS, SPIN_UP = Attribute(1, threshold=6), Attribute(3, raw=16)
LEAST_NEEDED = 12
"""Power cycles: its row makes room for an attribute that QEMU's drives do not have."""
ROWS = 8


class AttributeTable:
    """The attributes of all SATA drives of one machine."""

    def __init__(self, innards: Innards) -> None:
        self._innards = innards
        self._start = innards.the_only(RAW_READ_ERRORS.row() + SPIN_UP.row(), constant=True)

    @contextmanager
    def changed(self, attribute: Attribute) -> Iterator[None]:
        """One attribute is as given, in place of what the table says of it."""
        table = self._innards.read(self._start, ROWS * ROW)
        numbers = [struct.unpack_from("<I", table, ROW * row)[0] for row in range(ROWS)]
        wanted = attribute.number if attribute.number in numbers else LEAST_NEEDED
        at = self._start + ROW * numbers.index(wanted)
        before = self._innards.read(at, ROW)
        self._innards.write(at, attribute.row())
        try:
            yield
        finally:
            self._innards.write(at, before)


class SelfTest(NamedTuple):
    """An entry of the self-test log. ``kind`` 1 is short, 2 extended; ``status`` 0 passed, else see the standard;
    ``hours`` is the drive's age then, ``lba`` where it stopped.
    """

    kind: int
    status: int = 0
    hours: int = 0x1234
    lba: int = 0

    def entry(self) -> bytes:
        """24 bytes (ATA8-ACS, SMART self-test log). With a failure 90 % were left."""
        status = self.status << 4 | (9 if self.status else 0)
        return struct.pack("<BBHBI15x", self.kind, status, self.hours, 0, self.lba)


LOG_HEAD, ENTRY, LOG_SIZE = 2, 24, 512
PASSED_TESTS = (SelfTest(1), SelfTest(2), SelfTest(1), SelfTest(1), SelfTest(2))
"""A row of tests that nobody runs by chance: after them the drive's log is found by its content."""


class DriveState:
    """What one drive keeps: whether its verdict is FAILED, and its self-test log. It is found once the guest has had
    the drive run :data:`PASSED_TESTS`, and then it is emptied.
    """

    def __init__(self, innards: Innards) -> None:
        self._innards = innards
        self._log = innards.the_only(bytes(LOG_HEAD) + b"".join(test.entry() for test in PASSED_TESTS))
        self._pointer = innards.the_only(struct.pack("<Q", self._log))
        self.keep([])

    def keep(self, tests: Sequence[SelfTest]) -> None:
        """The log holds these tests, the newest last."""
        data = bytes(LOG_HEAD) + b"".join(test.entry() for test in tests)
        self._innards.write(self._log, data.ljust(LOG_SIZE, b"\0"))
        self._innards.write(self._pointer - 8, bytes([len(tests)]))

    def fail_newest(self, status: int) -> None:
        """Give the newest test of the log, where there is one, this status."""
        (count,) = self._innards.read(self._pointer - 8, 1)
        if count:
            at = self._log + LOG_HEAD + (count - 1) * ENTRY + 1
            self._innards.write(at, bytes([status << 4 | 9]))

    def count_errors(self, errors: int) -> None:
        """Above 0 the drive's own verdict is FAILED, and its error log has that many entries."""
        self._innards.write(self._pointer - 12, struct.pack("<i", errors))
