"""Faults that no look at the unit shows: the hardware test of the part finds them."""

from __future__ import annotations

import time

from tests.bench.aio import VirtualAio
from tests.bench.hardware.backlight import SYSFS as BACKLIGHT
from tests.bench.hardware.camera import ON_USB
from tests.bench.hardware.network import INTERFACE, ROUTER
from tests.bench.hardware.panel import CONNECTOR
from tests.bench.hardware.panel import SYSFS as PANEL
from tests.bench.hardware.part import proven
from tests.bench.hardware.usb_devices import Picture
from tests.bench.scenario import Check, Expected, scenario
from tests.bench.scenarios.exercised import meanwhile

PICTURES = "v4l2-ctl --stream-mmap --stream-count={count} --stream-to=/root/pictures"
PICTURE_B = 38400
"""Bytes of one (:class:`tests.bench.hardware.usb_devices.Camera`)."""
CLOCK = "/sys/class/rtc/rtc0/since_epoch"
AGAIN_S = 3.0
"""Seconds between two of several faults in one test: longer than its cycles."""


@scenario(
    "tested",
    "usb",
    customer="The camera goes away in the middle of a call.",
    tests=["usb"],
    seconds=45.0,
    expected=[Expected("USB-7389", "usb-port", "warning", ON_USB)],
    tolerated=["USB-7247"],  # a built-in device drops out: the same event, as its watcher saw it
)
def usb_lost_in_its_test(aio: VirtualAio, check: Check) -> None:
    """A built-in USB device drops out five times, and comes back, while all of them are asked."""

    def drop_out() -> None:
        for _ in range(5):
            aio.camera.drop_out(1)
            time.sleep(2 * AGAIN_S)

    with meanwhile(aio, drop_out):
        check()
    said = aio.guest.out("dmesg")
    proven(said.count(f"usb {ON_USB}: USB disconnect") == 5, "the kernel tells of five", said)


@scenario(
    "tested",
    "camera",
    customer="The others see only black of me.",
    tests=["camera"],
    expected=[Expected("CAM-7825", "camera", "info", "video0")],
)
def camera_black(aio: VirtualAio, check: Check) -> None:
    """The camera's pictures are black."""
    with aio.camera.giving(Picture.DARK):
        pictures = _pictures(aio, 2)
        proven(max(pictures[::2]) < 24, "no point of two pictures is brighter than black with noise")
        check()


@scenario(
    "tested",
    "camera",
    customer="My picture stands still from the beginning.",
    tests=["camera"],
    expected=[Expected("CAM-7830", "camera", "warning", "video0")],
)
def camera_stuck(aio: VirtualAio, check: Check) -> None:
    """The camera sends one and the same picture all the time."""
    with aio.camera.giving(Picture.STUCK):
        pictures = _pictures(aio, 4)
        last, one_before = pictures[-PICTURE_B:], pictures[-2 * PICTURE_B : -PICTURE_B]
        proven(last == one_before, "the last two of four pictures are the same")
        check()


@scenario(
    "tested",
    "camera",
    customer="My picture jerks.",
    tests=["camera"],
    expected=[Expected("CAM-7849", "camera", "warning", "video0")],
)
def camera_loses_pictures(aio: VirtualAio, check: Check) -> None:
    """Each third picture of the camera breaks off in the middle, and the driver throws it away."""
    with aio.camera.giving(Picture.TORN):
        said = aio.guest.shell(f"{PICTURES.format(count=20)} --verbose 2>&1").out
        proven("dropped" in said, "v4l2-ctl counts pictures that were dropped", said)
        check()


@scenario(
    "tested",
    "camera",
    customer="The camera's light is on, and there is no picture.",
    tests=["camera"],
    expected=[Expected("CAM-7817", "camera", "warning", "video0")],
)
def camera_gives_nothing(aio: VirtualAio, check: Check) -> None:
    """The camera answers, and sends no picture."""
    with aio.camera.giving(Picture.NONE):
        got = aio.guest.shell(f"timeout 5 {PICTURES.format(count=1)}; stat -c%s /root/pictures")
        proven(got.out.strip() in ("", "0"), "v4l2-ctl gets no picture", got.out)
        check()


@scenario(
    "tested",
    "panel",
    customer="The picture is gone for a moment, several times a day.",
    tests=["display"],
    expected=[Expected("LCD-4461", "panel", "warning", CONNECTOR)],
    tolerated=["LCD-4049"],  # the panel comes and goes: the same, as its watcher saw it
)
def panel_contact_in_its_test(aio: VirtualAio, check: Check) -> None:
    """The wires by which the panel says what it is have bad contact: twice, what is read of it is damaged."""
    damaged = bytearray(aio.panel.seen())
    damaged[20] ^= 0x04

    def bad_contact() -> None:
        for _ in range(2):
            with aio.panel.exchanged(bytes(damaged)):
                said = aio.guest.shell(f"edid-decode --check < {PANEL}/edid").out
                proven("Invalid checksum" in said, "edid-decode sees the wrong checksum", said)
                time.sleep(AGAIN_S)
            time.sleep(AGAIN_S)

    with meanwhile(aio, bad_contact):
        check()


@scenario(
    "tested",
    "panel",
    customer="I cannot make the screen brighter.",
    tests=["display"],
    expected=[Expected("LCD-4473", "backlight", "warning", "acpi_video0")],
)
def backlight_does_not_follow(aio: VirtualAio, check: Check) -> None:
    """The backlight stays at 60 %, whatever it is set to."""
    with aio.backlight.failing(60):
        aio.guest.write(f"{BACKLIGHT}/brightness", "3")
        said = aio.guest.shell(f"sleep 1; cat {BACKLIGHT}/actual_brightness").out
        proven(int(said) > 3, "the kernel reads another level than was set", said)
        check()


@scenario(
    "tested",
    "network",
    customer="Downloads break off.",
    tests=["network"],
    expected=[Expected("NET-7443", "ethernet", "warning", INTERFACE)],
    tolerated=["NET-7462"],  # what was on its way meanwhile is lost
)
def network_lost_in_its_test(aio: VirtualAio, check: Check) -> None:
    """The link of the network cable is lost twice while it is used."""

    def drop_out() -> None:
        for _ in range(2):
            aio.network.drop_out(1)
            time.sleep(AGAIN_S)

    with meanwhile(aio, drop_out):
        check()
    said = aio.guest.read(f"/sys/class/net/{INTERFACE}/carrier_down_count")
    proven(int(said) >= 2, "the kernel counts the drops", said)


@scenario(
    "tested",
    "network",
    customer="Copying is fast for a minute and then slow.",
    tests=["network"],
    expected=[Expected("NET-7456", "ethernet", "warning", INTERFACE)],
)
def network_slows_down(aio: VirtualAio, check: Check) -> None:
    """The network link falls from 1000 to 100 Mbit/s while it is used."""
    aio.network.runs_at(1000)
    with meanwhile(aio, lambda: aio.network.runs_at(100)):
        check()
    said = aio.guest.out("ethtool", INTERFACE)
    proven("Speed: 100Mb/s" in said, "ethtool sees the lower speed", said)


@scenario(
    "tested",
    "network",
    customer="Pages load only after several tries.",
    tests=["network"],
    expected=[Expected("NET-7462", "ethernet", "warning", INTERFACE)],
)
def network_loses_packets(aio: VirtualAio, check: Check) -> None:
    """A fifth of what is sent over the network cable never arrives."""
    with aio.network.losing(20):
        said = aio.guest.run("ping", "-q", "-c", "100", "-i", "0.02", "-W", "1", ROUTER).out
        proven("100 received" not in said and " received" in said, "ping loses some", said)
        check()


@scenario(
    "tested",
    "clock",
    customer="The clock is an hour fast every morning.",
    tests=["rtc"],
    seconds=60.0,
    expected=[Expected("CLOCK-8236", "motherboard", "warning", "rtc0")],
)
def clock_runs_fast(aio: VirtualAio, check: Check) -> None:
    """The battery-backed clock makes 1.1 seconds of each."""
    with aio.clock.running_fast(100_000):
        said = aio.guest.shell(f"cat {CLOCK}; sleep 30; cat {CLOCK}").out.split()
        proven(int(said[1]) - int(said[0]) >= 32, "the kernel reads 32 seconds or more after 30", " ".join(said))
        check()


def _pictures(aio: VirtualAio, count: int) -> bytes:
    """What v4l2-ctl gets of the camera."""
    aio.guest.shell(PICTURES.format(count=count), timeout_s=30).check()
    return bytes.fromhex(aio.guest.out("/usr/bin/od", "-An", "-v", "-tx1", "/root/pictures"))
