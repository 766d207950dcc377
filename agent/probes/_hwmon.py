"""Monitoring chips as the kernel shows them in ``/sys/class/hwmon``, with lm-sensors' names, labels and scaling.

Source of names and units: Linux Documentation/hwmon/sysfs-interface.rst (voltages mV, currents mA, temperatures
m°C, power µW, fans rpm, alarms and faults 0 or 1); of the chip names: ``sensors`` (``nct6798-isa-0290``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agent.model import Tree
from agent.probes._sensors import Printed
from agent.probes._sensors_conf import SensorsConf

_FILE = re.compile(r"(in|fan|temp|curr|power)([0-9]{1,3})_([a-z_]+)")
_SCALE = {"in": 1e-3, "fan": 1.0, "temp": 1e-3, "curr": 1e-3, "power": 1e-6}
_LIMITS = ("min", "max", "crit", "lcrit", "target")
_ALARMS = ("alarm", "min_alarm", "max_alarm", "crit_alarm", "lcrit_alarm")


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of a chip. ``kind`` is ``in`` (V), ``fan`` (rpm), ``temp`` (°C), ``curr`` (A) or ``power`` (W).

    ``name`` is the kernel's (``in0``), ``label`` what it measures: lm-sensors' configuration, else the driver's label,
    else ``name``; ``labelled`` tells the last case. ``value`` is ``None`` where it could not be read, and ``error``
    then the errno's name. ``limits`` are in the value's unit, by the kernel's word (``min``, ``max``, ``crit``,
    ``lcrit``, ``target``). ``alarm`` and ``fault`` are ``None`` where the driver has none.
    """

    kind: str
    name: str
    label: str
    labelled: bool
    value: float | None
    error: str | None
    limits: dict[str, float]
    alarm: bool | None
    fault: bool | None
    source: str


@dataclass(frozen=True, slots=True)
class Chip:
    """One chip: ``name`` as ``sensors`` has it; ``directory`` is ``/sys/class/hwmon/hwmonN``."""

    name: str
    directory: str
    features: list[Feature] = field(default_factory=list)

    @property
    def driver(self) -> str:
        """The first part of the name (``nct6798``)."""
        return self.name.partition("-")[0]


def read_chips(tree: Tree, conf: SensorsConf) -> Iterator[Chip]:
    """The chips in a captured tree of ``/sys/class/hwmon``, with at least one input, in the kernel's order."""
    for name_file in tree.paths("/sys/class/hwmon/hwmon*/name") + tree.paths("/sys/class/hwmon/hwmon*/device/name"):
        base = name_file.removesuffix("/name")
        directory = base.removesuffix("/device")
        prefix = _clean(tree.text(name_file) or "").replace("-", "_")
        name = f"{prefix}-{_bus(tree, directory)}"
        features = list(_features(_Inputs(tree, base, name, conf)))
        if prefix and features:
            yield Chip(name, directory, features)


def from_sensors(printed: Printed) -> Iterator[Chip]:
    """The chips in what ``sensors`` printed: values are in SI units, labelled and computed already."""
    for chip, features in printed.items():
        found = [feature for label, values in features.items() if (feature := _printed(label, values)) is not None]
        if found:
            yield Chip(_clean(chip), "", found)


def _printed(label: str, values: Mapping[str, float]) -> Feature | None:
    words: dict[str, float] = {}
    kind = name = ""
    for key, value in values.items():
        part = _FILE.fullmatch(key)
        if part and abs(value) < 2**63:
            kind, name = part[1], f"{part[1]}{part[2]}"
            words[part[3]] = round(value, 6)
    if not words:
        return None
    alarms = [words[word] != 0 for word in _ALARMS if word in words]
    return Feature(
        kind=kind,
        name=name,
        label=_clean(label) or name,
        labelled=_clean(label) not in ("", name),
        value=words.get("input", words.get("average")),
        error=None,
        limits={word: words[word] for word in _LIMITS if word in words},
        alarm=any(alarms) if alarms else None,
        fault=words["fault"] != 0 if "fault" in words else None,
        source="sensors",
    )


def _bus(tree: Tree, directory: str) -> str:
    """Bus and address as libsensors writes them, from the device behind the chip or the one behind that."""
    for device in (f"{directory}/device", f"{directory}/device/device"):
        name = (tree.link(device) or "").rstrip("/").rpartition("/")[2]
        subsystem = (tree.link(f"{device}/subsystem") or "").rstrip("/").rpartition("/")[2]
        match subsystem:
            case "i2c" if found := re.fullmatch(r"([0-9]{1,5})-([0-9a-f]{1,8})", name):
                return f"i2c-{int(found[1])}-{int(found[2], 16):02x}"
            case "spi" if found := re.fullmatch(r"spi([0-9]{1,5})\.([0-9]{1,8})", name):
                return f"spi-{int(found[1])}-{int(found[2]):x}"
            case "pci" if found := re.fullmatch(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", name):
                domain, bus, slot, function = (int(part, 16) for part in found.groups())
                return f"pci-{(domain << 16) + (bus << 8) + (slot << 3) + function:04x}"
            case "hid" if found := re.fullmatch(r"([0-9A-F]{4}):[0-9A-F]{4}:[0-9A-F]{4}\.([0-9A-F]{4,8})", name):
                return f"hid-{int(found[1], 16)}-{int(found[2], 16):x}"
            case "platform" | "of_platform":
                found = re.match(r"[a-z0-9_]+\.([0-9]{1,9})", name)
                return f"isa-{int(found[1]) if found else 0:04x}"
            case "acpi":
                return "acpi-0"
    return "virtual-0"


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Where one chip's files are, and what lm-sensors' configuration says of it."""

    tree: Tree
    base: str
    chip: str
    conf: SensorsConf

    def value(self, name: str, word: str, depth: int = 0) -> float | None:
        """A file's number in SI units, after ``compute``; an expression may name other files."""
        raw = self.tree.integer(f"{self.base}/{name}_{word}")
        kind = name.rstrip("0123456789")
        if raw is None or abs(raw) >= 2**63 or kind not in _SCALE or depth > 4:
            return None

        def lookup(other: str) -> float | None:
            feature, _, measured = other.partition("_")
            return self.value(feature, measured, depth + 1)

        value = self.conf.compute(self.chip, name, raw * _SCALE[kind], lookup)
        return None if value is None else round(value, 6)

    def flag(self, name: str, words: tuple[str, ...]) -> bool | None:
        """Whether any of the files is raised; ``None`` where the driver has none of them."""
        flags = [flag for word in words if (flag := self.tree.integer(f"{self.base}/{name}_{word}")) is not None]
        return any(flags) if flags else None

    def label(self, name: str) -> str:
        """``""`` where neither configuration nor driver has one."""
        given = self.conf.label(self.chip, name) or self.tree.text(f"{self.base}/{name}_label")
        return _clean(given or "")


def _features(inputs: _Inputs) -> Iterator[Feature]:
    found: dict[tuple[str, int], set[str]] = {}
    for path in inputs.tree.paths(f"{inputs.base}/*"):
        part = _FILE.fullmatch(path.rpartition("/")[2])
        if part:
            found.setdefault((part[1], int(part[2])), set()).add(part[3])
    order = list(_SCALE)
    labels: set[tuple[str, str]] = set()
    for kind, number in sorted(found, key=lambda key: (order.index(key[0]), key[1])):
        name = f"{kind}{number}"
        measured = next((word for word in ("input", "average") if word in found[kind, number]), None)
        if measured is None or inputs.conf.ignored(inputs.chip, name):
            continue
        given = inputs.label(name)
        label = f"{given} ({name})" if (kind, given) in labels else given or name
        labels.add((kind, given or name))
        limits = {word: inputs.value(name, word) for word in _LIMITS}
        source = f"{inputs.base}/{name}_{measured}"
        yield Feature(
            kind=kind,
            name=name,
            label=label,
            labelled=bool(given),
            value=inputs.value(name, measured),
            error=inputs.tree.error(source),
            limits={word: limit for word, limit in limits.items() if limit is not None},
            alarm=inputs.flag(name, _ALARMS),
            fault=inputs.flag(name, ("fault",)),
            source=source,
        )


def _clean(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:64]
