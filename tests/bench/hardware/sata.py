"""A SATA drive, and what can become of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.hardware.medium import Medium
from tests.bench.hardware.part import again_and_again
from tests.bench.hardware.sata_smart import (
    PASSED_TESTS,
    READ_FAILURE,
    Attribute,
    AttributeTable,
    DriveState,
    SelfTest,
)
from tests.bench.machine import Channel, Qemu
from tests.bench.machine.innards import Innards

CONTROLLER = "00:1f.2"
"""The AHCI controller of the q35 board."""
FAILS_WITHIN_S = 0.1
"""QEMU's drives pass at once; this long after that they have failed."""
PATIENCE_S, USUAL_PATIENCE_S = 5, 30
"""How long the kernel waits for a command: where a fault makes it wait, and else (SD_TIMEOUT in drivers/scsi/sd.h)."""


class SataDrive:
    """``sda`` and so on in the guest. ``table`` has ``serial``, and ``model``, ``ver`` (firmware) and
    ``rotation_rate`` (rpm; 1 for a solid-state drive) where they are not QEMU's own.
    """

    def __init__(self, number: int, table: dict[str, Any], folder: Path) -> None:
        self.number = number
        self.serial = str(table["serial"])
        self.model = str(table.get("model", "QEMU HARDDISK"))
        self.handle = f"sd{'abcdef'[number]}"
        self.medium = Medium(f"sata{number}", folder)
        self._table = table

    def arguments(self) -> list[str]:
        """Medium and drive, on a port of its own."""
        known = ("model", "serial", "ver", "rotation_rate")
        words = "".join(f",{key}={self._table[key]}" for key in known if key in self._table)
        drive = f"ide-hd,bus=ide.{self.number},id=sd{self.number},drive={self.medium.name}{words}"
        return [*self.medium.arguments(), "-device", drive]

    def attach(self, qemu: Qemu, guest: Channel) -> None:
        """The machine runs."""
        self._qemu, self._guest = qemu, guest
        self.medium.attach(qemu)

    @contextmanager
    def attribute(self, attribute: Attribute) -> Iterator[None]:
        """A SMART attribute is as given (in every SATA drive of the machine)."""
        with AttributeTable(self._innards()).changed(attribute):
            yield

    @contextmanager
    def verdict_failed(self) -> Iterator[None]:
        """The drive's own overall verdict is FAILED."""
        state = self._state()
        state.count_errors(1)
        try:
            yield
        finally:
            state.count_errors(0)

    @contextmanager
    def self_tests(self, *tests: SelfTest) -> Iterator[None]:
        """The drive's self-test log holds these, the newest last."""
        state = self._state()
        state.keep(tests)
        try:
            yield
        finally:
            state.keep([])

    @contextmanager
    def failing_self_tests(self) -> Iterator[None]:
        """Every self-test that the drive is told to make ends at a sector that it cannot read."""
        state = self._state()
        try:
            with again_and_again(lambda: state.fail_newest(READ_FAILURE), FAILS_WITHIN_S):
                yield
        finally:
            state.keep([])

    @contextmanager
    def hung(self) -> Iterator[None]:
        """The drives' controller hears of no command, and no reset of the link helps until this ends. The guest resets
        the link after :data:`PATIENCE_S`.
        """
        patience = f"/sys/block/{self.handle}/device/timeout"
        self._guest.write(patience, str(PATIENCE_S))
        with self._qemu.bus() as bus:
            bus.let_reach_memory(CONTROLLER, False)
            try:
                yield
            finally:
                bus.let_reach_memory(CONTROLLER, True)
                self._guest.write(patience, str(USUAL_PATIENCE_S))

    def _innards(self) -> Innards:
        return self._qemu.innards()

    def _state(self) -> DriveState:
        kinds = " ".join({1: "short", 2: "long"}[test.kind] for test in PASSED_TESTS)
        self._guest.shell(f"for kind in {kinds}; do smartctl -t $kind /dev/{self.handle}; done").check()
        return DriveState(self._innards())
