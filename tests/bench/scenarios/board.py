"""The board's own sensors: voltages away from where they should be, and the clock's battery."""

from __future__ import annotations

import re

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

CHIP = "dme1737-i2c-1-2e"


def shown(aio: VirtualAio, label: str) -> float:
    """What lm-sensors shows of an input."""
    said = aio.guest.out("/usr/bin/sensors", CHIP)
    found = re.search(rf"^{re.escape(label)}: +\+?(-?[0-9.]+)", said, re.MULTILINE)
    proven(found is not None, f"sensors shows {label}", said)
    assert found is not None
    return float(found[1])


@scenario(
    "board",
    customer="Now and then the computer asks me for the date when I switch it on in the morning.",
    symptom="wrong-clock",
    expected=[Expected("VOLT-5209", "rtc-battery", "warning", f"{CHIP}/Vbat")],
    never=["VOLT-5214"],
)
def battery_low(aio: VirtualAio, check: Check) -> None:
    """The clock's battery is running low: 2.5 V."""
    with aio.board_sensors.battery(2.5):
        volts = shown(aio, "Vbat")
        proven(2.4 < volts < 2.6, "sensors shows a low battery", f"{volts} V")
        check()


@scenario(
    "board",
    customer="After every night without power the date is wrong and the BIOS settings are gone.",
    symptom="wrong-clock",
    expected=[Expected("VOLT-5214", "rtc-battery", "critical", f"{CHIP}/Vbat")],
)
def battery_empty(aio: VirtualAio, check: Check) -> None:
    """The clock's battery is empty: 2.1 V."""
    with aio.board_sensors.battery(2.1):
        volts = shown(aio, "Vbat")
        proven(2.0 < volts < 2.2, "sensors shows an empty battery", f"{volts} V")
        check()


@scenario(
    "board",
    customer="It switches off without warning as soon as I do anything demanding.",
    symptom="restarts",
    expected=[Expected("VOLT-5004", "motherboard", "critical", f"{CHIP}/+12V")],
)
def twelve_volts_low(aio: VirtualAio, check: Check) -> None:
    """The 12 V rail has dropped to 10.4 V, 13 % below where it should be; all others are right."""
    with aio.board_sensors.voltage("+12V", 10.4):
        volts = shown(aio, "+12V")
        proven(10.3 < volts < 10.5, "sensors shows the low rail", f"{volts} V")
        check()


@scenario(
    "board",
    customer="It runs, but lately it restarts once a week.",
    symptom="restarts",
    expected=[Expected("VOLT-5012", "motherboard", "warning", f"{CHIP}/+5V")],
    never=["VOLT-5004"],
)
def five_volts_not_quite_right(aio: VirtualAio, check: Check) -> None:
    """The 5 V rail is 9 % low: out of its tolerance even with an inexact sensor, and not yet certainly a fault."""
    with aio.board_sensors.voltage("+5V", 4.55):
        volts = shown(aio, "+5V")
        proven(4.5 < volts < 4.6, "sensors shows the rail", f"{volts} V")
        check()


@scenario(
    "board",
    customer="It restarts when I play, and only then.",
    symptom="restarts",
    expected=[Expected("VOLT-5036", "motherboard", "warning", f"{CHIP}/Vcore")],
)
def core_voltage_low(aio: VirtualAio, check: Check) -> None:
    """The processor's voltage has dropped to 0.86 V; the firmware has set limits of 0.95 V and 1.15 V for it."""
    with aio.board_sensors.core_voltage(0.86, low=0.95, high=1.15):
        said = aio.guest.out("/usr/bin/sensors", CHIP)
        proven(re.search("^Vcore: .* ALARM", said, re.MULTILINE) is not None, "sensors shows the alarm", said)
        check()
