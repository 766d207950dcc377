"""USB devices of an all-in-one that QEMU does not have: a hub, a camera, and one that is broken. Descriptors only."""

from __future__ import annotations

import random
import struct
import time
from enum import Enum

from tests.bench.machine.usbredir import Setup, Speed, UsbDevice

_CLASS_SPECIFIC = 0x24


USB_2, USB_3 = 0x0200, 0x0300
"""Releases of the specification, as a device calls them."""


def device_descriptor(
    kind: tuple[int, int, int], numbers: tuple[int, int], *, texts: int, release: int = USB_2
) -> bytes:
    """USB 2.0, table 9-8; the first ``texts`` of manufacturer, product and serial number have a string."""
    named = [number if number <= texts else 0 for number in (1, 2, 3)]
    return struct.pack("<BBH4BHHH4B", 18, 1, release, *kind, 64, *numbers, 0x0100, *named, 1)


def configuration_descriptor(interfaces: int, body: bytes) -> bytes:
    """USB 2.0, table 9-10: powered by itself, at most 100 mA from the bus."""
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), interfaces, 1, 0, 0xC0, 50) + body


class Hub(UsbDevice):
    """A hub as it sits behind the sockets of an all-in-one (USB 2.0, chapter 11): each of its ports has a switch and a
    sensor for too much current. Nothing can be plugged into it: QEMU knows it as any device.
    """

    texts = ("Hibertek", "Internal USB hub")
    PORTS = 4
    STATUS_CHANGE = 0x81
    """The endpoint that says which port has changed."""
    _POWER, _C_OVER_CURRENT = 8, 19
    _OVER_CURRENT_BIT, _POWER_BIT = 1 << 3, 1 << 8

    def __init__(self) -> None:
        self._status = [0] * (self.PORTS + 1)
        self._changed = [0] * (self.PORTS + 1)

    def device(self) -> bytes:
        """A high-speed hub with one transaction translator (11.23.1)."""
        return device_descriptor((9, 0, 1), (0x1A40, 0x0101), texts=len(self.texts))

    def configuration(self) -> bytes:
        """One interface with its status change endpoint."""
        interface = struct.pack("<9B", 9, 4, 0, 0, 1, 9, 0, 0, 0)
        return configuration_descriptor(1, interface + struct.pack("<BBBBHB", 7, 5, self.STATUS_CHANGE, 3, 1, 8))

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Hub class requests (11.24.2)."""
        port = setup.index & 0xFF
        if (setup.kind, setup.request) == (0xA0, 6):
            individual = 0x0009  # power switching, over-current protection: each port by itself
            return struct.pack("<BBBHBBBB", 9, 0x29, self.PORTS, individual, 10, 100, 0, 0xFF)
        if (setup.kind, setup.request) == (0xA0, 0):
            return bytes(4)
        if not 0 < port <= self.PORTS:
            return None
        if (setup.kind, setup.request) == (0xA3, 0):
            return struct.pack("<HH", self._status[port], self._changed[port])
        if (setup.kind, setup.request) == (0x23, 3) and setup.value == self._POWER:
            self._status[port] |= self._POWER_BIT
        if (setup.kind, setup.request) == (0x23, 1) and setup.value == self._C_OVER_CURRENT:
            self._changed[port] &= ~self._OVER_CURRENT_BIT
        return b""

    def overload(self, port: int, on: bool) -> bytes:
        """A port draws too much current, or no longer; gives what the status change endpoint says."""
        self._changed[port] |= self._OVER_CURRENT_BIT
        if on:
            self._status[port] = self._OVER_CURRENT_BIT
        else:
            self._status[port] &= ~self._OVER_CURRENT_BIT
        return bytes([1 << port])


class Picture(Enum):
    """What a camera gives: a grey wall with the noise of a sensor, the same behind a closed shutter, one and the same
    picture for ever, a wall of which each third picture breaks off in the middle, or nothing at all.
    """

    WALL = "wall"
    DARK = "dark"
    STUCK = "stuck"
    TORN = "torn"
    NONE = "none"


class Camera(UsbDevice):
    """A camera (USB Video Class 1.0) that gives pictures of 160 x 120 over a bulk endpoint."""

    texts = ("Hibertek", "HD Camera", "CAM2601044711")
    WIDTH, HEIGHT = 160, 120
    FRAME = WIDTH * HEIGHT * 2
    PAYLOAD = 16384
    """What uvcvideo asks for at a time: at most 32 packets of 512 bytes."""
    _INTERVAL = 333333  # 100 ns: 30 pictures a second
    _YUY2 = bytes.fromhex("5955593200001000800000aa00389b71")
    _WALL, _DARK = bytes(112 + at % 32 for at in range(256)), bytes(16 + at % 3 for at in range(256))
    """Noise by random bytes: how bright (ITU-R BT.601, where 16 is black and 128 a middle grey)."""

    def __init__(self, speed: Speed = Speed.HIGH) -> None:
        self.speed = speed
        self.shows = Picture.WALL
        self._noise = random.Random(2601)
        self._picture = self._drawn(self._WALL)
        self._number = 0
        self._packet = 512 if speed is Speed.HIGH else 64
        self._sent = 0
        self._odd = 0
        self._next = 0.0

    def device(self) -> bytes:
        """Several interfaces that belong together (interface association)."""
        return device_descriptor((0xEF, 2, 1), (0x1BCF, 0x2C99), texts=len(self.texts))

    def configuration(self) -> bytes:
        """Video control with a camera and an output, video streaming with one format and one size."""
        camera = struct.pack("<BBBBHBBHHHBH", 17, _CLASS_SPECIFIC, 2, 1, 0x0201, 0, 0, 0, 0, 0, 2, 0)
        output = struct.pack("<BBBBHBBB", 9, _CLASS_SPECIFIC, 3, 2, 0x0101, 0, 1, 0)
        length = 13 + len(camera + output)
        control = struct.pack("<BBBHHIBB", 13, _CLASS_SPECIFIC, 1, 0x0100, length, 48_000_000, 1, 1)
        kind = struct.pack("<BBBBB16s6B", 27, _CLASS_SPECIFIC, 4, 1, 1, self._YUY2, 16, 1, 0, 0, 0, 0)
        rate = self.FRAME * 8 * 30
        sizes = (self.WIDTH, self.HEIGHT, rate, rate, self.FRAME, self._INTERVAL, 1, self._INTERVAL)
        size = struct.pack("<BBBBBHHIIIIBI", 30, _CLASS_SPECIFIC, 5, 1, 0, *sizes)
        length = 14 + len(kind + size)
        stream = struct.pack("<BBBBHBBBBBBBB", 14, _CLASS_SPECIFIC, 1, 1, length, 0x81, 0, 2, 0, 0, 0, 1, 0)
        return configuration_descriptor(
            2,
            struct.pack("<8B", 8, 11, 0, 2, 14, 3, 0, 0)
            + struct.pack("<9B", 9, 4, 0, 0, 0, 14, 1, 0, 0)
            + (control + camera + output)
            + struct.pack("<9B", 9, 4, 1, 0, 1, 14, 2, 0, 0)
            + (stream + kind + size)
            + struct.pack("<BBBBHB", 7, 5, 0x81, 2, self._packet, 0),
        )

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Probe and commit (4.3.1.1): there is nothing to choose. A commit begins a new picture."""
        what, interface = setup.value >> 8, setup.index & 0xFF
        if interface != 1 or what not in (1, 2):
            return None
        if setup.kind == 0x21:
            self._sent = 0
            return b""
        chosen = struct.pack("<HBBI5HII", 0, 1, 1, self._INTERVAL, 0, 0, 0, 0, 0, self.FRAME, self.PAYLOAD)
        return {0x85: struct.pack("<H", len(chosen)), 0x86: b"\3"}.get(setup.request, chosen)[: setup.length]

    def bulk_in(self, endpoint: int, length: int) -> bytes | None:
        """The next part of a picture, with its header (2.4.3.3): whose picture's it is, and whether the last."""
        if self.shows is Picture.NONE:
            return None
        if self._sent == 0:
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self._INTERVAL / 1e7
            self._number += 1
            if self.shows is not Picture.STUCK:
                self._picture = self._drawn(self._DARK if self.shows is Picture.DARK else self._WALL)
        torn = self.shows is Picture.TORN and self._number % 3 == 0
        end = self.FRAME // 2 if torn else self.FRAME
        part = self._picture[self._sent : min(self._sent + length - 2, end)]
        self._sent += len(part)
        ends = self._sent >= end
        header = bytes([2, 0x80 | (2 if ends else 0) | self._odd])
        if ends:
            self._sent, self._odd = 0, self._odd ^ 1
        return header + part

    def _drawn(self, brightness: bytes) -> bytes:
        """A picture without colours: every other byte of it is how bright."""
        picture = bytearray(b"\x80" * self.FRAME)
        picture[::2] = self._noise.randbytes(self.FRAME // 2).translate(brightness)
        return bytes(picture)


class Stick(UsbDevice):
    """A stick (Mass Storage Class, Bulk-Only Transport 1.0; SPC-3, SBC-2) of zeros that stops answering on demand. One
    for USB 3 calls itself so at high speed too, as many do (the specification wants 2.10 there: USB 3.2, 9.6.1).
    """

    texts = ("Bench", "Stick", "5711C4")
    SECTORS, SECTOR = 32768, 512
    _IN, _OUT = 0x81, 0x02
    _INQUIRY, _READ_CAPACITY, _MODE_SENSE, _REQUEST_SENSE, _READ = 0x12, 0x25, 0x1A, 0x03, 0x28

    def __init__(self, release: int = USB_2) -> None:
        self.hangs = False
        """Whether what is read of it never comes."""
        self._release = release
        self._data = b""
        self._status = b""
        self._reads = False

    def device(self) -> bytes:
        """Its class is that of its interface."""
        return device_descriptor((0, 0, 0), (0x1BCF, 0x5711), texts=len(self.texts), release=self._release)

    def configuration(self) -> bytes:
        """One interface with two bulk endpoints."""
        endpoints = b"".join(struct.pack("<BBBBHB", 7, 5, endpoint, 2, 512, 0) for endpoint in (self._IN, self._OUT))
        return configuration_descriptor(1, struct.pack("<9B", 9, 4, 0, 0, 2, 8, 6, 0x50, 0) + endpoints)

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """One unit only; a reset is welcome (BOT 3)."""
        return b"\0" if setup.request == 0xFE else b""

    def capabilities(self) -> bytes | None:
        """Full, high and SuperSpeed (USB 3.2, 9.6.2)."""
        if self._release < USB_3:
            return None
        speeds = struct.pack("<BBBBHBBH", 10, 16, 3, 0, 0b1110, 1, 10, 2047)
        usb_2 = struct.pack("<BBBI", 7, 16, 2, 0)
        return struct.pack("<BBHB", 5, 15, 5 + len(usb_2 + speeds), 2) + usb_2 + speeds

    def bulk_out(self, endpoint: int, data: bytes) -> None:
        """A command block (BOT 5.1); all else is written to nowhere."""
        if len(data) != 31 or data[:4] != b"USBC":
            return
        tag, wanted = struct.unpack_from("<II", data, 4)
        command = data[15:]
        self._reads = command[0] == self._READ
        answer = self._execute(command)
        self._data = (answer or b"")[:wanted]
        self._status = b"USBS" + struct.pack("<IIB", tag, wanted - len(self._data), answer is None)

    def bulk_in(self, endpoint: int, length: int) -> bytes | None:
        """Data, then the status (BOT 5.2)."""
        if self.hangs and self._reads:
            return None
        if self._data:
            part, self._data = self._data[:length], self._data[length:]
            return part
        return self._status

    def _execute(self, command: bytes) -> bytes | None:
        """The data that a command gives; ``None`` where it fails, as it is not known."""
        known = {
            self._INQUIRY: b"\0\x80\4\2\x1f\0\0\0" + b"Bench".ljust(8) + b"Stick".ljust(16) + b"1.00",
            self._READ_CAPACITY: struct.pack(">II", self.SECTORS - 1, self.SECTOR),
            self._MODE_SENSE: b"\3\0\0\0",
            self._REQUEST_SENSE: b"\x70\0\5\0\0\0\0\x0a\0\0\0\0\x20" + bytes(5),
            self._READ: bytes(int.from_bytes(command[7:9]) * self.SECTOR),
            0x00: b"",  # TEST UNIT READY
        }
        return known.get(command[0])


class Mute(UsbDevice):
    """A device whose electronics are broken: it pulls its line up, so the hub sees it, and answers nothing."""

    speed = Speed.FULL

    def device(self) -> bytes:
        """What it would be."""
        return device_descriptor((0xFF, 0, 0), (0x1BCF, 0xDEAD), texts=0)

    def configuration(self) -> bytes:
        """No interface."""
        return configuration_descriptor(0, b"")

    def answer(self, setup: Setup, data: bytes) -> bytes | None:
        """Refuses all."""
        return None
