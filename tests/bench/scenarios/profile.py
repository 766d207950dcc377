"""A unit that misses something that a good unit of its model has: the profile was learnt before the fault."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.checked import COMMAND
from tests.bench.hardware.panel import SYSFS, another_panel
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

OF_A_PROFILE = ["LCD-45*", "MEM-35*", "DISK-19*", "FAN-28*", "VOLT-530*", "CAM-79*", "USB-73*", "SND-77*", "NET-75*"]
OF_A_PROFILE += ["FW-81*", "BUS-71*"]
"""What a profile can be at odds with."""


def _learn(aio: VirtualAio) -> None:
    said = aio.guest.run(COMMAND, "profile", "learn", "--json", timeout_s=300).check().out
    proven('"profile"' in said, "the profile is learnt", said)


@scenario("profile", customer="Does it have everything?", never=OF_A_PROFILE)
def unit_as_its_profile(aio: VirtualAio, check: Check) -> None:
    """None: the unit is the one that the profile was learnt from."""
    _learn(aio)
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
    _learn(aio)
    with aio.camera.gone():
        said = aio.guest.run("v4l2-ctl", "--list-devices")
        proven("HD Camera" not in said.out, "v4l2-ctl finds no camera", said.out)
        check()


@scenario(
    "storage",
    "profile",
    customer="It does not find Windows any more.",
    symptom="slow-disk",
    expected=[Expected("DISK-1905", "storage-device", "critical")],
)
def drive_missing(aio: VirtualAio, check: Check) -> None:
    """The only drive was taken out of its slot, and the model is known to have one."""
    _learn(aio)
    with aio.storage.nvme[0].removed():
        said = aio.guest.out("lspci")
        proven("Non-Volatile memory controller" not in said, "lspci does not find it", said)
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
    _learn(aio)
    with aio.panel.exchanged(another_panel()):
        said = aio.guest.shell(f"edid-decode --check < {SYSFS}/edid").out
        proven("Manufacturer: AUO" in said and "PASS" in said, "edid-decode sees the other panel", said)
        check()
