"""USB devices that this side makes up: QEMU's ``usb-redir`` asks for everything that the guest asks of them.

The protocol is that of usbredir (spice-usbredir, ``docs/usb-redirection-protocol.md``, version 0.7), of which this side
speaks what QEMU's ``usb-redir`` needs on an xHCI controller: control, bulk and interrupt transfers; little-endian.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class _Type(IntEnum):
    HELLO = 0
    DEVICE_CONNECT = 1
    DEVICE_DISCONNECT = 2
    INTERFACE_INFO = 4
    EP_INFO = 5
    SET_CONFIGURATION = 6
    GET_CONFIGURATION = 7
    CONFIGURATION_STATUS = 8
    SET_ALT_SETTING = 9
    GET_ALT_SETTING = 10
    ALT_SETTING_STATUS = 11
    START_INTERRUPT_RECEIVING = 15
    STOP_INTERRUPT_RECEIVING = 16
    INTERRUPT_RECEIVING_STATUS = 17
    CONTROL_PACKET = 100
    BULK_PACKET = 101
    INTERRUPT_PACKET = 103


class Speed(IntEnum):
    """``usb_redir_speed``."""

    LOW = 0
    FULL = 1
    HIGH = 2


@dataclass(frozen=True)
class Setup:
    """The eight bytes that begin a control transfer (USB 2.0, 9.3)."""

    kind: int
    request: int
    value: int
    index: int
    length: int


_HEADER_OF_HELLO = struct.Struct("<III")
_HEADER = struct.Struct("<IIQ")
_CONTROL = struct.Struct("<BBBBHHH")
_BULK = struct.Struct("<BBHIH")
_OK, _STALL = 0, 4
_CAPABILITIES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6
"""A device's release in DEVICE_CONNECT, the greatest packet in EP_INFO, numbers of 64 bits in headers, lengths of 32
bits in BULK_PACKET. The other side has them too.
"""
_UNUSED = 255
_SLOTS = 32

_DEVICE, _CONFIGURATION, _STRING, _INTERFACE, _ENDPOINT, _QUALIFIER = 1, 2, 3, 4, 5, 6
_CAPABILITIES_OF_DEVICE = 15
_GET_STATUS, _CLEAR_FEATURE, _GET_DESCRIPTOR = 0, 1, 6
_ENGLISH = 0x0409


class UsbDevice:
    """A device as its descriptors (USB 2.0, 9.6), and what it does beyond what every device does."""

    speed = Speed.HIGH
    texts: Sequence[str] = ()
    """The strings that its descriptors name by number, from 1."""

    def device(self) -> bytes:
        """The device descriptor."""
        raise NotImplementedError

    def configuration(self) -> bytes:
        """The configuration descriptor with all that follows it."""
        raise NotImplementedError

    def capabilities(self) -> bytes | None:
        """The binary device object store, which devices for USB 3 have (USB 3.2, 9.6.2)."""
        return None

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer a request of its class; ``None`` refuses it (a stall)."""
        return None

    def bulk_in(self, endpoint: int, length: int) -> bytes | None:
        """At most ``length`` bytes from a bulk endpoint; ``None`` leaves the guest waiting for ever."""
        return b""

    def bulk_out(self, endpoint: int, data: bytes) -> None:
        """Take what the guest sends to a bulk endpoint."""

    def answer(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer any request."""
        if (setup.kind, setup.request) == (0x80, _GET_DESCRIPTOR):
            found = self._descriptor(setup.value >> 8, setup.value & 0xFF)
            return None if found is None else found[: setup.length]
        if setup.kind in (0x80, 0x81, 0x82) and setup.request == _GET_STATUS:
            return bytes([setup.kind == 0x80, 0])  # a device is powered by itself, an endpoint not halted
        if (setup.kind, setup.request) == (0x02, _CLEAR_FEATURE):
            return b""
        return self.control(setup, data)

    def _descriptor(self, kind: int, number: int) -> bytes | None:
        if kind == _DEVICE:
            return self.device()
        if kind == _CONFIGURATION and number == 0:
            return self.configuration()
        if kind == _CAPABILITIES_OF_DEVICE:
            return self.capabilities()
        if kind == _STRING and number <= len(self.texts):
            text = self.texts[number - 1].encode("utf-16-le") if number else struct.pack("<H", _ENGLISH)
            return bytes([2 + len(text), _STRING]) + text
        return None


class Redirected:
    """A device behind a ``usb-redir`` of QEMU, which is tied to it by a socket. It is out until :meth:`plug`."""

    def __init__(self, device: UsbDevice, path: Path) -> None:
        self.device = device
        self._alternates: dict[int, int] = {}
        self._configured = 0
        self._polled = threading.Event()
        self._greeted = threading.Event()
        self._writing = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._thread = threading.Thread(target=self._serve, name="usbredir", daemon=True)
        self._thread.start()

    def plug(self) -> None:
        """Put the plug in."""
        self._greeted.wait(10)
        self._tell_interfaces()
        device = self.device.device()
        kind, subclass, protocol = device[4:7]
        vendor, product, release = struct.unpack_from("<HHH", device, 8)
        numbers = struct.pack("<BBBBHHH", self.device.speed, kind, subclass, protocol, vendor, product, release)
        self._send(_Type.DEVICE_CONNECT, 0, numbers)

    def unplug(self) -> None:
        """Pull the plug out."""
        self._polled.clear()
        self._configured = 0
        self._send(_Type.DEVICE_DISCONNECT, 0)

    def interrupt(self, endpoint: int, data: bytes, timeout_s: float = 20.0) -> None:
        """Give ``data`` at an interrupt endpoint, once the guest listens there."""
        if not self._polled.wait(timeout_s):
            raise TimeoutError("the guest does not listen to the device")
        self._send(_Type.INTERRUPT_PACKET, 0, struct.pack("<BBH", endpoint, _OK, len(data)) + data)

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            _, length, _ = _HEADER_OF_HELLO.unpack(self._receive(_HEADER_OF_HELLO.size))
            self._receive(length)
            hello = b"bench".ljust(64, b"\0") + struct.pack("<I", _CAPABILITIES)
            self._socket.sendall(_HEADER_OF_HELLO.pack(_Type.HELLO, len(hello), 0) + hello)
            self._greeted.set()
            while True:
                kind, length, number = _HEADER.unpack(self._receive(_HEADER.size))
                self._handle(kind, number, self._receive(length))

    def _handle(self, kind: int, number: int, body: bytes) -> None:
        if kind == _Type.CONTROL_PACKET:
            self._control(number, body)
        elif kind == _Type.BULK_PACKET:
            self._bulk(number, body)
        elif kind in (_Type.SET_CONFIGURATION, _Type.GET_CONFIGURATION):
            if kind == _Type.SET_CONFIGURATION:
                self._configured = body[0]
                self._alternates = {}
                self._tell_interfaces()
            self._send(_Type.CONFIGURATION_STATUS, number, bytes([_OK, self._configured]))
        elif kind in (_Type.SET_ALT_SETTING, _Type.GET_ALT_SETTING):
            if kind == _Type.SET_ALT_SETTING:
                self._alternates[body[0]] = body[1]
                self._tell_interfaces()
            self._send(_Type.ALT_SETTING_STATUS, number, bytes([_OK, body[0], self._alternates.get(body[0], 0)]))
        elif kind == _Type.START_INTERRUPT_RECEIVING:
            self._send(_Type.INTERRUPT_RECEIVING_STATUS, number, bytes([_OK, body[0]]))
            self._polled.set()
        elif kind == _Type.STOP_INTERRUPT_RECEIVING:
            self._polled.clear()
            self._send(_Type.INTERRUPT_RECEIVING_STATUS, number, bytes([_OK, body[0]]))

    def _control(self, number: int, body: bytes) -> None:
        endpoint, request, kind, _, value, index, length = _CONTROL.unpack_from(body)
        said = self.device.answer(Setup(kind, request, value, index, length), body[_CONTROL.size :])
        status = _STALL if said is None else _OK
        data = (said or b"") if kind & 0x80 else b""
        told = len(data) if kind & 0x80 else length
        self._send(
            _Type.CONTROL_PACKET, number, _CONTROL.pack(endpoint, request, kind, status, value, index, told) + data
        )

    def _bulk(self, number: int, body: bytes) -> None:
        endpoint, _, low, stream, high = _BULK.unpack_from(body)
        length, data = high << 16 | low, b""
        if endpoint & 0x80:
            said = self.device.bulk_in(endpoint, length)
            if said is None:
                return
            data, length = said, len(said)
        else:
            self.device.bulk_out(endpoint, body[_BULK.size :])
        told = _BULK.pack(endpoint, _OK, length & 0xFFFF, stream, length >> 16)
        self._send(_Type.BULK_PACKET, number, told + data)

    def _tell_interfaces(self) -> None:
        interfaces, endpoints = layout(self.device.configuration())
        self._send(_Type.INTERFACE_INFO, 0, interfaces)
        self._send(_Type.EP_INFO, 0, endpoints)

    def _send(self, kind: _Type, number: int, body: bytes = b"") -> None:
        with self._writing:
            self._socket.sendall(_HEADER.pack(kind, len(body), number) + body)

    def _receive(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            chunk = self._socket.recv(length - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data


def layout(configuration: bytes) -> tuple[bytes, bytes]:
    """The bodies of INTERFACE_INFO and EP_INFO for a configuration descriptor whose interfaces have one setting each.

    An endpoint's slot is its number, and 16 more where it sends to the host.
    """
    kinds, intervals, owners, sizes = [_UNUSED] * _SLOTS, [0] * _SLOTS, [0] * _SLOTS, [0] * _SLOTS
    kinds[0] = kinds[16] = 0
    sizes[0] = sizes[16] = 64
    found: list[tuple[int, int, int, int]] = []
    at = 0
    while at < len(configuration):
        length, kind = configuration[at : at + 2]
        part = configuration[at : at + length]
        if kind == _INTERFACE:
            found.append((part[2], part[5], part[6], part[7]))
        elif kind == _ENDPOINT:
            address, attributes, size, interval = struct.unpack_from("<BBHB", part, 2)
            slot = (address & 0x80) >> 3 | address & 0x0F
            kinds[slot], intervals[slot], owners[slot], sizes[slot] = attributes & 3, interval, found[-1][0], size
        at += length
    filled = found + [(0, 0, 0, 0)] * (_SLOTS - len(found))
    columns = b"".join(bytes(column) for column in zip(*filled, strict=True))
    info = struct.pack("<I", len(found)) + columns
    return info, bytes(kinds + intervals + owners) + struct.pack(f"<{_SLOTS}H", *sizes)
