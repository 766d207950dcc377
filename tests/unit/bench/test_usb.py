"""USB devices of the bench's making: their descriptors, and what they say over usbredir."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.hardware.usb_devices import USB_3, Camera, Hub, Mute, Stick
from tests.bench.machine.usbredir import Redirected, Setup, Speed, UsbDevice, layout

CONTROL, IN, OUT, BULK_IN, INTERRUPT_IN = 0, 0x80, 0x00, 0x81, 0x81
UNUSED = 255


@pytest.mark.parametrize("device", [Hub(), Camera(), Camera(Speed.FULL), Stick(), Stick(USB_3), Mute()])
def test_descriptors_hold_together(device: UsbDevice) -> None:
    """Lengths add up, and every interface has the endpoints that it counts."""
    head, whole = device.device(), device.configuration()
    assert (head[0], len(head), head[1], head[17]) == (18, 18, 1, 1)
    assert max(head[14:17]) == len(device.texts)
    assert struct.unpack_from("<H", whole, 2)[0] == len(whole)
    at, interfaces, owed = 0, 0, 0
    while at < len(whole):
        length, kind = whole[at : at + 2]
        assert length >= 2
        if kind == 4:
            assert owed == 0
            interfaces, owed = interfaces + 1, whole[at + 4]
        owed -= kind == 5
        at += length
    assert (at, interfaces, owed) == (len(whole), whole[4], 0)


def test_layout_of_the_camera() -> None:
    interfaces, endpoints = layout(Camera().configuration())
    assert struct.unpack_from("<I", interfaces)[0] == 2
    assert interfaces[4:6] == bytes([0, 1])  # numbers
    assert interfaces[36:38] == bytes([14, 14])  # class: video
    assert endpoints[:32].count(UNUSED) == 29
    assert (endpoints[0], endpoints[16], endpoints[17]) == (0, 0, 2)
    assert struct.unpack_from("<H", endpoints, 96 + 17 * 2)[0] == 512


def test_strings_are_utf_16() -> None:
    camera = Camera()
    assert camera.answer(Setup(0x80, 6, 0x0300, 0, 255), b"") == b"\x04\x03\x09\x04"
    assert camera.answer(Setup(0x80, 6, 0x0302, 0x0409, 255), b"") == b"\x14\x03" + "HD Camera".encode("utf-16-le")
    assert camera.answer(Setup(0x80, 6, 0x0309, 0x0409, 255), b"") is None
    assert camera.answer(Setup(0x80, 6, 0x0100, 0, 8), b"") == camera.device()[:8]


def test_a_picture_in_payloads() -> None:
    camera = Camera()
    for odd in (0, 1):
        parts = [camera.bulk_in(BULK_IN, Camera.PAYLOAD) for _ in range(3)]
        assert [part[1] for part in parts] == [0x80 | odd, 0x80 | odd, 0x82 | odd]
        assert sum(len(part) - 2 for part in parts) == Camera.FRAME


def test_the_hub_tells_of_too_much_current_until_that_is_acknowledged() -> None:
    hub = Hub()
    status = Setup(0xA3, 0, 0, 2, 4)
    hub.answer(Setup(0x23, 3, 8, 2, 0), b"")
    assert hub.answer(status, b"") == struct.pack("<HH", 0x0100, 0)
    assert hub.overload(2, on=True) == b"\x04"
    assert hub.answer(status, b"") == struct.pack("<HH", 0x0008, 0x0008)
    hub.answer(Setup(0x23, 1, 19, 2, 0), b"")
    assert hub.answer(status, b"") == struct.pack("<HH", 0x0008, 0)
    assert hub.answer(Setup(0xA3, 0, 0, 5, 4), b"") is None


def test_the_stick_answers_until_it_hangs() -> None:
    stick = Stick()
    read = struct.pack("<4sIIBBB", b"USBC", 7, 1024, 0x80, 0, 10) + b"\x28\0\0\0\0\0\0\0\2\0".ljust(16, b"\0")
    stick.bulk_out(2, read)
    assert [stick.bulk_in(BULK_IN, 512), stick.bulk_in(BULK_IN, 1000)] == [bytes(512), bytes(512)]
    assert stick.bulk_in(BULK_IN, 13) == b"USBS" + struct.pack("<IIB", 7, 0, 0)
    unknown = read[:15] + b"\xff" + read[16:]
    stick.bulk_out(2, unknown)
    assert stick.bulk_in(BULK_IN, 13) == b"USBS" + struct.pack("<IIB", 7, 1024, 1)
    stick.hangs = True
    stick.bulk_out(2, read)
    assert stick.bulk_in(BULK_IN, 512) is None


def test_only_a_stick_for_usb_3_says_how_fast_it_could_be() -> None:
    ask = Setup(0x80, 6, 0x0F00, 0, 255)
    assert Stick().answer(ask, b"") is None
    store = Stick(USB_3).answer(ask, b"") or b""
    assert struct.unpack_from("<BBHB", store) == (5, 15, len(store), 2)
    at, kinds = store[0], []
    while at < len(store):
        assert store[at + 1] == 16
        kinds.append(store[at + 2])
        at += store[at]
    assert (at, kinds) == (len(store), [2, 3])  # USB 2.0 extension, SuperSpeed


class Qemu:
    """The other side of usbredir."""

    def __init__(self, listening: socket.socket) -> None:
        self.socket, _ = listening.accept()
        self.socket.settimeout(10)
        self.socket.sendall(struct.pack("<III", 0, 68, 0) + bytes(64) + struct.pack("<I", 0x7E))
        assert struct.unpack("<III", self._take(12))[:2] == (0, 68)
        self._take(68)

    def next(self) -> tuple[int, int, bytes]:
        """Type, number and body of the next message."""
        kind, length, number = struct.unpack("<IIQ", self._take(16))
        return kind, number, self._take(length)

    def ask(self, kind: int, number: int, body: bytes) -> tuple[int, int, bytes]:
        self.socket.sendall(struct.pack("<IIQ", kind, len(body), number) + body)
        return self.next()

    def _take(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            data += self.socket.recv(length - len(data))
        return data


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Redirected, Qemu]]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "usb"))
        listening.listen()
        redirected = Redirected(Hub(), tmp_path / "usb")
        qemu = Qemu(listening)
        yield redirected, qemu
        redirected.close()
        qemu.socket.close()


def test_plugged_in_asked_and_pulled_out(pair: tuple[Redirected, Qemu]) -> None:
    redirected, qemu = pair
    redirected.plug()
    assert [qemu.next()[0] for _ in range(2)] == [4, 5]
    kind, _, connect = qemu.next()
    assert (kind, connect[:4]) == (1, bytes([Speed.HIGH, 9, 0, 1]))
    assert struct.unpack_from("<HH", connect, 4) == (0x1A40, 0x0101)
    asked = struct.pack("<BBBBHHH", IN, 6, 0x80, 0, 0x0100, 0, 18)
    assert qemu.ask(100, 41, asked) == (100, 41, asked + Hub().device())
    refused = struct.pack("<BBBBHHH", IN, 6, 0x80, 0, 0x0F00, 0, 5)
    kind, number, said = qemu.ask(100, 42, refused)
    assert (kind, number, said[3], said[8:]) == (100, 42, 4, b"\0\0")
    redirected.unplug()
    assert qemu.next()[0] == 2


def test_an_interrupt_waits_for_a_listener(pair: tuple[Redirected, Qemu]) -> None:
    redirected, qemu = pair
    with pytest.raises(TimeoutError):
        redirected.interrupt(INTERRUPT_IN, b"\x04", timeout_s=0.01)
    assert qemu.ask(15, 7, bytes([INTERRUPT_IN])) == (17, 7, bytes([0, INTERRUPT_IN]))
    redirected.interrupt(INTERRUPT_IN, b"\x04")
    assert qemu.next() == (103, 0, struct.pack("<BBH", INTERRUPT_IN, 0, 1) + b"\x04")
