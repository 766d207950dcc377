"""Sound: a controller with a codec that has a speaker and a microphone."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.hardware.part import Part

ON_PCI = "00:06.0"
ON_JACK = {"speaker": (0x00104010, 0x40), "microphone": (0x00A05020, 0x20)}
"""What QEMU's codec says of its two pins (hw/audio/hda-codec-common.h): their configuration and control."""
BUILT_IN = {"speaker": 0x90170110, "microphone": 0x90A60120}
"""Fixed, inside, analog (High Definition Audio Specification 1.0a, 7.3.3.31)."""
NOT_CONNECTED = 0x411111F0
"""What firmware writes of a pin that leads nowhere."""
_DRIVER = "/sys/bus/pci/drivers/snd_hda_intel"
_COMMAND_MEMORY = 0x2


class Audio(Part):
    """Nothing of it where ``controller`` in the table is false; a codec that is dead from the start where ``codec`` is.

    What is played goes nowhere.
    """

    name = "audio"

    def prepare(self) -> None:
        """QEMU's pins are as it has them."""
        self._pins: dict[str, list[int]] = {}

    def arguments(self) -> list[str]:
        """The controller, and the codec on it."""
        if not self.table.get("controller", True):
            return []
        controller = ["-audiodev", "none,id=sound", "-device", f"ich9-intel-hda,id=hda,addr={ON_PCI[3:5]}"]
        codec = ["-device", "hda-micro,bus=hda.0,audiodev=sound"] if self.table.get("codec", True) else []
        return controller + codec

    def built_in(self, *parts: str) -> None:
        """The codec's pins lead to these built-in parts (``speaker``, ``microphone``) and to nothing else, as QEMU's
        lead to jacks. The driver finds it anew.
        """
        innards = self.qemu.innards()
        for part, (jack, control) in ON_JACK.items():
            self._pins.setdefault(part, innards.find(struct.pack("<II", jack, control), constant=True))
            for address in self._pins[part]:
                innards.write(address, struct.pack("<I", BUILT_IN[part] if part in parts else NOT_CONNECTED))
        for file in ("unbind", "bind"):
            self.guest.write(f"{_DRIVER}/{file}", f"0000:{ON_PCI}")
        self.guest.shell("until test -e /proc/asound/card0/codec#0; do sleep 0.05; done; udevadm settle").check()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """The codec no longer answers. By the controller's command register, from inside: QEMU has no way to it."""
        before = self.guest.out("setpci", "-s", ON_PCI, "COMMAND").strip()
        self.guest.out("setpci", "-s", ON_PCI, f"COMMAND=0:{_COMMAND_MEMORY:x}")
        try:
            yield
        finally:
            self.guest.out("setpci", "-s", ON_PCI, f"COMMAND={before}")
