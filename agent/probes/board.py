"""Board sensors: voltages, fans, temperatures, currents, power, chassis intrusion."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.model.acpi_fan import ACPI_FAN_RPM, ACPI_FANS, acpi_fan, is_acpi_fan_chip
from agent.probes._hwmon import Chip, Feature, from_sensors, read_chips
from agent.probes._probe import Probe, Seen
from agent.probes._sensors import printed
from agent.probes._sensors_conf import SensorsConf

_CHIP_FILES = (
    "name",
    "in[0-9]*_*",
    "fan[0-9]*_*",
    "temp[0-9]*_*",
    "curr[0-9]*_*",
    "power[0-9]*_*",
    "pwm[0-9]",
    "intrusion[0-9]_alarm",
)
_ACPI_FAN_FILES = (
    "firmware_node/fan_speed_rpm",
    "firmware_node/fine_grain_control",
    "firmware_node/state[0-9]*",
    "thermal_cooling/cur_state",
)
_BUS_FILES = ("device", "device/subsystem", "device/device", "device/device/subsystem")
_CONFIGURATION = ("/etc/sensors3.conf", "/etc/sensors.conf", "/etc/sensors.d/*")

_CHIP_TIMEOUT_S = 5.0
"""Many times what a working chip takes (about 0.2 s for the slowest SMBus ones); ours."""

_READING = {
    "in": ("board.voltage", "V"),
    "fan": ("board.fan", "rpm"),
    "temp": ("board.temperature", "°C"),
    "curr": ("board.current", "A"),
    "power": ("board.power", "W"),
}
_DRIVERS = {
    ComponentKind.CPU: ("coretemp", "k10temp", "k8temp", "zenpower", "fam15h_power", "via_cputemp"),
    ComponentKind.STORAGE_DEVICE: ("nvme", "drivetemp"),
    ComponentKind.MEMORY_MODULE: ("jc42", "spd5118"),
}
_BATTERY = re.compile(r"\+?(3V ?)?V?BAT(T|TERY)?|(CMOS|RTC) ?BAT(TERY)?", re.IGNORECASE)
_ACPI_UNKNOWN = 0xFFFFFFFF
"""What ACPI firmware says of a speed that it does not know."""


class BoardProbe(Probe):
    """The monitoring chips in ``/sys/class/hwmon``, read as lm-sensors reads them (see :mod:`agent.probes._hwmon`), or
    what ``sensors`` printed elsewhere (evidence of the kinds ``sensors-json`` and ``sensors-text``).

    Subjects are ``chip/label`` with the chip's name as ``sensors`` prints it (``nct6798-isa-0290/Vbat``) and the
    kernel's name of the input where nobody labelled it (``nct6798-isa-0290/in4``). Readings:
    ``board.voltage`` (V), ``board.fan`` (rpm), ``board.temperature`` (°C), ``board.current`` (A), ``board.power`` (W),
    each with ``.min``, ``.max``, ``.crit``, ``.lcrit``, ``.target`` in the same unit and ``.alarm``, ``.fault``
    (yes/no) where the driver has them; ``board.battery.voltage`` (V) for an input labelled as the CMOS
    battery; ``board.fan.duty`` (%, of pwmN's 255 steps; the subject is ``chip/pwmN``); ``board.intrusion`` (yes/no).
    Of an input with a fault (its sensor has come off) there is the ``.fault`` and no value.

    A fan that firmware itself reports (ACPI 6.5, 11.3; ``fan_speed_rpm`` and ``stateN`` of the kernel's
    Documentation/admin-guide/acpi/fan_performance_states.rst) is ``acpi_fan-PNP0C0B:00/fan``; its target is the speed
    of the state it is in. Newer kernels show it as a chip ``acpi_fan`` as well, and then that one is read.

    The area is judged by voltages and fans: without either it is unsupported; without one of them that one is a gap.
    A unit whose chips need lm-sensors' configuration gives raw pin voltages without it, and says so.
    """

    area = "board"
    timeout_s = 8.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """One tree per chip, side by side: a chip on a stuck I2C bus delays no other."""
        yield host.tree(*_CONFIGURATION, subject="sensors.conf")
        directories = [*host.glob("/sys/class/hwmon/hwmon*"), *host.glob(f"{ACPI_FANS}/*:*")]
        yield from host.each(directories, lambda directory: _gather_chip(host, directory), timeout_s=_CHIP_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Components (fans that turn or are named), readings and gaps."""
        trees = [(e.tree(), e.time) for e in evidence if e.kind == "tree"]
        conf = _configuration([tree for tree, _ in trees])
        found = [(chip, tree, time) for tree, time in trees for chip in read_chips(tree, conf)]
        raw_pins = any(f.kind == "in" and not f.labelled for chip, *_ in found for f in chip.features)
        found += [(chip, Tree(), e.time) for e in evidence for chip in from_sensors(printed(e))]
        names: set[str] = set()
        for chip, tree, time in found:
            distinct = chip if chip.name not in names else replace(chip, name=f"{chip.name}-{len(names)}")
            names.add(distinct.name)
            for feature in distinct.features:
                yield from _seen(distinct, feature, time)
            yield from _of_chip(tree, distinct, time)
        kinds = {feature.kind for chip, *_ in found for feature in chip.features if feature.value is not None}
        fans = [seen for tree, time in trees for seen in _acpi_fans(tree, time)]
        if fans and not any(is_acpi_fan_chip(chip.driver) for chip, *_ in found):
            kinds.add("fan")
            yield from fans
        yield from _gaps(kinds)
        if raw_pins and not any(_configuration_files(tree) for tree, _ in trees):
            reason = Text("{program} is not installed", {"program": "libsensors-config"})
            yield Gap("labels", Outcome.UNSUPPORTED, reason, remedy="sudo apt-get install libsensors-config")


PROBE = BoardProbe()


def _gather_chip(host: Host, directory: str) -> Evidence:
    if directory.startswith(ACPI_FANS):
        return host.tree(*(f"{directory}/{name}" for name in _ACPI_FAN_FILES), subject=directory.rpartition("/")[2])
    base = directory if host.exists(f"{directory}/name") else f"{directory}/device"
    patterns = [f"{base}/{name}" for name in _CHIP_FILES] + [f"{directory}/{name}" for name in _BUS_FILES]
    return host.tree(*patterns, subject=directory.rpartition("/")[2])


def _configuration_files(tree: Tree) -> list[str]:
    """In the order in which libsensors reads them: one main file, then ``sensors.d`` but for hidden files."""
    main = [path for path in _CONFIGURATION[:2] if tree.text(path) is not None][:1]
    return main + sorted(p for p in tree.paths(_CONFIGURATION[2]) if not p.rpartition("/")[2].startswith("."))


def _configuration(trees: list[Tree]) -> SensorsConf:
    return SensorsConf(tree.text(path) or "" for tree in trees for path in _configuration_files(tree))


def _seen(chip: Chip, feature: Feature, time: str) -> Iterator[Seen]:
    name, unit = _READING[feature.kind]
    subject = f"{chip.name}/{feature.label}"
    part = ComponentKind.FAN if feature.kind == "fan" else _part(chip)

    def reading(quantity: str, value: Value, unit: str, part: ComponentKind = part) -> Reading:
        return Reading(quantity, value, unit, part, subject, feature.source, time)

    if feature.value is None:
        if feature.error is not None:
            outcome = Outcome.ERROR if feature.error in ("EIO", "EREMOTEIO", "ETIMEDOUT") else Outcome.UNSUPPORTED
            yield Gap(subject, outcome, Text("could not be read: {error}", {"error": feature.error}))
        return
    if feature.fault is not None:
        yield reading(f"{name}.fault", feature.fault, "")
    if feature.fault:
        # ``sensors`` prints FAULT then: what an input without its sensor shows (-128 °C) is no value.
        return
    if feature.kind == "fan" and (feature.value > 0 or feature.labelled):
        yield Component(ComponentKind.FAN, subject, description=feature.label, source=feature.source)
    yield reading(name, feature.value, unit)
    for word, limit in feature.limits.items():
        yield reading(f"{name}.{word}", limit, unit)
    if feature.alarm is not None:
        yield reading(f"{name}.alarm", feature.alarm, "")
    if feature.kind == "in" and feature.labelled and _BATTERY.fullmatch(feature.label):
        yield reading("board.battery.voltage", feature.value, "V", ComponentKind.RTC_BATTERY)


def _of_chip(tree: Tree, chip: Chip, time: str) -> Iterator[Reading]:
    for path in tree.paths(f"{chip.directory}/pwm?"):
        steps = tree.integer(path)
        if steps is not None and 0 <= steps <= 255:
            subject = f"{chip.name}/{path.rpartition('/')[2]}"
            duty = round(steps * 100 / 255, 1)
            yield Reading("board.fan.duty", duty, "%", ComponentKind.FAN, subject, path, time)
    for path in tree.paths(f"{chip.directory}/intrusion?_alarm"):
        opened = tree.integer(path)
        if opened is not None:
            subject = f"{chip.name}/{path.rpartition('/')[2].removesuffix('_alarm')}"
            yield Reading("board.intrusion", opened != 0, "", ComponentKind.CHASSIS, subject, path, time)


def _acpi_fans(tree: Tree, time: str) -> Iterator[Seen]:
    """States are ``control:trip_point:speed:noise_level:power``, by speed; without them, or with a control of its own
    between them (fine-grained), the fan has no target that could be told.
    """
    for path in tree.paths(ACPI_FAN_RPM):
        device = path.removesuffix("/firmware_node/fan_speed_rpm")
        rpm = tree.integer(path)
        if rpm is None or not 0 <= rpm < _ACPI_UNKNOWN:
            continue
        subject = acpi_fan(path)
        yield Component(ComponentKind.FAN, subject, description="ACPI", source=path)
        yield Reading("board.fan", rpm, "rpm", ComponentKind.FAN, subject, path, time)
        state = tree.integer(f"{device}/thermal_cooling/cur_state")
        if state is None or tree.integer(f"{device}/firmware_node/fine_grain_control") != 0:
            continue
        file = f"{device}/firmware_node/state{state}"
        found = re.fullmatch(r"[^:]*:[^:]*:(\d{1,10}):[^:]*:[^:]*", tree.text(file) or "", re.ASCII)
        if found and int(found[1]) < _ACPI_UNKNOWN:
            yield Reading("board.fan.target", int(found[1]), "rpm", ComponentKind.FAN, subject, file, time)


def _part(chip: Chip) -> ComponentKind:
    found = (part for part, drivers in _DRIVERS.items() if chip.driver in drivers)
    return next(found, ComponentKind.MOTHERBOARD)


def _gaps(kinds: set[str]) -> Iterator[Gap]:
    reason = Text("the kernel shows no such sensor")
    missing = [subject for kind, subject in (("in", "voltages"), ("fan", "fans")) if kind not in kinds]
    for subject in missing:
        yield Gap(subject, Outcome.UNSUPPORTED, reason, essential=len(missing) == 2)
