"""Cameras: which nodes give pictures, what is behind them, and how fast it is connected.

``/sys/class/video4linux/video*`` (Documentation/driver-api/media/v4l2-dev.rst) and the USB device above it
(Documentation/ABI/stable/sysfs-bus-usb, testing/sysfs-bus-usb), and of udev's database what udev's own rules asked the
node about itself. Serial numbers are read of built-in cameras only: one that was plugged in is not part of the unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes import _udev
from agent.probes._identity import usable_serial
from agent.probes._probe import Probe, Seen

NODES = "/sys/class/video4linux"
NODE_TIMEOUT_S = 2.0
"""Seconds for one node; ours. The kernel answers from memory, but makes readers wait while it resets the device."""
UDEV_PROPERTIES = ("ID_INTEGRATION", "ID_V4L_CAPABILITIES", "ID_V4L_PRODUCT")
"""Besides the names: ``internal`` or ``external``, what the node can do, and what the driver calls it."""

_USB = ("manufacturer", "product", "idVendor", "idProduct", "bcdDevice", "removable", "speed")
_SPEED_MAX_MBIT = 100_000  # beyond any USB (USB4 2.0: 80 000)


class CameraProbe(Probe):
    """Cameras with their readings, subject ``video0``; nodes without hardware behind them are passed over.

    ``camera.count`` (count) for the unit; ``camera.capture`` (yes/no): whether the node gives pictures. A camera has
    further nodes that give data about pictures only. udev says which (its capture capability); without udev it is the
    first node of a device (``index`` 0), as drivers register them. ``camera.built_in`` (yes/no), where firmware or hub
    told the kernel (``removable``) or udev knows. ``camera.speed`` (bit/s, scaled from Mbit/s) of the USB connection.
    """

    area: ClassVar[str] = "camera"
    timeout_s: ClassVar[float] = 5.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Which nodes there are, each of them side by side, and udev's view of them; all from memory."""
        links = host.tree(f"{NODES}/video*/device")
        yield links
        nodes = [path.split("/")[4] for path in links.tree().paths(f"{NODES}/video*/device")]
        if not nodes:
            return
        readers: dict[str, Callable[[], Evidence | Gap]] = {node: partial(_read, host, node) for node in nodes}
        readers["names"] = partial(_udev.gather, host, "video4linux", UDEV_PROPERTIES)
        yield from host.each(readers, lambda name: readers[name](), timeout_s=NODE_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Each camera and its readings; an essential gap where there is none, which may be right for the model."""
        tree = Tree.merged(evidence)
        times = {e.subject: e.time for e in evidence if e.kind == "tree"}
        udev = _udev.names(evidence)
        time = next(iter(times.values()), "")
        nodes = [path.split("/")[4] for path in tree.paths(f"{NODES}/video*/device")]
        captures = {node: _captures(tree, node, udev.get(node, {})) for node in nodes}
        if any(captures.values()):
            count = sum(map(bool, captures.values()))
            yield Reading("camera.count", count, "count", ComponentKind.CAMERA, "", NODES, time)
        else:
            yield _nothing([node for node in nodes if captures[node] is None])
        for node, capture in captures.items():
            if capture is not None:
                yield from _node(tree, node, capture, udev.get(node, {}), times.get(node, time))


PROBE = CameraProbe()


def _read(host: Host, node: str) -> Evidence:
    """The serial number of what is built in only."""
    base = f"{NODES}/{node}"
    removable = host.tree(f"{base}/device/../removable").tree().text(f"{base}/device/../removable")
    usb = (*_USB, "serial") if removable == "fixed" else _USB
    return host.tree(f"{base}/name", f"{base}/index", *(f"{base}/device/../{file}" for file in usb), subject=node)


def _captures(tree: Tree, node: str, udev: Mapping[str, str]) -> bool | None:
    """Whether the node gives pictures; ``None`` where nothing was read of it."""
    capabilities = udev.get("ID_V4L_CAPABILITIES")
    if capabilities is not None:
        return "capture" in capabilities.split(":")
    index = tree.integer(f"{NODES}/{node}/index")
    return None if index is None else index == 0


def _nothing(unread: Sequence[str]) -> Gap:
    if unread:
        reason = Text("could not be read: {error}", {"error": f"{NODES}/{unread[0]}"})
        return Gap("", Outcome.ERROR, reason, essential=True)
    return Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)


def _node(tree: Tree, node: str, capture: bool, udev: Mapping[str, str], time: str) -> Iterator[Seen]:
    usb = f"{NODES}/{node}/device/.."

    def reading(quantity: str, value: Value, unit: str, source: str) -> Reading:
        return Reading(f"camera.{quantity}", value, unit, ComponentKind.CAMERA, node, source, time)

    def told(file: str, otherwise: str) -> str:
        return _udev.printable(tree.text(f"{usb}/{file}") or udev.get(otherwise))

    asked = "ID_V4L_CAPABILITIES" in udev
    yield reading("capture", capture, "", "udev ID_V4L_CAPABILITIES" if asked else f"{NODES}/{node}/index")
    if not capture:
        return
    removable = tree.text(f"{usb}/removable")
    yield Component(
        ComponentKind.CAMERA,
        node,
        manufacturer=told("manufacturer", "ID_VENDOR_FROM_DATABASE"),
        model=told("product", "ID_V4L_PRODUCT") or _udev.printable(tree.text(f"{NODES}/{node}/name")),
        serial=usable_serial(tree.text(f"{usb}/serial") or "") or "" if removable == "fixed" else "",
        firmware=told("bcdDevice", ""),
        location=(tree.link(f"{NODES}/{node}/device") or "").rpartition("/")[2],
        description=":".join(filter(None, (told("idVendor", ""), told("idProduct", "")))),
        source=f"{NODES}/{node}",
    )
    if removable in {"fixed", "removable"}:
        yield reading("built_in", removable == "fixed", "", f"{usb}/removable")
    elif udev.get("ID_INTEGRATION") in {"internal", "external"}:
        yield reading("built_in", udev["ID_INTEGRATION"] == "internal", "", "udev ID_INTEGRATION")
    speed = tree.text(f"{usb}/speed") or ""
    if re.fullmatch(r"\d{1,6}(\.\d)?", speed, re.ASCII) and 0 < float(speed) < _SPEED_MAX_MBIT:
        yield reading("speed", round(float(speed) * 1_000_000), "bit/s", f"{usb}/speed")
