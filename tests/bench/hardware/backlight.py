"""The backlight, which firmware drives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.hardware import acpi, registers
from tests.bench.hardware.part import Part, again_and_again
from tests.bench.machine import Channel, Qemu

SYSFS = "/sys/class/backlight/acpi_video0"
AGAIN_S = 0.02
"""Seconds until a failing light is what it was before somebody set it."""


class Backlight(Part):
    """There when the table is not empty: ``level`` is what it stands at, in % (a multiple of 10)."""

    name = "backlight"

    def arguments(self) -> list[str]:
        """The ACPI table."""
        return acpi.table("backlight", self.folder, REGISTERS=registers.BACKLIGHT) if self.table else []

    def kernel(self) -> list[str]:
        """Firmware's own control of it. The kernel waits 8 s for a graphics driver that has another one; this guest's
        has none.
        """
        words = ["acpi_backlight=video", "video.register_backlight_delay=1"]
        return [registers.RESERVED, *words] if self.table else []

    def attach(self, qemu: Qemu, guest: Channel) -> None:
        """Lit."""
        super().attach(qemu, guest)
        if self.table:
            self._shine(int(self.table["level"]))

    def settle(self) -> None:
        """Wait until the guest has it, and set it as a person would."""
        if self.table:
            self.guest.shell(f"until test -e {SYSFS}/brightness; do sleep 0.1; done").check()
            self.guest.write(f"{SYSFS}/brightness", str(int(self.table["level"]) // 10))

    @contextmanager
    def failing(self, level: int) -> Iterator[None]:
        """Its driver or its lamps fail: it gives light of this level (%; 0 is none), whatever it is set to."""
        self._shine(level)
        try:
            with again_and_again(lambda: self._shine(level), AGAIN_S):
                yield
        finally:
            self._shine(int(self.table["level"]))

    def _shine(self, level: int) -> None:
        self.qemu.ram.write_u32(registers.BACKLIGHT, level)
