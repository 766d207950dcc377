"""USB: what is plugged in or built in, how fast it runs, and which ports were overloaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes import _udev
from agent.probes._identity import usable_serial
from agent.probes._probe import Probe, Seen

DEVICES = "/sys/bus/usb/devices"

DEVICE = re.compile(r"usb\d{1,4}|\d{1,4}-\d{1,3}(\.\d{1,3})*", re.ASCII)
"""``usb1`` is the root hub of bus 1, ``1-2.3`` hangs on port 3 of the hub on its port 2 (drivers/usb/core/usb.c)."""
PORT = re.compile(rf"({DEVICE.pattern})-port\d{{1,3}}", re.ASCII)
SPEEDS = ("1.5", "12", "480", "5000", "10000", "20000")
"""In Mbit/s, as the kernel writes them (drivers/usb/core/sysfs.c, ``speed_show``)."""
FIXED = "fixed"
"""What cannot be unplugged, as firmware says (Documentation/ABI/testing/sysfs-devices-removable)."""

DEVICE_FILES = (
    "idVendor",
    "idProduct",
    "manufacturer",
    "product",
    "speed",
    "version",
    "bDeviceClass",
    "bMaxPower",
    "maxchild",
    "removable",
    "authorized",
    "power/runtime_status",
)
PORT_FILES = ("over_current_count", "connect_type", "quirks", "state", "peer")

_TIMEOUT_S = 5.0
"""For one device. Its files wait while the kernel resets it, for 5 s at most where it does not answer at all
(``USB_CTRL_GET_TIMEOUT``); ours."""


class UsbProbe(Probe):
    """Devices and ports of the Universal Serial Bus.

    From ``/sys/bus/usb/devices`` (kernel Documentation/ABI/stable/sysfs-bus-usb and testing/sysfs-bus-usb), of every
    device and hub, subjects ``usb1``, ``1-2.3``: ``usb.speed`` in bit/s, at which it runs; ``usb.version``, the release
    of the specification that it says it follows (``3.20``); ``usb.device.id`` (``vendor:product``), ``.name`` (its own
    words, else those of udev's hardware database), ``.manufacturer``, ``.class`` (``0x09``),
    ``.max_current`` in A, ``.ports`` (``count``, of a hub), ``.removable`` (``fixed``, ``removable``, ``unknown``),
    ``.authorized``, ``.power`` (``active``, ``suspended``) and ``.port``, where it hangs.

    Of every port, subjects ``usb1-port3``, ``1-2-port1``: ``usb.port.over_current`` (``count`` since the start or since
    the hub appeared), ``usb.port.connection`` (``hotplug``, ``hardwired``, ``not used`` or ``unknown``: what firmware
    says), ``.state``, and ``.peer``, the port of the same connector for the other kind of speed.

    Serial numbers are private, so they are read of built-in devices only: ``usb.device.serial``.
    """

    area = "usb"
    timeout_s = 10.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Ports first, which wait for no device; then names, and the devices side by side."""
        yield host.tree(*(f"{DEVICES}/*/*-port*/{file}" for file in PORT_FILES), subject="ports")
        found = [path.rpartition("/")[2] for path in host.glob(f"{DEVICES}/*")]
        devices = [device for device in found if DEVICE.fullmatch(device)]
        if not devices:
            return
        readers: dict[str, Callable[[], Evidence | Gap]] = {d: partial(_read_device, host, d) for d in devices}
        readers["names"] = partial(_udev.gather, host, "usb")
        yield from host.each(readers, lambda name: readers[name](), timeout_s=_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Unsupported without any device: a controller has at least its root hub."""
        tree = Tree.merged(evidence)
        names = _udev.names(evidence)
        time = evidence[0].time if evidence else ""
        devices = dict.fromkeys(path.split("/")[5] for path in tree.paths(f"{DEVICES}/*/*"))
        seen = [r for d in devices if DEVICE.fullmatch(d) for r in _device(tree, d, names.get(d, {}), time)]
        yield from seen
        ports = dict.fromkeys(path.rpartition("/")[0] for path in tree.paths(f"{DEVICES}/*/*-port*/*"))
        counted = [r for path in ports if PORT.fullmatch(_name(path)) for r in _port(tree, path, time)]
        yield from counted
        if not seen:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        elif not any(reading.name == "usb.port.over_current" for reading in counted):
            yield Gap("ports", Outcome.UNSUPPORTED, Text("the kernel shows no such sensor"))


PROBE = UsbProbe()


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _read_device(host: Host, device: str) -> Evidence:
    """The serial number of what is built in only."""
    path = f"{DEVICES}/{device}"
    removable = host.tree(f"{path}/removable").tree().text(f"{path}/removable")
    files = (*DEVICE_FILES, "serial") if removable == FIXED else DEVICE_FILES
    return host.tree(*(f"{path}/{file}" for file in files), subject=device)


def _device(tree: Tree, device: str, names: dict[str, str], time: str) -> Iterator[Reading]:
    path = f"{DEVICES}/{device}"

    def reading(quantity: str, value: Value, unit: str, file: str) -> Reading:
        return Reading(f"usb.{quantity}", value, unit, ComponentKind.USB_PORT, device, f"{path}/{file}", time)

    def text(file: str) -> str:
        return _udev.printable(tree.text(f"{path}/{file}"))

    if text("speed") in SPEEDS:
        yield reading("speed", float(text("speed")) * 1e6, "bit/s", "speed")
    if re.fullmatch(r"\d\.\d\d", text("version"), re.ASCII):
        yield reading("version", text("version"), "", "version")
    milliamperes = re.fullmatch(r"(\d{1,4})mA", text("bMaxPower"), re.ASCII)
    if milliamperes:
        yield reading("device.max_current", int(milliamperes[1]) / 1000, "A", "bMaxPower")
    ports = tree.integer(f"{path}/maxchild")
    if ports is not None and 0 < ports < 256:
        yield reading("device.ports", ports, "count", "maxchild")
    if text("authorized") in {"0", "1"}:
        yield reading("device.authorized", text("authorized") == "1", "", "authorized")
    for quantity, value, file in _texts(text, names):
        if value:
            yield reading(f"device.{quantity}", value, "", file)
    if _hangs_on(device):
        yield reading("device.port", _hangs_on(device), "", "port")


def _texts(text: Callable[[str], str], names: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Quantity, value (``""`` where there is none) and file of what a device says of itself in words or numbers."""
    numbers = re.fullmatch("[0-9a-f]{4}:[0-9a-f]{4}", f"{text('idVendor')}:{text('idProduct')}")
    ids = numbers[0] if numbers else ""
    maker, called = (_udev.printable(names.get(key)) for key in _udev.PROPERTIES)
    kind = re.fullmatch("[0-9a-f]{2}", text("bDeviceClass"))
    yield "id", ids, "idProduct"
    yield "name", text("product") or called, "product"
    yield "manufacturer", text("manufacturer") or maker, "manufacturer"
    yield "class", f"0x{kind[0]}" if kind else "", "bDeviceClass"
    yield "removable", text("removable"), "removable"
    yield "power", text("power/runtime_status"), "power/runtime_status"
    if text("removable") == FIXED:
        yield "serial", usable_serial(text("serial")) or "", "serial"


def _hangs_on(device: str) -> str:
    """``usb1-port2`` for ``1-2``, ``1-2-port3`` for ``1-2.3``; ``""`` for a root hub."""
    bus, _, way = device.partition("-")
    *hubs, number = way.split(".")
    if not way:
        return ""
    return f"{bus}-{'.'.join(hubs)}-port{number}" if hubs else f"usb{bus}-port{number}"


def _port(tree: Tree, path: str, time: str) -> Iterator[Reading]:
    def reading(quantity: str, value: Value, unit: str, file: str) -> Reading:
        return Reading(f"usb.port.{quantity}", value, unit, ComponentKind.USB_PORT, _name(path), f"{path}/{file}", time)

    count = tree.integer(f"{path}/over_current_count")
    if count is not None and 0 <= count < 2**32:
        yield reading("over_current", count, "count", "over_current_count")
    for quantity, file in (("connection", "connect_type"), ("state", "state")):
        value = _udev.printable(tree.text(f"{path}/{file}"))
        if value:
            yield reading(quantity, value, "", file)
    peer = _name(tree.link(f"{path}/peer") or "")
    if PORT.fullmatch(peer):
        yield reading("peer", peer, "", "peer")
