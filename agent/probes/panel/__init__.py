"""Panel: the displays on the graphics outputs, their EDID, and the backlight.

Reads ``/sys/class/drm/card*-*/`` (``status``, ``enabled``, ``dpms``, ``modes``, ``edid``; reading them makes the kernel
tell what it knows and starts no detection: drm_sysfs.c) and ``/sys/class/backlight/*/`` (kernel ABI:
Documentation/ABI/stable/sysfs-class-backlight). Connectors are read side by side, since a read waits for a driver that
hangs in I2C. Lengths are in m, rates in Hz, modes in px, backlight levels a ratio 0 to 1 of ``max_brightness``.

``panel.internal`` is true for connectors that only a built-in panel can hang on (eDP, LVDS, DSI). In some all-in-ones
the built-in panel hangs on DisplayPort or HDMI; nothing tells it from a monitor there, and ``panel.internal`` is false.

An evidence of kind ``edid`` is a captured EDID by itself, binary or as a hexadecimal dump; its subject is the output
as X names it (``eDP-1``), where that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes._identity import usable_serial
from agent.probes._probe import Probe, Seen
from agent.probes.panel.edid import Edid, decode, resembles
from agent.probes.panel.hex_text import from_hex

DRM = "/sys/class/drm"
BACKLIGHT = "/sys/class/backlight"
INTERNAL = ("eDP", "LVDS", "DSI")
"""Connector types of built-in panels (names of drm_connector.c)."""
NO_DISPLAY = ("Writeback",)
"""Connector types that write into memory: nothing can be plugged in."""

CONNECTOR_FILES = ("status", "enabled", "dpms", "modes", "edid")
BACKLIGHT_FILES = ("type", "scale", "bl_power", "max_brightness", "brightness", "actual_brightness")

_X_OUTPUT = re.compile(r"(eDP|LVDS|DSI|HDMI|DP|DisplayPort|DVI|VGA)(-[A-Z])?(-?\d{1,3}){0,3}")
_CONNECTOR = re.compile(r"card\d+-(?P<type>[A-Za-z]+(?:-[A-Z])?)-\d+")


class PanelProbe(Probe):
    """Displays, identification data and backlight."""

    area = "panel"
    timeout_s = 10.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """One listing, which waits for no driver; then one tree for each connector and each backlight."""
        yield host.tree(f"{DRM}/card*-*", f"{BACKLIGHT}/*")
        connectors = [name for name in map(_name, host.glob(f"{DRM}/card*-*")) if _has_display(name)]
        yield from host.each(connectors, lambda name: _read_connector(host, name), timeout_s=5.0, essential=True)
        backlights = map(_name, host.glob(f"{BACKLIGHT}/*"))
        yield from host.each(backlights, lambda name: _read_backlight(host, name), timeout_s=2.0)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Readings per connector and backlight, components for what is connected."""
        captured = [e for e in evidence if e.kind == "edid"]
        for e in captured:
            yield from _captured_edid(e)
        trees = [e for e in evidence if e.kind == "tree"]
        merged = Tree.merged(trees)
        time = trees[0].time if trees else ""
        connectors = _names(merged, DRM, "card*-*")
        for name in connectors:
            yield from _connector(merged, name, time)
        backlights = _names(merged, BACKLIGHT, "*")
        for name in backlights:
            yield from _backlight(merged, name, time)
        if not connectors and not captured:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        if connectors and not backlights:
            yield Gap("backlight", Outcome.UNSUPPORTED, Text("the kernel shows no such sensor"))


PROBE = PanelProbe()


def connector_type(name: str) -> str:
    """``eDP`` of ``card0-eDP-1``, ``HDMI-A`` of ``card1-HDMI-A-2``; ``""`` when it is no connector's name."""
    match = _CONNECTOR.fullmatch(name)
    return match["type"] if match else ""


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _has_display(name: str) -> bool:
    return connector_type(name) not in ("", *NO_DISPLAY)


def _read_connector(host: Host, name: str) -> Evidence:
    return host.tree(*(f"{DRM}/{name}/{file}" for file in CONNECTOR_FILES), subject=name)


def _read_backlight(host: Host, name: str) -> Evidence:
    return host.tree(*(f"{BACKLIGHT}/{name}/{file}" for file in BACKLIGHT_FILES), subject=name)


def _names(tree: Tree, folder: str, pattern: str) -> list[str]:
    """Names below ``folder``, whether the listing or only their files were captured."""
    paths = [*tree.paths(f"{folder}/{pattern}"), *tree.paths(f"{folder}/{pattern}/*")]
    names = dict.fromkeys(path.split("/")[4] for path in paths)
    if folder == DRM:
        return list(filter(_has_display, names))
    return list(names)


def _connector(tree: Tree, name: str, time: str) -> Iterator[Seen]:
    path = f"{DRM}/{name}"

    def reading(quantity: str, value: Value, unit: str = "") -> Reading:
        return Reading(f"panel.{quantity}", value, unit, ComponentKind.PANEL, name, path, time)

    yield reading("internal", connector_type(name) in INTERNAL)
    yield reading("connector", connector_type(name))
    answered = bool(tree.paths(f"{path}/*"))
    yield reading("responds", answered)
    if not answered:
        return
    status = tree.text(f"{path}/status")
    for quantity in ("status", "enabled", "dpms"):
        value = tree.text(f"{path}/{quantity}")
        if value:
            yield reading(quantity, value)
    if status not in {"connected", "disconnected"}:
        return
    yield reading("connected", status == "connected")
    if status == "disconnected":
        return
    error = tree.error(f"{path}/edid")
    if error:
        yield Gap(name, Outcome.ERROR, Text("could not be read: {error}", {"error": f"edid: {error}"}))
    data = tree.binary(f"{path}/edid")
    if data is None:
        yield Component(ComponentKind.PANEL, name, location=connector_type(name), source=path)
        return
    yield reading("edid.present", bool(data))
    edid = decode(data)
    yield _component(edid, name, connector_type(name), f"{path}/edid")
    if data:
        yield from _identification(edid, name, f"{path}/edid", time)


def _captured_edid(evidence: Evidence) -> Iterator[Seen]:
    data = evidence.data
    if not resembles(data):
        data = from_hex(evidence.text()) or data
    name = evidence.subject or "edid"
    edid = decode(data)
    output = _X_OUTPUT.fullmatch(evidence.subject)
    yield _component(edid, name, output[1] if output else "", evidence.source)
    if output:
        internal = output[1] in INTERNAL
        yield Reading("panel.internal", internal, "", ComponentKind.PANEL, name, evidence.source, evidence.time)
    yield Reading("panel.edid.present", bool(data), "", ComponentKind.PANEL, name, evidence.source, evidence.time)
    if data:
        yield from _identification(edid, name, evidence.source, evidence.time)


def _component(edid: Edid, name: str, location: str, source: str) -> Component:
    model = edid.name or next((text for text in edid.texts if any(map(str.isdigit, text))), "")
    if not model and edid.product is not None:
        model = f"{edid.manufacturer}{edid.product:04X}"
    return Component(
        ComponentKind.PANEL,
        name,
        manufacturer=edid.manufacturer,
        model=model,
        serial=_serial(edid),
        part_number=f"{edid.product:04X}" if edid.product is not None else "",
        location=location,
        description=" ".join(edid.texts),
        source=source,
    )


UNWRITTEN_SERIALS = (0x01010101, 0xFFFFFFFF)
"""Numeric serial numbers that nobody wrote: 69 of the 388 displays in ``corpora/edid`` have the first."""


def _serial(edid: Edid) -> str:
    """The serial number in words where it is one, else the numeric one where it is one, else ``""``."""
    number = edid.serial_number
    numeric = str(number) if number is not None and number not in UNWRITTEN_SERIALS else ""
    return usable_serial(edid.serial_text) or usable_serial(numeric) or ""


def _identification(edid: Edid, name: str, source: str, time: str) -> Iterator[Reading]:
    """The readings of an EDID that has at least one byte."""
    values: list[tuple[str, Value | None, str]] = [
        ("edid.valid", edid.valid, ""),
        ("edid.base_valid", edid.base_ok if edid.checksums else None, ""),
        ("edid.complete", edid.whole, ""),
        ("edid.checksums_bad", edid.checksums.count(False), "count"),
        ("edid.extensions_announced", edid.extensions_announced, "count"),
        ("edid.extensions_present", edid.extensions_present, "count"),
        ("edid.problems", "; ".join(edid.problems) or None, ""),
        ("edid.version", edid.version or None, ""),
        ("year", edid.year, "1"),
        ("week", edid.week, "1"),
        ("model_year", edid.model_year, "1"),
        ("digital", edid.digital, ""),
        ("interface", edid.interface or None, ""),
        ("bits_per_colour", edid.bits_per_colour, "count"),
    ]
    if edid.width_mm and edid.height_mm:
        values += [("size.width", edid.width_mm / 1000, "m"), ("size.height", edid.height_mm / 1000, "m")]
    if edid.preferred:
        mode = edid.preferred
        values += [("width", mode.width, "px"), ("height", mode.height, "px"), ("refresh", mode.refresh, "Hz")]
    if edid.limits:
        limits = edid.limits
        values += [
            ("limits.vertical_min", limits.vertical_min, "Hz"),
            ("limits.vertical_max", limits.vertical_max, "Hz"),
            ("limits.horizontal_min", limits.horizontal_min, "Hz"),
            ("limits.horizontal_max", limits.horizontal_max, "Hz"),
            ("limits.pixel_clock_max", limits.pixel_clock_max or None, "Hz"),
        ]
    for quantity, value, unit in values:
        if value is not None:
            yield Reading(f"panel.{quantity}", value, unit, ComponentKind.PANEL, name, source, time)


def _backlight(tree: Tree, name: str, time: str) -> Iterator[Seen]:
    """``bl_power`` is 0 when on, else a blanking level (FB_BLANK_*); ``actual_brightness`` asks the hardware, where the
    driver can, while ``brightness`` is the last value set.
    """
    path = f"{BACKLIGHT}/{name}"

    def reading(quantity: str, value: Value, unit: str = "") -> Reading:
        return Reading(f"panel.backlight.{quantity}", value, unit, ComponentKind.BACKLIGHT, name, path, time)

    if not tree.paths(f"{path}/*"):
        return
    yield Component(ComponentKind.BACKLIGHT, name, source=path)
    for quantity in ("type", "scale"):
        text = tree.text(f"{path}/{quantity}")
        if text:
            yield reading(quantity, text)
    connector = next((p for p in reversed((tree.link(path) or "").split("/")) if connector_type(p)), None)
    if connector:
        yield reading("connector", connector)
    power = tree.integer(f"{path}/bl_power")
    if power is not None:
        yield reading("power", "on" if power == 0 else "off")
    full = tree.integer(f"{path}/max_brightness")
    for quantity, file in (("set", "brightness"), ("level", "actual_brightness")):
        value = tree.integer(f"{path}/{file}")
        if value is not None and full is not None and 0 <= value <= full and full > 0:
            yield reading(quantity, value / full, "1")
