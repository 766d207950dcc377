"""Cameras: which nodes give pictures, what is behind them, and how fast it is connected.

``/sys/class/video4linux/video*`` (Documentation/driver-api/media/v4l2-dev.rst) and the USB device above it
(Documentation/ABI/stable/sysfs-bus-usb, testing/sysfs-bus-usb), and of udev's database what udev's own rules asked the
node about itself. Serial numbers are read of built-in cameras only: one that was plugged in is not part of the unit.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes._host import Host, now
from agent.probes._probe import Probe, Seen

NODES = "/sys/class/video4linux"
NODE_TIMEOUT_S = 2.0
"""Seconds for one node; ours. The kernel answers from memory, but makes readers wait while it resets the device."""
UDEV_PROPERTIES = (
    *("ID_V4L_CAPABILITIES", "ID_V4L_PRODUCT", "ID_V4L_VERSION", "ID_INTEGRATION", "ID_BUS", "ID_PATH"),
    *("ID_VENDOR_ID", "ID_MODEL_ID", "ID_VENDOR_FROM_DATABASE", "ID_MODEL_FROM_DATABASE"),
)
"""What is kept of udev's. ``ID_SERIAL`` and the names of links hold serial numbers."""

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
        for answer in host.each(nodes, lambda node: _read(host, node), timeout_s=NODE_TIMEOUT_S):
            if isinstance(answer, Gap):
                yield answer
            else:
                yield from answer
        # a copy of a machine's files has no database of its own, and without libudev sysfs says enough
        if nodes and not host.root:
            with contextlib.suppress(Exception):
                yield udev_evidence("video4linux")

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Each camera and its readings; an essential gap where there is none, which may be right for the model."""
        tree, times, udev = Tree(), {}, {}
        for e in evidence:
            if e.kind == "tree":
                tree.files.update(e.tree().files)
                times[e.subject] = e.time
            elif e.kind == "udev":
                udev.update(_udev_properties(e))
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


def udev_evidence(subsystem: str) -> Evidence:
    """The allowed properties of a subsystem's devices by name; raises whatever pyudev does without libudev."""
    import pyudev

    started, start = now(), time.monotonic()
    found = {
        device.sys_name: {key: device.properties[key] for key in UDEV_PROPERTIES if key in device.properties}
        for device in pyudev.Context().list_devices(subsystem=subsystem)
    }
    data = json.dumps(found, sort_keys=True).encode()
    return Evidence("udev", "", data, f"pyudev {subsystem}", started, duration_s=time.monotonic() - start)


def _read(host: Host, node: str) -> Iterator[Evidence]:
    files = ("name", "index", *(f"device/../{file}" for file in _USB))
    evidence = host.tree(*(f"{NODES}/{node}/{file}" for file in files), subject=node)
    yield evidence
    if evidence.tree().text(f"{NODES}/{node}/device/../removable") == "fixed":
        yield host.tree(f"{NODES}/{node}/device/../serial", subject=node)


def _udev_properties(e: Evidence) -> dict[str, dict[str, str]]:
    loaded = e.json()
    return {
        node: {key: value for key, value in properties.items() if isinstance(value, str)}
        for node, properties in (loaded.items() if isinstance(loaded, dict) else ())
        if isinstance(properties, dict)
    }


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
        return (tree.text(f"{usb}/{file}") or udev.get(otherwise, ""))[:100]

    asked = "ID_V4L_CAPABILITIES" in udev
    yield reading("capture", capture, "", "udev ID_V4L_CAPABILITIES" if asked else f"{NODES}/{node}/index")
    if not capture:
        return
    removable = tree.text(f"{usb}/removable")
    yield Component(
        ComponentKind.CAMERA,
        node,
        manufacturer=told("manufacturer", "ID_VENDOR_FROM_DATABASE"),
        model=told("product", "ID_V4L_PRODUCT") or (tree.text(f"{NODES}/{node}/name") or "")[:100],
        serial=(tree.text(f"{usb}/serial") or "")[:100] if removable == "fixed" else "",
        firmware=told("bcdDevice", ""),
        location=(tree.link(f"{NODES}/{node}/device") or "").rpartition("/")[2],
        description=":".join(filter(None, (told("idVendor", "ID_VENDOR_ID"), told("idProduct", "ID_MODEL_ID")))),
        source=f"{NODES}/{node}",
    )
    if removable in {"fixed", "removable"}:
        yield reading("built_in", removable == "fixed", "", f"{usb}/removable")
    elif udev.get("ID_INTEGRATION") in {"internal", "external"}:
        yield reading("built_in", udev["ID_INTEGRATION"] == "internal", "", "udev ID_INTEGRATION")
    speed = tree.text(f"{usb}/speed") or ""
    if re.fullmatch(r"\d{1,6}(\.\d)?", speed, re.ASCII) and 0 < float(speed) < _SPEED_MAX_MBIT:
        yield reading("speed", round(float(speed) * 1_000_000), "bit/s", f"{usb}/speed")
