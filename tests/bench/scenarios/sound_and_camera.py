"""Sound and camera: dead from the start, gone silent, not there, too slow; and a camera that gives pictures."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

CODEC = "/proc/asound/card0/codec#0"


@scenario(
    "audio",
    customer="There is no sound at all, and the volume symbol is crossed out.",
    symptom="no-sound",
    expected=[Expected("SND-7600", "motherboard", "warning", "")],
    changes={"audio": {"codec": False}},
)
def sound_codec_dead(aio: VirtualAio, check: Check) -> None:
    """The sound chip did not answer when the unit was started; its controller did."""
    said = aio.guest.out("dmesg")
    proven("no codecs found!" in said, "the kernel finds no codec", said)
    said = aio.guest.run("aplay", "-l").out
    proven("card 0" not in said, "aplay finds nothing to play on", said)
    check()


@scenario(
    "audio",
    customer="The sound broke off in the middle of a film and did not come back.",
    symptom="no-sound",
    expected=[Expected("SND-7613", "motherboard", "warning", "hwC0D0")],
)
def sound_codec_silent(aio: VirtualAio, check: Check) -> None:
    """The sound chip no longer answers."""
    with aio.audio.silent():
        said = aio.guest.read(CODEC)
        proven("Node 0x" not in said, "the kernel hears nothing of its parts", said)
        check()


@scenario(
    "audio", customer="There is no sound.", symptom="no-sound", changes={"audio": {"controller": False}}, status=3
)
def sound_absent(aio: VirtualAio, check: Check) -> None:
    """No sound hardware shows at all. The agent does not know that this model has some: it must not pass it."""
    said = aio.guest.run("aplay", "-l").err
    proven("no soundcards found" in said, "aplay finds no card", said)
    assert check().outcomes["probe.audio"] == "unsupported"


@scenario("camera", customer="The camera is not found.", symptom="camera-missing", status=3)
def camera_gone(aio: VirtualAio, check: Check) -> None:
    """The camera's cable is off. The agent does not know that this model has one: it must not pass it."""
    with aio.camera.gone():
        said = aio.guest.run("v4l2-ctl", "--list-devices")
        proven("HD Camera" not in said.out, "v4l2-ctl finds no camera", said.out)
        assert check().outcomes["probe.camera"] == "unsupported"


@scenario(
    "camera",
    customer="The picture of the camera jerks so much that nobody recognises me.",
    symptom="camera-missing",
    expected=[Expected("CAM-7801", "camera", "warning", "video0")],
)
def camera_slow(aio: VirtualAio, check: Check) -> None:
    """The built-in camera is connected at full speed (12 Mbit/s) only."""
    with aio.camera.slow():
        said = aio.guest.out("lsusb", "-t")
        proven("Driver=uvcvideo, 12M" in said, "lsusb shows 12M", said)
        check()


@scenario("camera", customer="Is the camera all right?", symptom="camera-missing", status=0)
def camera_works(aio: VirtualAio, check: Check) -> None:
    """None: the camera gives pictures."""
    said = aio.guest.run("v4l2-ctl", "--stream-mmap", "--stream-count=5", "--stream-to=/root/pictures")
    proven(aio.guest.out("stat", "-c%s", "/root/pictures") == "192000\n", "five pictures arrive", said.err)
    (camera,) = check().parts("camera")
    assert (camera.manufacturer, camera.model, camera.serial) == ("Hibertek", "HD Camera", "CAM2601044711"), camera
