"""A mainboard that shows less than that of a good unit of its model: the profile was learnt before the fault."""

from __future__ import annotations

import re

from tests.bench.aio import VirtualAio, restored
from tests.bench.hardware import dme1737
from tests.bench.hardware.part import proven
from tests.bench.personality import load
from tests.bench.scenario import Check, Expected, scenario
from tests.bench.scenarios.board import CHIP
from tests.bench.scenarios.profile import learn
from tests.bench.scenarios.sound_and_camera import CODEC

SIZES = "dmidecode -t 17 | sed -n 's/^.Size: //p'; lsblk -dno SIZE /dev/nvme0n1"
TOUCH = "ID 0627:0001"
"""QEMU's tablet, which is the touch screen."""


@scenario(
    "profile",
    "storage",
    customer="I bought it used. It has less in it than the same model of my brother.",
    expected=[
        Expected("FW-8155", "motherboard", "warning"),
        Expected("FW-8164", "motherboard", "info"),
        Expected("MEM-3518", "memory-module", "info"),
        Expected("DISK-1926", "storage-device", "info", "nvme0"),
    ],
    changes={
        "identity": {"bios": {"version": "H24.1.02", "date": "01/20/2026"}, "system": {"serial": "HB24A2603000311"}},
        "memory": {"mib": 896},
        "storage": {"nvme": [{"serial": "S6BNNX0T128033", "mib": 128}]},
        "tpm": {"version": ""},
    },
)
def less_than_its_model(aio: VirtualAio, check: Check) -> None:
    """Against a good unit of the model, whose profile was brought along, this one has no security chip, an older BIOS,
    less memory and a smaller drive.
    """
    with restored(load("aio-24"), aio.image) as good:
        kept = learn(good)
        profile = good.guest.read(kept)
    aio.guest.run("/usr/bin/install", "-D", "-m", "600", "/dev/stdin", kept, stdin=profile).check()
    said = aio.guest.shell(f"{SIZES}; dmidecode -s bios-release-date").out
    proven(said.split() == ["896", "MB", "128M", "01/20/2026"], "dmidecode and lsblk show what there is", said)
    proven(aio.guest.run("tpm2_getrandom", "8").status != 0, "tpm2-tools find no security chip")
    check()


@scenario(
    "profile",
    "audio",
    "usb",
    "board",
    customer="It fell from the table. It works, but it is loud, there is no sound, and touch does nothing.",
    symptom="touch-dead",
    expected=[
        Expected("SND-7755", "speaker", "warning"),
        Expected("USB-7353", "usb-port", "warning"),
        Expected("FAN-2805", "fan", "warning", f"{CHIP}/fan3"),
        Expected("VOLT-5307", "motherboard", "info", f"{CHIP}/temp1"),
    ],
)
def parts_not_seen(aio: VirtualAio, check: Check) -> None:
    """Speaker, touch screen, third fan and a temperature sensor of the mainboard do not show, and the model is known to
    have all of them.
    """
    aio.audio.built_in("speaker", "microphone")
    aio.board_sensors.third_fan(1100)
    said = aio.guest.shell(f"sensors {CHIP}; lsusb; cat {CODEC}").out
    shown = ("fan3:        11", "temp1:        +38.0", TOUCH, "[Fixed] Speaker")
    proven(all(word in said for word in shown), "sensors, lsusb and the kernel see all of them", said)
    learn(aio)
    aio.audio.built_in("microphone")
    aio.board_sensors.third_fan(1100, there=False)
    aio.usb.touch_screen_lost()
    with aio.board_sensors.temperature(dme1737.NO_DIODE):
        said = aio.guest.shell(f"sensors {CHIP}; lsusb; cat {CODEC}").out
        gone = ("fan3:", TOUCH, "[Fixed] Speaker")
        proven(re.search("^temp1: +FAULT", said, re.MULTILINE) is not None, "sensors sees a sensor come off", said)
        proven(not any(word in said for word in gone) and "[Fixed] Mic" in said, "the others do not show", said)
        check()
