"""The panel: not there, not itself, or not what it says."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.panel import CONNECTOR, SYSFS, another_panel
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario


@scenario(
    "panel",
    customer="The screen shows wrong colours and a resolution that it never had.",
    symptom="screen-spots",
    expected=[Expected("LCD-4118", "panel", "critical", CONNECTOR)],
)
def edid_corrupt(aio: VirtualAio, check: Check) -> None:
    """A bit of the panel's identification memory has turned over: the checksum of its base block is wrong."""
    damaged = bytearray(aio.panel.seen())
    damaged[20] ^= 0x04
    with aio.panel.exchanged(bytes(damaged)):
        said = aio.guest.shell(f"edid-decode --check < {SYSFS}/edid").out
        proven("Invalid checksum" in said, "edid-decode sees the wrong checksum", said)
        check()


@scenario(
    "panel",
    customer="The screen stays black. I only see something with another monitor plugged in.",
    symptom="no-picture",
    expected=[Expected("LCD-4001", "panel", "critical", CONNECTOR)],
)
def panel_gone(aio: VirtualAio, check: Check) -> None:
    """Nothing hangs on the panel's connector any more."""
    with aio.panel.gone():
        proven(aio.guest.read(f"{SYSFS}/status") == "disconnected\n", "the driver sees no panel")
        check()


@scenario("panel", customer="Since the repair the picture looks different.", symptom="screen-spots")
def panel_of_another_model(aio: VirtualAio, check: Check) -> None:
    """Another model of panel hangs there, and is sound: nothing may be said against it, and the inventory names it."""
    with aio.panel.exchanged(another_panel()):
        said = aio.guest.shell(f"edid-decode --check < {SYSFS}/edid").out
        proven("Manufacturer: AUO" in said and "PASS" in said, "edid-decode sees the other panel", said)
        (panel,) = check().parts("panel")
        assert (panel.manufacturer, panel.model) == ("AUO", "B156HAN02.1"), panel


@scenario(
    "panel",
    customer="The screen flickers and goes black for a moment, mostly when it is warm.",
    symptom="flickers-warm",
    expected=[Expected("LCD-4049", "panel", "critical", CONNECTOR)],
    # What is damaged or missing at the moment of the probe is so because the contact is bad.
    tolerated=["LCD-4105", "LCD-4118"],
)
def panel_flapping(aio: VirtualAio, check: Check) -> None:
    """The panel's cable has a bad contact: the panel comes and goes all the time."""
    with aio.panel.flapping():
        said = aio.guest.shell(f"for i in $(seq 40); do cat {SYSFS}/status; sleep 0.1; done | uniq").out
        proven(said.count("disconnected") > 1, "the driver sees it come and go", said)
        check()


@scenario(
    "panel",
    customer="The picture has a resolution that it never had.",
    symptom="no-picture",
    expected=[Expected("LCD-4105", "panel", "warning", CONNECTOR)],
    changes={"panel": {"identified": False}},
)
def panel_without_identification(aio: VirtualAio, check: Check) -> None:
    """The panel does not say what it is: it hands out no identification data."""
    proven(aio.guest.read(f"{SYSFS}/status") == "connected\n", "the driver sees a panel")
    proven(aio.panel.seen() == b"", "the driver has nothing of it")
    check()


@scenario(
    "panel",
    customer="Since it was switched on today the picture has a wrong resolution.",
    symptom="screen-spots",
    expected=[Expected("LOG-8675", "panel", "info"), Expected("LCD-4105", "panel", "warning", CONNECTOR)],
)
def panel_memory_unreadable(aio: VirtualAio, check: Check) -> None:
    """A bit of the panel's identification memory has turned over, and the driver takes none of it at the next start."""
    aio.panel.damage_memory()
    with aio.restarting():
        aio.power.restart()
    said = aio.guest.shell("dmesg | grep EDID").out
    proven("checksum is invalid" in said, "the kernel says that it is damaged", said)
    check()


@scenario(
    "panel",
    customer="The picture stands still, and I hear that the computer goes on.",
    symptom="no-picture",
    expected=[Expected("LCD-4030", "panel", "warning", CONNECTOR)],
    never=["LCD-400*", "LCD-41*"],
)
def panel_silent(aio: VirtualAio, check: Check) -> None:
    """The driver waits for an answer of the panel that does not come, and gives nobody else an answer meanwhile."""
    with aio.panel.driver_stuck():
        said = aio.guest.shell("grep -l 'Name:.cat' /proc/[0-9]*/status | xargs grep -h State").out
        proven("D (disk sleep)" in said, "cat waits in the kernel for what the panel is", said)
        check()
