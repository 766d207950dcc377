"""Sound: a controller with a codec that has a speaker and a microphone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.hardware.part import Part

ON_PCI = "00:06.0"
_COMMAND_MEMORY = 0x2


class Audio(Part):
    """Nothing of it where ``controller`` in the table is false; a codec that is dead from the start where ``codec`` is.

    What is played goes nowhere.
    """

    name = "audio"

    def arguments(self) -> list[str]:
        """The controller, and the codec on it."""
        if not self.table.get("controller", True):
            return []
        controller = ["-audiodev", "none,id=sound", "-device", f"ich9-intel-hda,id=hda,addr={ON_PCI[3:5]}"]
        codec = ["-device", "hda-micro,bus=hda.0,audiodev=sound"] if self.table.get("codec", True) else []
        return controller + codec

    @contextmanager
    def silent(self) -> Iterator[None]:
        """The codec no longer answers. By the controller's command register, from inside: QEMU has no way to it."""
        before = self.guest.out("setpci", "-s", ON_PCI, "COMMAND").strip()
        self.guest.out("setpci", "-s", ON_PCI, f"COMMAND=0:{_COMMAND_MEMORY:x}")
        try:
            yield
        finally:
            self.guest.out("setpci", "-s", ON_PCI, f"COMMAND={before}")
