"""Machines of another kind with nothing wrong beyond what they are: only what they deserve may be said of them."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

NEEDED_SENSORS_MISSING = 3


@scenario(
    "personality",
    "identity",
    "clock",
    customer="It is eight years old. I only want to know whether it is still all right.",
    expected=[
        Expected("UNIT-9006", "motherboard", "info"),
        Expected("CLOCK-8204", "rtc-battery", "warning", "rtc0"),
        Expected("FW-8005", "motherboard", "info"),
    ],
    personality="aio-old",
)
def old_machine(aio: VirtualAio, check: Check) -> None:
    """An old all-in-one with a dead clock battery and without a serial number in its firmware; its disk and its panel
    are sound.
    """
    said = aio.guest.read("/sys/class/rtc/rtc0/date")
    proven(said.startswith("2009-"), "the clock says 2009", said)
    said = aio.guest.out("smartctl", "-H", "/dev/sda")
    proven("PASSED" in said, "smartctl passes the disk", said)
    said = aio.guest.shell("edid-decode --check < /sys/class/drm/card0-eDP-1/edid").out
    proven("conformity: PASS" in said, "edid-decode passes the panel", said)
    checked = check(typed=aio.identity.label)
    assert checked.unit["serial"] == aio.identity.label
    (panel,), (disk, *_) = checked.parts("panel"), checked.parts("storage-device")
    assert (panel.manufacturer, panel.model) == ("LGD", "M200O1"), panel
    assert (disk.name, disk.model, disk.serial) == ("sda", "ST500DM002-1BD142", "W2A1PN93"), disk


@scenario(
    "personality",
    customer="I only wanted to see whether all is well.",
    symptom="overheats",
    expected=[Expected("FW-8005", "motherboard", "info")],
    status=NEEDED_SENSORS_MISSING,
    personality="no-sensors",
)
def no_sensors(aio: VirtualAio, check: Check) -> None:
    """None, as far as anything can be seen: no temperature, voltage or fan shows. That is no pass."""
    said = aio.guest.run("sensors")
    proven("temp" not in said.out.lower(), "sensors finds no temperature", said.out)
    checked = check()
    assert checked.printed["verdict"] == "incomplete", checked.printed["verdict"]
    assert checked.outcomes["probe.thermals"] == checked.outcomes["probe.board"] == "unsupported"
