"""The board's monitoring chip: voltages, the clock's battery, fans.

The chip is simulated in the guest (``i2c-stub``) below the kernel's own driver, since no chip that QEMU has is known to
a PC; so its faults are put in through the guest's SMBus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.bench.hardware import dme1737
from tests.bench.hardware.part import Part

ADDRESS = 0x2E
_FIND_BUS = "bus=$(grep -l '^SMBus stub' /sys/class/i2c-dev/*/name | grep -o 'i2c-[0-9][0-9]*' | head -n 1)"


class BoardSensors(Part):
    """There when the table is not empty: ``chip`` is ``dme1737``, ``voltages`` (V) go by the labels of lm-sensors,
    ``temperatures`` (°C) and ``fans`` (rpm) by their order.
    """

    name = "board_sensors"

    def settle(self) -> None:
        """The chip as it is on a healthy board, and its driver."""
        if not self.table:
            return
        self.guest.shell(
            f"modprobe -a i2c-dev dme1737; modprobe i2c-stub chip_addr={ADDRESS:#x}; udevadm settle"
        ).check()
        healthy = dict(dme1737.START)
        for name, volts in self.table["voltages"].items():
            healthy |= dme1737.voltage(name, volts)
        healthy |= dict(zip(dme1737.TEMPERATURES, self.table["temperatures"], strict=True))
        for number, rpm in enumerate(self.table["fans"], 1):
            healthy |= dme1737.fan(number, rpm)
        self._put(healthy)
        self._driver("new_device", f"{self.table['chip']} {ADDRESS:#x}")

    @contextmanager
    def voltage(self, name: str, volts: float) -> Iterator[None]:
        """An input away from where it stands."""
        with self._instead(dme1737.voltage(name, volts), dme1737.voltage(name, self.table["voltages"][name])):
            yield

    @contextmanager
    def battery(self, volts: float) -> Iterator[None]:
        """The clock's battery has so little left."""
        with self.voltage("Vbat", volts):
            yield

    @contextmanager
    def fan(self, rpm: int, number: int = 1) -> Iterator[None]:
        """A fan that turns so fast, or not at all."""
        with self._instead(dme1737.fan(number, rpm), dme1737.fan(number, self.table["fans"][number - 1])):
            yield

    def third_fan(self, rpm: int, *, there: bool = True) -> None:
        """A third fan turns so fast; the chip's input for it is where the firmware has it ``there``. The driver finds
        the chip anew.
        """
        self._put({dme1737.OPTIONS: dme1737.THIRD_FAN if there else 0, **dme1737.fan(3, rpm)})
        self._driver("delete_device", f"{ADDRESS:#x}")
        self._driver("new_device", f"{self.table['chip']} {ADDRESS:#x}")

    @contextmanager
    def core_voltage(self, volts: float, low: float, high: float) -> Iterator[None]:
        """The processor's voltage, and limits that the firmware has set for it; outside of them there is an alarm."""
        alarm = {dme1737.ALARMS: 0 if low <= volts <= high else dme1737.OF_CORE}
        self._put(dme1737.core_limits(low, high))
        with self._instead(alarm, {dme1737.ALARMS: 0}), self.voltage("Vcore", volts):
            yield

    @contextmanager
    def temperature(self, celsius: int, number: int = 1) -> Iterator[None]:
        """A temperature away from where it stands; :data:`dme1737.NO_DIODE` for a sensor that does not answer."""
        register, healthy = dme1737.TEMPERATURES[number - 1], self.table["temperatures"][number - 1]
        with self._instead({register: celsius}, {register: healthy}):
            yield

    @contextmanager
    def _instead(self, faulty: Mapping[int, int], healthy: Mapping[int, int]) -> Iterator[None]:
        self._put(faulty)
        try:
            yield
        finally:
            self._put(healthy)

    def _driver(self, file: str, words: str) -> None:
        self.guest.shell(f"{_FIND_BUS}; echo {words} > /sys/bus/i2c/devices/$bus/{file}").check()

    def _put(self, values: Mapping[int, int]) -> None:
        """Write registers. The driver looks at them again after a second at the latest."""
        lines = [f"i2cset -f -y ${{bus#i2c-}} {ADDRESS:#x} {at:#x} {value:#x}" for at, value in values.items()]
        self.guest.shell(" && ".join([_FIND_BUS, *lines, "sleep 1.1"])).check()
