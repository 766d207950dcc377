"""Heat: a thermal zone that follows the load of the guest's processors, and the fan that cools it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.hardware import acpi, registers
from tests.bench.hardware.heat_model import FULL_RPM, HeatModel
from tests.bench.hardware.part import Part
from tests.bench.machine import Channel, Qemu

ZONE = "/sys/class/thermal/thermal_zone0"
FAN = "/sys/bus/acpi/devices/PNP0C0B:00"
STEP_S = 0.05
"""Seconds between two steps of the model, a small part of its fastest time constant (0.9 s)."""
IDLE_C, IDLE_DUTY = 36.0, 50

_TEMPERATURE, _DUTY, _RPM = (registers.COOLING + offset for offset in (0, 4, 8))


class Cooling(Part):
    """There when the table is not empty: ``ambient`` is the room's temperature in °C. Where ``fan_bound`` is false,
    firmware names another fan, which is not fitted, as the one that cools the zone.

    The model (:mod:`tests.bench.hardware.heat_model`) runs on this side, from the machine's start to its end.
    """

    name = "cooling"

    def prepare(self) -> None:
        """A clean heat sink and a fan that turns."""
        self._room_c = float(self.table.get("ambient", 25.0))
        self._blocked = 1.0
        self._turns = 1.0
        self._fixed_rpm: float | None = None
        self._shown: float | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def arguments(self) -> list[str]:
        """The ACPI table."""
        if not self.table:
            return []
        bound = int(self.table.get("fan_bound", True))
        return acpi.table("cooling", self.folder, REGISTERS=registers.COOLING, FAN_BOUND=bound)

    def kernel(self) -> list[str]:
        """Room for the registers."""
        return [registers.RESERVED] if self.table else []

    def attach(self, qemu: Qemu, guest: Channel) -> None:
        """Fill the registers before anybody looks at them (zeros would be a sensor at -273 °C), and let time pass."""
        super().attach(qemu, guest)
        if self.table:
            qemu.ram.write_u32(_DUTY, IDLE_DUTY)
            self._show(IDLE_C)
            self._over.clear()
            threads = [cpu["thread-id"] for cpu in qemu.qmp("query-cpus-fast")]
            busy = [Path(f"/proc/{qemu.process.pid}/task/{thread}/schedstat") for thread in threads]
            self._thread = threading.Thread(target=self._pass_time, args=(busy,), name="cooling")
            self._thread.start()

    def settle(self) -> None:
        """Wait until the guest has the zone and the fan."""
        if self.table:
            self.guest.shell(f"until test -e {ZONE}/temp -a -e {FAN}/fan_speed_rpm; do sleep 0.1; done").check()

    def disconnect(self) -> None:
        """Time stops."""
        self._over.set()
        if self._thread:
            self._thread.join()

    @property
    def temperature(self) -> float:
        """The temperature in °C that the sensor shows, without a question to the guest."""
        return self.qemu.ram.read_u32(_TEMPERATURE) / 10 - 273.15

    @contextmanager
    def room(self, celsius: float) -> Iterator[None]:
        """The unit stands in a warmer or colder room for a while."""
        usual, self._room_c = self._room_c, celsius
        try:
            yield
        finally:
            self._room_c = usual

    @contextmanager
    def heatsink_blocked(self, factor: float) -> Iterator[None]:
        """Dust, or dry paste: the heat finds its way out so many times harder."""
        self._blocked = factor
        try:
            yield
        finally:
            self._blocked = 1.0

    @contextmanager
    def fan_stopped(self) -> Iterator[None]:
        """The fan stands still, whatever it is told to do."""
        with self.fan_worn(0.0):
            yield

    @contextmanager
    def fan_worn(self, share: float) -> Iterator[None]:
        """The fan reaches only this share of the speed that it is told to have."""
        self._turns = share
        try:
            yield
        finally:
            self._turns = 1.0

    @contextmanager
    def fan_at(self, rpm: float) -> Iterator[None]:
        """The fan turns at this speed, whatever it is told to have: its control wire is off."""
        self._fixed_rpm = rpm
        try:
            yield
        finally:
            self._fixed_rpm = None

    @contextmanager
    def sensor_shows(self, celsius: float) -> Iterator[None]:
        """The sensor is stuck, or its wire is broken: it shows this and nothing else."""
        self._shown = celsius
        self._show(celsius)
        try:
            yield
        finally:
            self._shown = None

    def _pass_time(self, busy: list[Path]) -> None:
        """A processor is busy while its thread runs or waits to run: so the load does not depend on what else this
        machine has to do. Ends with the machine, whose thread files and memory are gone then.
        """
        model = HeatModel(self._room_c, IDLE_C)
        try:
            before, then = _busy_s(busy), time.monotonic()
            while not self._over.wait(STEP_S):
                used, now = _busy_s(busy), time.monotonic()
                load = (used - before) / (now - then) / len(busy)
                told = FULL_RPM * self.qemu.ram.read_u32(_DUTY) / 100 * self._turns
                rpm = told if self._fixed_rpm is None else self._fixed_rpm
                self.qemu.ram.write_u32(_RPM, round(rpm))
                model.ambient = self._room_c
                # One long step would overshoot, after this machine had no time for us.
                for _ in range(steps := max(1, round((now - then) / STEP_S))):
                    model.step((now - then) / steps, load, rpm, self._blocked)
                self._show(model.temperature if self._shown is None else self._shown)
                before, then = used, now
        except (OSError, ValueError):
            return

    def _show(self, celsius: float) -> None:
        self.qemu.ram.write_u32(_TEMPERATURE, acpi.decikelvin(celsius))


def _busy_s(threads: list[Path]) -> float:
    """Seconds that the threads have run or waited to run (``schedstat``: Linux Documentation/scheduler/sched-stats.rst,
    both in ns).
    """
    return sum(sum(map(int, path.read_text("ascii").split()[:2])) for path in threads) / 1e9
