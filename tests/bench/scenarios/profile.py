"""A unit that misses something that a good unit of its model has: the profile was learnt before the fault."""

from __future__ import annotations

import json

from tests.bench.aio import VirtualAio
from tests.bench.checked import COMMAND
from tests.bench.hardware.panel import SYSFS, another_panel
from tests.bench.hardware.part import NotTaken, proven
from tests.bench.scenario import Check, Expected, scenario

OF_A_PROFILE = ["LCD-45*", "MEM-35*", "DISK-19*", "FAN-28*", "VOLT-530*", "CAM-79*", "USB-73*", "SND-77*", "NET-75*"]
OF_A_PROFILE += ["FW-81*", "BUS-71*"]
"""What a profile can be at odds with."""
LEARNT_WITHIN = 4
"""Attempts."""


def learn(aio: VirtualAio) -> str:
    """Learn the profile of the machine's model, all of it, and give the path at which it is kept in the guest. On a
    slow machine not everything answers in time at once.
    """
    for _ in range(LEARNT_WITHIN):
        learnt = json.loads(aio.guest.out(COMMAND, "profile", "learn", "--json", timeout_s=300))
        if not learnt["not_learnt"]:
            return str(learnt["path"])
    raise NotTaken(f"not learnt: {', '.join(learnt['not_learnt'])}")


@scenario("profile", customer="Does it have everything?", never=OF_A_PROFILE)
def unit_as_its_profile(aio: VirtualAio, check: Check) -> None:
    """None: the unit is the one that the profile was learnt from."""
    learn(aio)
    assert check().outcomes["profile"] == "pass"


@scenario(
    "camera",
    "profile",
    customer="The camera is not found.",
    symptom="camera-missing",
    expected=[Expected("CAM-7954", "camera", "warning")],
)
def camera_missing(aio: VirtualAio, check: Check) -> None:
    """The camera's cable is off, and the model is known to have one."""
    learn(aio)
    with aio.camera.gone():
        said = aio.guest.run("v4l2-ctl", "--list-devices")
        proven("HD Camera" not in said.out, "v4l2-ctl finds no camera", said.out)
        check()


@scenario(
    "panel",
    "profile",
    customer="Since the repair the picture looks different.",
    symptom="screen-spots",
    expected=[Expected("LCD-4500", "panel", "warning")],
)
def panel_not_of_this_model(aio: VirtualAio, check: Check) -> None:
    """A sound panel of another model hangs there than the model is known to have."""
    learn(aio)
    with aio.panel.exchanged(another_panel()):
        said = aio.guest.shell(f"edid-decode --check < {SYSFS}/edid").out
        proven("Manufacturer: AUO" in said and "PASS" in said, "edid-decode sees the other panel", said)
        check()


@scenario(
    "storage",
    "profile",
    customer="The second disk is not there any more.",
    symptom="slow-disk",
    expected=[Expected("DISK-1918", "storage-device", "warning")],
    personality="aio-24-sata",
)
def second_drive_missing(aio: VirtualAio, check: Check) -> None:
    """One of two drives was taken out of its slot, and the model is known to have both."""
    learn(aio)
    with aio.storage.nvme[0].removed():
        said = aio.guest.out("lspci")
        proven("Non-Volatile memory controller" not in said, "lspci does not find it", said)
        check()
