"""USB: a port overloaded, a device that answers nothing, one that hangs or drops out; and a stick in use."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.camera import ON_USB
from tests.bench.hardware.medium import MEDIUM_ERROR
from tests.bench.hardware.part import proven
from tests.bench.hardware.usb import BUS, DEVICES, HUB, IN_SOCKET, SOCKET, STICK
from tests.bench.scenario import Check, Expected, scenario

OUTSIDE, INSIDE = 2, 4
"""A port of the hub that is a socket, and one that leads to something built in."""


@scenario("usb", customer="I only wanted to see whether all is well.", symptom="usb-drops", never=["USB-*", "LOG-*"])
def usb_stick_used(aio: VirtualAio, check: Check) -> None:
    """None: a stick was plugged in, read and pulled out twice, and is in again."""
    for _ in range(2):
        with aio.usb.stick():
            aio.guest.out("dd", f"if={STICK}", "of=/dev/null", "bs=64k", "count=16")
    with aio.usb.stick():
        said = aio.guest.out("lsusb", "-t")
        proven("usb-storage" in said, "lsusb shows the stick", said)
        check()


@scenario(
    "usb",
    "storage",
    customer="I cannot copy all of my photos from the stick.",
    symptom="usb-drops",
    expected=[Expected("LOG-8400", "storage-device", "critical", "sda")],
    never=["USB-*", "LOG-85*"],
)
def usb_stick_with_bad_sectors(aio: VirtualAio, check: Check) -> None:
    """A USB stick cannot read two of its sectors back, and programs have tried: the stick is bad, not the socket."""
    with aio.usb.stick() as medium, medium.bad_sectors([2048, 2056], MEDIUM_ERROR):
        read = aio.guest.run("dd", f"if={STICK}", "of=/dev/null", "bs=4k", "skip=256", "count=8", "iflag=direct")
        log = aio.guest.shell("dmesg | grep 'Sense Key : Medium Error'").out
        proven(read.status == 1 and log != "", "dd fails, and the kernel tells of a medium error", read.err)
        check()


@scenario(
    "usb",
    customer="When I plug in my external disk, Windows says that the device needs too much power.",
    symptom="usb-drops",
    expected=[
        Expected("USB-7205", "usb-port", "warning", f"{HUB}-port{OUTSIDE}"),
        Expected("LOG-8554", "usb-port", "warning", f"{HUB}-port{OUTSIDE}"),
    ],
)
def usb_port_overloaded(aio: VirtualAio, check: Check) -> None:
    """Too much current is drawn from a USB socket, and the hub switches it off."""
    with aio.usb.overload(OUTSIDE):
        said = aio.guest.out("dmesg")
        proven(f"{HUB}-port{OUTSIDE}: over-current condition" in said, "the kernel reports it", said)
        check()


@scenario(
    "usb",
    customer="Bluetooth stopped working from one day to the next.",
    symptom="usb-drops",
    expected=[
        Expected("USB-7218", "usb-port", "critical", f"{HUB}-port{INSIDE}"),
        Expected("LOG-8554", "usb-port", "warning", f"{HUB}-port{INSIDE}"),
    ],
)
def usb_built_in_overloaded(aio: VirtualAio, check: Check) -> None:
    """Too much current is drawn from a USB port that leads to a built-in device."""
    with aio.usb.overload(INSIDE):
        said = aio.guest.out("dmesg")
        proven(f"{HUB}-port{INSIDE}: over-current condition" in said, "the kernel reports it", said)
        check()


@scenario(
    "usb",
    customer="My keyboard is not found any more, whichever way I plug it in.",
    symptom="usb-drops",
    expected=[Expected("LOG-8565", "usb-port", "warning", IN_SOCKET)],
)
def usb_device_mute(aio: VirtualAio, check: Check) -> None:
    """What hangs in a USB socket is seen, and answers no request."""
    with aio.usb.mute_device():
        said = aio.guest.out("dmesg")
        proven(f"{BUS}-port{SOCKET}: unable to enumerate" in said, "the kernel gives up", said)
        check()


@scenario(
    "usb",
    customer="Copying to my USB stick hangs all the time.",
    symptom="usb-drops",
    expected=[Expected("LOG-8565", "usb-port", "warning", IN_SOCKET)],
    tolerated=["LOG-8413", "DISK-1055"],  # what was read of the stick failed, and the agent's own question to it
    never=["DISK-1007"],  # it is not built in
)
def usb_stick_hangs(aio: VirtualAio, check: Check) -> None:
    """A USB stick does not answer in time, and is reset over and over."""
    with aio.usb.stick_hanging():
        for block in range(20):
            aio.guest.run("dd", f"if={STICK}", "of=/dev/null", "bs=4k", "count=1", f"skip={block}", "iflag=direct")
            resets = aio.guest.out("dmesg").count(f"usb {IN_SOCKET}: reset ")
            if resets > 6:
                break
        proven(resets > 6, "the kernel resets it over and over", aio.guest.out("dmesg"))
        check()


@scenario(
    "usb",
    "camera",
    customer="In video calls the camera freezes for a moment and comes back, again and again.",
    symptom="usb-drops",
    expected=[Expected("USB-7239", "usb-port", "warning", ON_USB)],
)
def usb_built_in_drops_out(aio: VirtualAio, check: Check) -> None:
    """A built-in USB device (the camera) drops out and comes back, eight times within a minute."""
    aio.camera.drop_out(8)
    said = aio.guest.out("dmesg")
    proven(said.count(f"usb {ON_USB}: USB disconnect") == 8, "the kernel counts eight", said)
    proven("fixed" in aio.guest.read(f"{DEVICES}/{ON_USB}/removable"), "it is built in")
    check()


@scenario(
    "usb",
    customer="My new USB stick is no faster than the old one.",
    symptom="usb-drops",
    expected=[Expected("USB-7226", "usb-port", "info", IN_SOCKET)],
)
def usb_stick_below_its_speed(aio: VirtualAio, check: Check) -> None:
    """A stick for USB 3 runs at the speed of USB 2, in a socket that can do both."""
    with aio.usb.stick_below_its_speed():
        said = aio.guest.out("lsusb", "-v", "-s", aio.guest.read(f"{DEVICES}/{IN_SOCKET}/devnum").strip())
        proven("SuperSpeed USB Device Capability" in said, "lsusb shows that it could be faster", said)
        said = aio.guest.out("lsusb", "-t")
        proven("Driver=usb-storage, 480M" in said, "lsusb shows 480M", said)
        check()


@scenario(
    "usb",
    customer="From one moment to the next nothing that is plugged in works any more, and no touch either.",
    symptom="usb-drops",
    expected=[Expected("LOG-8688", "motherboard", "warning")],
)
def usb_controller_dead(aio: VirtualAio, check: Check) -> None:
    """The USB controller does nothing any more that it is told to, and the kernel has given it up."""
    with aio.usb.controller_stuck():
        aio.guest.start("/usr/bin/lsusb", "-v")
        said = aio.guest.shell("until dmesg | grep 'assume dead'; do sleep 0.2; done", timeout_s=90).out
        proven("not responding" in said, "the kernel gives it up", said)
        check()
