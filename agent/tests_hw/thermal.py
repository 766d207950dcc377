"""How the unit carries its heat away: a rest, a soak under full load, a cool-down, and the first-order model fitted to
all three (``_first_order``). stress-ng heats all processors with products of matrices; temperatures, load and, where
root may read it, the energy of the processor package are looked at about once a second.

Readings of each sensor; subjects ``thermal_zone0`` and ``hwmon2/Package id 0`` as the probe of the thermals has them:
``thermal_test.type`` (the kernel's word for it), ``thermal_test.peak`` (°C); ``thermal_test.critical`` (°C, where the
kernel switches the unit off; of zones that have such a point). Where the model fits: ``thermal_test.rise`` (K at full
load) and ``thermal_test.rise_error``, its standard error; ``thermal_test.rise_per_watt`` (K/W) and
``thermal_test.rise_per_watt_error``, where the processor tells its power. From the fit by watts where there is one,
else by load: ``thermal_test.rest`` (°C without any drive), ``thermal_test.tau`` (s), ``thermal_test.residual`` (K, root
mean square), ``thermal_test.plateau`` (°C, where it settles under what heated it in the second half of the soak) and
``thermal_test.plateau_error`` (K). Of the unit: ``thermal_test.load`` (1, mean under the exerciser),
``thermal_test.power`` (W, the same) and ``thermal_test.samples`` (count). Of each fan, subjects ``hwmon2/CPU Fan`` and
``acpi_fan-PNP0C0B:00/fan``, as medians: ``thermal_test.fan.rest`` (rpm before the soak), ``thermal_test.fan.hot`` (rpm
in its second half) and ``thermal_test.fan.after`` (rpm in the last tenth of the time).

A rise is a difference and does not depend on the room; rest, peak and plateau do.
Source of the formats: Linux Documentation/driver-api/thermal/sysfs-api.rst and hwmon/sysfs-interface.rst (m°C, rpm),
Documentation/power/powercap/powercap.rst (µJ, and where the counter starts again), proc_stat(5) (ticks).
"""

from __future__ import annotations

import json
import math
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.model.acpi_fan import ACPI_FAN_RPM, ACPI_FANS, acpi_fan
from agent.tests_hw._first_order import fit
from agent.tests_hw._soak import Look, Soak, is_heating, joined
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

REST, SOAK = 0.1, 0.5
"""Shares of the time that the unit rests and is heated; then it cools down. Ours: both slopes tell the time constant,
and the soak tells the plateau."""
PIECES = 20
"""Into how many pieces of evidence the samples go, so that a soak that is stopped for heat leaves what it saw; ours."""
PLAUSIBLE_C = (-40.0, 150.0)
"""Exclusive; as the probe of the thermals has it: below is no room, above no silicon."""
CRITICAL_C = (40.0, 150.0)
"""What can be a critical trip point; firmware that has none gives 0, -274 or 255."""
MOST_RPM = 100_000
"""Exclusive; ours: no fan of an all-in-one does a tenth of it, and a counter that is broken shows more."""
CPU_CHIPS = ("coretemp", "k10temp", "zenpower")
"""The drivers of processors' own sensors; their first input is that of the whole package (kernel Documentation/hwmon/
coretemp.rst, k10temp.rst)."""

_ZONES = "/sys/class/thermal/thermal_zone*"
_CHIPS = "/sys/class/hwmon/hwmon*"
_FANS = (
    f"{_CHIPS}/fan*_input",
    f"{_CHIPS}/device/fan*_input",  # where drivers of the older kind have them
    ACPI_FAN_RPM,
)
_ENERGY = "/sys/class/powercap/intel-rapl:0"
_STAT = "/proc/stat"
_KIND = "thermal-test-json"
_VERSION = "version"


class ThermalTest(HardwareTest):
    """See the module."""

    name = "thermal"
    programs = ("stress-ng",)
    heats = (ComponentKind.CPU, ComponentKind.MOTHERBOARD)
    disturbs = Text("the unit is slow and its fan may speed up")
    least_s = 180.0
    """Ours: a heat sink of 80 J/K that gives off 1 W/K has a time constant of 80 s, and one of it is the least to see
    where it settles.
    """
    slack_s = 30.0
    measures: ClassVar = {
        "thermal_test.type": "",
        "thermal_test.peak": "°C",
        "thermal_test.critical": "°C",
        "thermal_test.rise": "K",
        "thermal_test.rise_error": "K",
        "thermal_test.rise_per_watt": "K/W",
        "thermal_test.rise_per_watt_error": "K/W",
        "thermal_test.rest": "°C",
        "thermal_test.tau": "s",
        "thermal_test.residual": "K",
        "thermal_test.plateau": "°C",
        "thermal_test.plateau_error": "K",
        "thermal_test.load": "1",
        "thermal_test.power": "W",
        "thermal_test.samples": "count",
        "thermal_test.fan.rest": "rpm",
        "thermal_test.fan.hot": "rpm",
        "thermal_test.fan.after": "rpm",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Rest, heat, cool down. A unit without the exerciser or without any temperature is not kept busy."""
        version = host.output("stress-ng", "stress-ng", "--version", subject=_VERSION, timeout_s=10)
        yield version
        sensors = host.tree(
            f"{_ZONES}/type",
            f"{_ZONES}/temp",
            f"{_ZONES}/trip_point_*",
            f"{_CHIPS}/name",
            f"{_CHIPS}/temp1_input",
            f"{_CHIPS}/temp1_label",
            *_FANS,
            f"{_CHIPS}/fan*_label",
            f"{_CHIPS}/device/fan*_label",
            f"{_ENERGY}/name",
            f"{_ENERGY}/max_energy_range_uj",
            subject="sensors",
        )
        yield sensors
        paths = [path for path in _sensors(sensors.tree()).values() if host.exists(path)]
        if version.problem or not paths:
            return
        paths += [path for place in _FANS for path in sensors.tree().paths(place)]
        soak_s = max(1, int(bout.seconds * SOAK))
        # Products of matrices work the floating-point units, the caches and so the heat sink hardest.
        args = ("--matrix", "0", "--seed", str(bout.seed), "--timeout", f"{soak_s}s", "--temp-path", str(bout.scratch))
        ran: list[Evidence] = []

        def heat() -> None:
            ran.append(host.output("stress-ng", "stress-ng", *args, timeout_s=soak_s + 10))

        heater = threading.Thread(target=heat, daemon=True)
        begun = time.monotonic()
        pause = interval(bout.seconds)
        for piece in range(PIECES):
            started, looks = now(), list[Look]()
            until = begun + bout.seconds * (piece + 1) / PIECES
            while time.monotonic() < until:
                passed = time.monotonic() - begun
                if passed >= bout.seconds * REST and heater.ident is None:
                    heater.start()
                looks.append(_look(host, passed, paths, heater.is_alive()))
                due = begun + (math.floor(passed / pause) + 1) * pause
                time.sleep(max(0.0, min(due, until) - time.monotonic()))
            data = json.dumps({"paths": paths, "looks": looks}, separators=(",", ":")).encode()
            yield Evidence(_KIND, f"{piece:02}", data, " ".join(paths), started, duration_s=bout.seconds / PIECES)
        if heater.ident is not None:
            heater.join(self.slack_s / 2)
        yield from ran

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Readings of each sensor. Without samples, or with an exerciser that gave up, the test proves nothing."""
        tree = Tree.merged(evidence)
        pieces = [e for e in evidence if e.kind == _KIND]
        broken = next((e for e in evidence if e.kind == "stress-ng" and (e.problem or e.exit_status)), None)
        soak = joined([e.json() for e in pieces], tree.integer(f"{_ENERGY}/max_energy_range_uj"))
        if broken is not None:
            yield program_gap(broken, "", essential=True)
        elif soak is None:
            yield Gap("", Outcome.UNSUPPORTED, Text("the kernel shows no such sensor"), essential=True)
        if soak is None:
            return
        time_ = pieces[0].time
        yield from _of_unit(soak, time_)
        names = {path: name for name, path in _sensors(tree).items()}
        found = [r for path in soak.celsius if path in names for r in _of_sensor(soak, path, names[path], tree, time_)]
        yield from found
        yield from _of_fans(soak, tree, time_)
        if not any(reading.name == "thermal_test.plateau" for reading in found):
            yield Gap("", Outcome.ERROR, Text("the temperature did not follow the load"), essential=True)


TEST = ThermalTest()


def interval(seconds: float) -> float:
    """Seconds between two looks: one; in a short soak less, so that there are enough for a fit; in one of hours more,
    so that the evidence stays small. Ours.
    """
    return min(max(1.0, seconds / 3600), seconds / 180)


def _look(host: Host, passed: float, paths: Sequence[str], heating: bool) -> Look:
    tree = host.tree(_STAT, f"{_ENERGY}/energy_uj", *paths).tree()
    first = (tree.text(_STAT) or "").partition("\n")[0]
    ticks = [int(word) for word in first.split()[1:9] if word.isdecimal()]
    # user nice system idle iowait irq softirq steal; a processor that waits for a disk is as idle as any
    idle = sum(ticks[3:5])
    energy = tree.integer(f"{_ENERGY}/energy_uj")
    return [round(passed, 3), int(heating), sum(ticks) - idle, sum(ticks), energy, [tree.integer(p) for p in paths]]


def _sensors(tree: Tree) -> dict[str, str]:
    """The names of the sensors, and where their temperature is."""
    found = {path.split("/")[4]: path for path in tree.paths(f"{_ZONES}/temp")}
    for path in tree.paths(f"{_CHIPS}/temp1_input"):
        folder = path.rpartition("/")[0]
        if tree.text(f"{folder}/name") in CPU_CHIPS:
            label = "".join(c for c in tree.text(f"{folder}/temp1_label") or "temp1" if c.isprintable())[:40]
            found[f"{folder.rpartition('/')[2]}/{label}"] = path
    return found


def _of_unit(soak: Soak, time_: str) -> Iterator[Reading]:
    def reading(quantity: str, value: float, unit: str, source: str) -> Reading:
        return Reading(f"thermal_test.{quantity}", value, unit, ComponentKind.CPU, "", source, time_)

    yield reading("samples", len(soak.times), "count", _STAT)
    load, power = soak.mean(soak.load, is_heating), soak.mean(soak.watts, is_heating)
    if load is not None:
        yield reading("load", round(load, 4), "1", _STAT)
    if power is not None:
        yield reading("power", round(power, 3), "W", f"{_ENERGY}/energy_uj")


def _of_fans(soak: Soak, tree: Tree, time_: str) -> Iterator[Reading]:
    """Of each fan that told its speed at rest and when it was hot."""
    heated = [i for i, heating in enumerate(soak.heating) if heating]
    if not heated:
        return
    parts = {
        "rest": slice(0, heated[0]),
        "hot": slice(heated[len(heated) // 2], heated[-1] + 1),
        "after": slice(-max(1, len(soak.times) // 10), None),
    }
    for path, series in soak.rpm.items():
        subject = _fan(path, tree)
        told = {name: [n for n in series[part] if n is not None and 0 <= n < MOST_RPM] for name, part in parts.items()}
        if told["rest"] and told["hot"]:
            for name, speeds in told.items():
                if speeds:
                    rpm = round(statistics.median(speeds))
                    yield Reading(f"thermal_test.fan.{name}", rpm, "rpm", ComponentKind.FAN, subject, path, time_)


def _fan(path: str, tree: Tree) -> str:
    """Its name; that of a fan of firmware is the one that the board's probe gives it."""
    if path.startswith(ACPI_FANS):
        return acpi_fan(path)
    label = tree.text(path.removesuffix("input") + "label") or path.rpartition("/")[2].removesuffix("_input")
    return f"{path.split('/')[4]}/{''.join(c for c in label if c.isprintable())[:40]}"


def _of_sensor(soak: Soak, path: str, name: str, tree: Tree, time_: str) -> Iterator[Reading]:
    def reading(quantity: str, value: Value, unit: str) -> Reading:
        return Reading(f"thermal_test.{quantity}", value, unit, part, name, path, time_)

    own = path.rpartition("/")[0]
    kind = (tree.text(f"{own}/type") or tree.text(f"{own}/name") or "")[:64]
    part = ComponentKind.CPU if kind in (*CPU_CHIPS, "x86_pkg_temp") else ComponentKind.MOTHERBOARD
    seen = [c for c in soak.celsius[path] if c is not None and PLAUSIBLE_C[0] < c < PLAUSIBLE_C[1]]
    if not seen:
        return
    if kind:
        yield reading("type", kind, "")
    yield reading("peak", max(seen), "°C")
    critical = _critical(tree, own)
    if critical is not None:
        yield reading("critical", critical, "°C")
    by_load, by_watts = (fit(soak.samples(path, drive, PLAUSIBLE_C)) for drive in (soak.load, soak.watts))
    if by_load:
        yield reading("rise", round(by_load.rise, 4), "K")
        yield reading("rise_error", round(by_load.rise_error, 6), "K")
    if by_watts:
        yield reading("rise_per_watt", round(by_watts.rise, 5), "K/W")
        yield reading("rise_per_watt_error", round(by_watts.rise_error, 7), "K/W")
    drive = soak.mean(soak.watts if by_watts else soak.load, soak.second_half())
    if (model := by_watts or by_load) and drive is not None:
        yield reading("rest", round(model.rest, 3), "°C")
        yield reading("tau", round(model.tau_s, 2), "s")
        yield reading("residual", round(model.residual, 4), "K")
        yield reading("plateau", round(model.plateau(drive), 3), "°C")
        yield reading("plateau_error", round(model.rise_error * drive, 5), "K")


def _critical(tree: Tree, zone: str) -> float | None:
    """The lowest critical trip point, °C; ``None`` where there is none that can be."""
    trips = tree.paths(f"{zone}/trip_point_*_type")
    limits = [tree.integer(t.removesuffix("type") + "temp") for t in trips if tree.text(t) == "critical"]
    found = [limit / 1000 for limit in limits if limit is not None and abs(limit) < 1 << 53]
    return min((limit for limit in found if CRITICAL_C[0] <= limit < CRITICAL_C[1]), default=None)
