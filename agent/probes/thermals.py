"""Thermals: how hot it is, how much is left to the limits, and whether the processor was slowed down for it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Readings, Text, Tree, Value
from agent.probes._probe import Probe, Seen
from agent.probes._sensors import printed

THERMAL = "/sys/class/thermal"
HWMON = "/sys/class/hwmon"
CPU = "/sys/devices/system/cpu"

CPU_CHIPS = ("coretemp", "k10temp", "zenpower")
"""The drivers of processors' own sensors. All other hwmon chips are the board probe's."""
PLAUSIBLE_C = (-40.0, 150.0)
"""Exclusive. Below is no room that a PC works in, above no silicon that works (ours; sensors show -273, 511, 65261)."""
LIMIT_C = (40.0, 150.0)
"""What can be a limit (ours; firmware that has none gives 0, -274 or 255)."""
PLACEHOLDERS_C = (16.8, 16.9, 27.8, 27.9, 29.8, 29.9)
"""What ACPI firmware that has no sensor makes up: 290 K, 301 K or 303 K in both of the kernel's roundings. From the
field; a real sensor may show one of them by chance, so such a value is marked and kept."""

COUNTERS = tuple(
    f"{CPU}/cpu[0-9]*/thermal_throttle/{part}_throttle_{what}"
    for part in ("core", "package")
    for what in ("count", "total_time_ms")
)
"""Files that count how often and how long the processor slowed itself down."""

_ZONE_KINDS = (
    ("x86_pkg_temp", ComponentKind.CPU),
    ("cpu", ComponentKind.CPU),
    ("soc", ComponentKind.CPU),
    ("iwlwifi", ComponentKind.WIFI),
    ("nvme", ComponentKind.STORAGE_DEVICE),
)
_TIMEOUT_S = 5.0
"""For one zone or device. Firmware that works answers in ms; ours."""
_FOLLOWS_S = 3.0
"""Within which a fan is driven up, once it has become hot; ours: the kernel looks at a zone each few seconds."""


class ThermalsProbe(Probe):
    """Temperatures, limits, cooling and throttling.

    From ``/sys/class/thermal`` (m°C; kernel Documentation/driver-api/thermal/sysfs-api.rst) and the processor's own
    sensor in hwmon (m°C; Documentation/hwmon/sysfs-interface.rst), subjects ``thermal_zone0``, ``hwmon2/Package id 0``:
    ``thermals.temperature``, ``thermals.trip.critical|hot|passive|active`` (the lowest of each), ``thermals.headroom``
    (to the critical or hot limit, whichever is lower), all in °C, and ``thermals.type``. A value that no sensor of a PC
    can have is ``thermals.implausible`` instead of a temperature; ``thermals.placeholder`` is true for one that some
    firmware makes up. ``thermals.cooling.state`` and ``.max_state`` are levels, 0 is off.

    From ``/sys/devices/system/cpu`` for all processors together (subject ``""``): ``thermals.throttle.core_count`` and
    ``.package_count`` since the start, ``.core_time`` and ``.package_time`` in s, of the most affected one (kernel
    Documentation/ABI/testing/sysfs-devices-system-cpu); ``thermals.frequency``, ``.frequency_limit`` and
    ``.frequency_max`` in Hz, of the fastest. For context ``thermals.uptime`` in s and ``thermals.load``, the average
    number of running tasks of the last minute for each processor.

    Of captured output of ``sensors`` (evidence of the kinds ``sensors-json`` and ``sensors-text``) the processors'
    sensors are read.
    """

    area = "thermals"
    timeout_s = 2 * _TIMEOUT_S + _FOLLOWS_S + 2.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Zones and devices side by side, since some wait for firmware; the processors are one more. Where it has just
        become hot, and the fan is still to be driven up, a second look is what counts.
        """
        readers: dict[str, Callable[[], Evidence]] = {"cpu": partial(_read_processors, host)}
        for path in host.glob(f"{THERMAL}/thermal_zone*"):
            readers[_name(path)] = partial(_read_files, host, path, "type", "temp", "mode", "policy", "trip_point_*")
        for path in host.glob(f"{THERMAL}/cooling_device*"):
            readers[_name(path)] = partial(_read_files, host, path, "type", "cur_state", "max_state")
        for path in host.glob(f"{HWMON}/hwmon*"):
            readers[_name(path)] = partial(_read_chip, host, path)
        seen = []
        for piece in host.each(readers, lambda name: readers[name](), timeout_s=_TIMEOUT_S):
            seen += [piece] if isinstance(piece, Evidence) else []
            yield piece
        if _waits_for_its_fan(self.interpret(seen)):
            time.sleep(_FOLLOWS_S)
            again = [name for name in readers if name.startswith(("thermal_zone", "cooling_device"))]
            yield from host.each(again, lambda name: readers[name](), timeout_s=_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Without any temperature that can be trusted the area is unsupported."""
        merged = Tree.merged(evidence)
        time = evidence[0].time if evidence else ""
        seen = [*_zones(merged, time), *_chips(merged, time)]
        for e in evidence:
            seen += _printed(e)
        yield from seen
        yield from _cooling(merged, time)
        yield from _processors(merged, time)
        if not any(isinstance(item, Reading) and item.name == "thermals.temperature" for item in seen):
            yield Gap("", Outcome.UNSUPPORTED, Text("the kernel shows no such sensor"), essential=True)


PROBE = ThermalsProbe()


def _waits_for_its_fan(seen: Iterable[Seen]) -> bool:
    """Whether a zone is at the point at which its fan is driven up, and no fan is."""
    readings = Readings(item for item in seen if isinstance(item, Reading))
    fans = [r for r in readings.all("thermals.cooling.state") if r.component is ComponentKind.FAN]
    hot = any(
        (readings.number("thermals.temperature", trip.subject) or 0.0) >= (trip.number or math.inf)
        for trip in readings.all("thermals.trip.active")
    )
    return hot and bool(fans) and all(fan.value == 0 for fan in fans)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _read_files(host: Host, path: str, *files: str) -> Evidence:
    return host.tree(*(f"{path}/{file}" for file in files), subject=_name(path))


def _read_chip(host: Host, path: str) -> Evidence:
    name = host.tree(f"{path}/name", subject=_name(path))
    if name.tree().text(f"{path}/name") not in CPU_CHIPS:
        return name
    return _read_files(host, path, "name", "temp*_input", "temp*_label", "temp*_crit")


def _read_processors(host: Host) -> Evidence:
    frequencies = ("scaling_cur_freq", "scaling_max_freq", "cpuinfo_max_freq")
    return host.tree(
        *COUNTERS,
        *(f"{CPU}/cpu[0-9]*/cpufreq/{file}" for file in frequencies),
        f"{CPU}/online",
        "/proc/uptime",
        "/proc/loadavg",
        subject="cpu",
    )


def _zones(tree: Tree, time: str) -> Iterator[Seen]:
    for path in dict.fromkeys(p.rpartition("/")[0] for p in tree.paths(f"{THERMAL}/thermal_zone*/*")):
        kind = tree.text(f"{path}/type") or ""
        error = tree.error(f"{path}/temp")
        if error:
            reason = Text("could not be read: {error}", {"error": error})
            yield Gap(_name(path), Outcome.ERROR, reason)
        component = next((c for start, c in _ZONE_KINDS if kind.lower().startswith(start)), ComponentKind.MOTHERBOARD)
        temperature = _celsius(tree, f"{path}/temp")
        limits: dict[str, float] = {}
        for trip in tree.paths(f"{path}/trip_point_*_type"):
            limit = _celsius(tree, trip.removesuffix("type") + "temp")
            which = tree.text(trip)
            if limit is not None and which in {"critical", "hot", "passive", "active"}:
                limits[which] = min(limit, limits.get(which, limit))
        # 0 °C inside a running PC is an ACPI zone without a sensor behind it
        if kind == "acpitz" and temperature == 0:
            temperature = None
            yield Reading("thermals.placeholder", True, "", component, _name(path), path, time)
        yield from _sensor(component, _name(path), path, time, kind=kind, temperature=temperature, limits=limits)


def _chips(tree: Tree, time: str) -> Iterator[Seen]:
    """Every input of processor sensors. ``Tctl`` of ``k10temp`` is a control value that some models shift upwards;
    where there is ``Tdie``, that is the temperature (Documentation/hwmon/k10temp.rst).
    """
    for name_path in tree.paths(f"{HWMON}/hwmon*/name"):
        chip = tree.text(name_path)
        if chip not in CPU_CHIPS:
            continue
        path = name_path.rpartition("/")[0]
        labels = {p: tree.text(p.removesuffix("input") + "label") or "" for p in tree.paths(f"{path}/temp*_input")}
        for file, label in labels.items():
            if label == "Tctl" and "Tdie" in labels.values():
                continue
            subject = f"{_name(path)}/{label or _name(file).removesuffix('_input')}"
            critical = _celsius(tree, file.removesuffix("input") + "crit")
            yield from _sensor(
                ComponentKind.CPU,
                subject,
                file,
                time,
                kind=chip,
                temperature=_celsius(tree, file),
                limits={} if critical is None else {"critical": critical},
            )


def _printed(evidence: Evidence) -> Iterator[Reading]:
    """What ``sensors`` printed of processors: values are in °C."""
    for chip, features in printed(evidence).items():
        kind = chip.partition("-")[0]
        if kind not in CPU_CHIPS:
            continue
        for label, values in features.items():
            if label == "Tctl" and "Tdie" in features:
                continue
            numbers = {re.sub(r"^temp\d+_", "", key): value for key, value in values.items()}
            yield from _sensor(
                ComponentKind.CPU,
                f"{chip}/{label}",
                evidence.source,
                evidence.time,
                kind=kind,
                temperature=numbers.get("input"),
                limits={"critical": numbers["crit"]} if "crit" in numbers else {},
            )


def _sensor(
    component: ComponentKind,
    subject: str,
    source: str,
    time: str,
    *,
    kind: str,
    temperature: float | None,
    limits: Mapping[str, float],
) -> Iterator[Reading]:
    def reading(quantity: str, value: Value, unit: str = "°C") -> Reading:
        return Reading(f"thermals.{quantity}", value, unit, component, subject, source, time)

    if kind:
        yield reading("type", kind, "")
    if temperature is None:
        return
    if not PLAUSIBLE_C[0] < temperature < PLAUSIBLE_C[1]:
        yield reading("implausible", temperature)
        return
    yield reading("temperature", temperature)
    if kind == "acpitz" and temperature in PLACEHOLDERS_C:
        yield reading("placeholder", True, "")
    limits = {which: limit for which, limit in limits.items() if LIMIT_C[0] <= limit < LIMIT_C[1]}
    for which, limit in limits.items():
        yield reading(f"trip.{which}", limit)
    ends = [limits[which] for which in ("critical", "hot") if which in limits]
    if ends:
        yield reading("headroom", round(min(ends) - temperature, 3))


def _cooling(tree: Tree, time: str) -> Iterator[Reading]:
    for path in dict.fromkeys(p.rpartition("/")[0] for p in tree.paths(f"{THERMAL}/cooling_device*/*")):
        kind = tree.text(f"{path}/type") or ""
        component = ComponentKind.FAN if "fan" in kind.lower() else ComponentKind.CPU
        if kind:
            yield Reading("thermals.cooling.type", kind, "", component, _name(path), path, time)
        for quantity, file in (("state", "cur_state"), ("max_state", "max_state")):
            value = tree.integer(f"{path}/{file}")
            if value is not None and value >= 0:
                yield Reading(f"thermals.cooling.{quantity}", value, "1", component, _name(path), path, time)


def _processors(tree: Tree, time: str) -> Iterator[Reading]:
    def reading(quantity: str, value: Value, unit: str, source: str) -> Reading:
        return Reading(f"thermals.{quantity}", value, unit, ComponentKind.CPU, "", source, time)

    for quantity, file, scale, unit in (
        ("throttle.core_count", "thermal_throttle/core_throttle_count", 1.0, "count"),
        ("throttle.package_count", "thermal_throttle/package_throttle_count", 1.0, "count"),
        ("throttle.core_time", "thermal_throttle/core_throttle_total_time_ms", 0.001, "s"),
        ("throttle.package_time", "thermal_throttle/package_throttle_total_time_ms", 0.001, "s"),
        ("frequency", "cpufreq/scaling_cur_freq", 1000.0, "Hz"),
        ("frequency_limit", "cpufreq/scaling_max_freq", 1000.0, "Hz"),
        ("frequency_max", "cpufreq/cpuinfo_max_freq", 1000.0, "Hz"),
    ):
        pattern = f"{CPU}/cpu*/{file}"
        values = [v for v in map(tree.integer, tree.paths(pattern)) if v is not None and 0 <= v < 2**63]
        if values:
            value = max(values) if unit == "count" else max(values) * scale
            yield reading(quantity, value, unit, pattern)
    uptime = _first_number(tree.text("/proc/uptime"))
    if uptime is not None:
        yield reading("uptime", uptime, "s", "/proc/uptime")
    load = _first_number(tree.text("/proc/loadavg"))
    processors = _count_processors(tree.text(f"{CPU}/online"))
    if load is not None and processors:
        yield reading("load", load / processors, "1", "/proc/loadavg")


def _celsius(tree: Tree, path: str) -> float | None:
    """A file in m°C as °C."""
    value = tree.integer(path)
    return value / 1000 if value is not None and abs(value) < 2**63 else None


def _first_number(text: str | None) -> float | None:
    """The first of the numbers in a line of ``/proc``; ``None`` where it is none."""
    match = re.match(r"\d{1,15}(\.\d{1,9})?(?=\s|$)", text or "", re.ASCII)
    return float(match[0]) if match else None


def _count_processors(online: str | None) -> int:
    """How many processors a list like ``0-3,8`` names (Documentation/admin-guide/cputopology.rst); 0 if it is none."""
    count = 0
    for part in (online or "").split(","):
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part, re.ASCII)
        if not match:
            return 0
        count += max(0, int(match[2] or match[1]) - int(match[1]) + 1)
    return count
