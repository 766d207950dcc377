"""The registers of an SMSC DME1737, a monitoring chip of many boards. Pure.

Source: Linux drivers/hwmon/dme1737.c.
"""

from __future__ import annotations

from collections.abc import Mapping

INPUTS: Mapping[str, tuple[int, float]] = {
    "5VSB": (0x20, 5.0),
    "Vcore": (0x21, 2.25),
    "+3.3V": (0x22, 3.3),
    "+5V": (0x23, 5.0),
    "+12V": (0x24, 12.0),
    "3VSB": (0x99, 3.3),
    "Vbat": (0x9A, 3.3),
}
"""By the label that lm-sensors gives: the register, and the volts at which it reads 192."""
TEMPERATURES = (0x25, 0x26, 0x27)
FANS = (0x28, 0x2A, 0x2C)
START: Mapping[int, int] = {
    0x3E: 0x5C,  # made by SMSC
    0x3F: 0x88,  # a DME1737
    0x40: 0x05,  # started, ready
    0x90: 0x20,  # fan 1 to 3: time between pulses, not their number
    0x91: 0x20,
    0x92: 0x20,
}
OPTIONS, THIRD_FAN = 0x7F, 0x04
"""A register that only the firmware writes; the driver looks at it when it is loaded."""
NO_DIODE = 0x80
"""A temperature whose sensor does not answer."""
CORE_LIMITS = (0x46, 0x47)
"""The lower and the upper limit of Vcore."""
ALARMS, OF_CORE = 0x41, 0x02
_CLOCK_HZ = 90000
_STOPPED = 0xFFFF


def voltage(name: str, volts: float) -> dict[int, int]:
    """The registers of an input at so many volts, to within 1/384 of its nominal voltage; 0 to 1.32 times that."""
    register, nominal = INPUTS[name]
    return {register: min(max(round(192 * volts / nominal), 0), 255)}


def core_limits(low: float, high: float) -> dict[int, int]:
    """The registers of Vcore's limits."""
    _, nominal = INPUTS["Vcore"]
    return dict(zip(CORE_LIMITS, (round(192 * volts / nominal) for volts in (low, high)), strict=True))


def fan(number: int, rpm: int) -> dict[int, int]:
    """The registers of fan 1 to 3 at so many turns per minute; 0, or 83 and more."""
    count = min(_CLOCK_HZ * 60 // rpm, _STOPPED - 1) if rpm else _STOPPED
    low = FANS[number - 1]
    return {low: count & 0xFF, low + 1: count >> 8}
