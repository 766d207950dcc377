"""Counters that grow from one self-check to the next: what happens now weighs more than what once happened."""

from __future__ import annotations

from contextlib import ExitStack

from tests.bench.aio import VirtualAio
from tests.bench.hardware.ecc import EccError
from tests.bench.hardware.part import proven
from tests.bench.hardware.sata_smart import Attribute
from tests.bench.scenario import Check, Expected, scenario
from tests.bench.scenarios.board import CHIP, shown
from tests.bench.scenarios.ecc import prove_counted

DRIVE = "storage-device"
MACHINE = "aio-24-sata"


def _grows(aio: VirtualAio, check: Check, number: int, *raws: int) -> None:
    """Check with the attribute at one raw value, and again with it at another; smartctl shows both."""
    with ExitStack() as changed:
        for raw in raws:
            changed.close()
            changed.enter_context(aio.storage.sata[0].attribute(Attribute(number, raw=raw)))
            said = aio.guest.run("smartctl", "-A", "/dev/sda").out
            (row,) = [line.split() for line in said.splitlines() if line.startswith(f"{number:3} ")]
            proven(row[-1] == str(raw), f"smartctl shows {raw}", said)
            check()


@scenario(
    "storage",
    "growth",
    customer="Every week some more files do not open.",
    symptom="slow-disk",
    expected=[Expected("DISK-1804", DRIVE, "critical", "sda")],
    tolerated=["DISK-1108"],  # what the counter says by itself
    personality=MACHINE,
)
def unreadable_sectors_grow(aio: VirtualAio, check: Check) -> None:
    """Two sectors of the SATA drive could not be read at the first self-check, and nine at the second."""
    _grows(aio, check, 197, 2, 9)


@scenario(
    "storage",
    "growth",
    customer="A file that opened last week does not open any more.",
    symptom="slow-disk",
    expected=[Expected("DISK-1812", DRIVE, "warning", "sda")],
    tolerated=["DISK-1108"],
    personality=MACHINE,
)
def first_unreadable_sectors(aio: VirtualAio, check: Check) -> None:
    """The SATA drive had no unreadable sector at the first self-check, and has three at the second."""
    _grows(aio, check, 197, 0, 3)


@scenario(
    "storage",
    "growth",
    customer="It says that a file could not be read, again.",
    symptom="slow-disk",
    expected=[Expected("DISK-1820", DRIVE, "critical", "sda")],
    tolerated=["DISK-1135"],
    personality=MACHINE,
)
def read_errors_grow(aio: VirtualAio, check: Check) -> None:
    """The SATA drive has reported one more read error since the first self-check."""
    _grows(aio, check, 187, 1, 2)


@scenario(
    "storage",
    "growth",
    customer="You said to check the disk again after a month.",
    symptom="slow-disk",
    expected=[Expected("DISK-1836", DRIVE, "warning", "sda")],
    tolerated=["DISK-1124"],
    personality=MACHINE,
)
def replaced_sectors_grow(aio: VirtualAio, check: Check) -> None:
    """The SATA drive has replaced eight more sectors since the first self-check."""
    _grows(aio, check, 5, 8, 16)


@scenario(
    "storage",
    "growth",
    customer="It stops for seconds, also with the disk that you sent.",
    symptom="slow-disk",
    expected=[Expected("DISK-1857", "chassis", "warning", "sda")],
    never=["DISK-11[0-6]*"],  # the drive itself is sound
    personality=MACHINE,
)
def cable_errors_grow(aio: VirtualAio, check: Check) -> None:
    """Forty more transfers between board and SATA drive were damaged since the first self-check: the cable."""
    _grows(aio, check, 199, 12, 52)


@scenario(
    "storage",
    "growth",
    customer="It stands still for half a minute now and then.",
    symptom="slow-disk",
    expected=[Expected("DISK-1848", DRIVE, "warning", "sda")],
    personality=MACHINE,
)
def timeouts_grow(aio: VirtualAio, check: Check) -> None:
    """The SATA drive has not finished three more commands in time since the first self-check."""
    _grows(aio, check, 188, 2, 5)


@scenario(
    "board",
    "growth",
    customer="I was told that the battery lasts five years.",
    symptom="wrong-clock",
    expected=[Expected("VOLT-5310", "rtc-battery", "info", f"{CHIP}/Vbat")],
    never=["VOLT-52*"],
)
def battery_runs_down(aio: VirtualAio, check: Check) -> None:
    """The clock's battery has 2.83 V; at the first self-check it had 3.06 V."""
    check()
    with aio.board_sensors.battery(2.83):
        volts = shown(aio, "Vbat")
        proven(2.8 < volts < 2.86, "sensors shows what it has now", f"{volts} V")
        check()


@scenario(
    "memory",
    "growth",
    customer="You said to check it again after a week.",
    symptom="memory-errors",
    expected=[
        Expected("MEM-3526", "memory-module", "warning", "mc0"),
        Expected("MEM-3014", "memory-module", "warning", "mc0"),
        Expected("MEM-3046", "memory-module", "warning"),
    ],
)
def memory_errors_grow(aio: VirtualAio, check: Check) -> None:
    """The memory (ECC) had to correct one more error since the first self-check."""
    aio.ecc.fit()
    for count in (1, 2):
        aio.ecc.error(EccError.CORRECTED, rank=1)
        prove_counted(aio, "ce", count)
        check()


@scenario("growth", customer="Is it still all right?", never=["DISK-18*"], personality=MACHINE)
def nothing_grows(aio: VirtualAio, check: Check) -> None:
    """None: two self-checks, with the same counters."""
    check()
    assert check().outcomes["earlier"] == "pass"
