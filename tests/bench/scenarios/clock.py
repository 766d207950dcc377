"""The clock: back at its beginning, fast, or right in local time; and the security chip, which is just absent."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

DATE = "/sys/class/rtc/rtc0/date"
MINUTE_S, HOUR_S = 60, 3600


@scenario(
    "clock",
    customer="Whenever I switch it on, the date is wrong.",
    symptom="wrong-clock",
    expected=[Expected("CLOCK-8204", "rtc-battery", "warning", "rtc0")],
    changes={"clock": {"base": "2001-01-01"}},
)
def clock_at_its_beginning(aio: VirtualAio, check: Check) -> None:
    """The clock started anew in 2001, as it was without power; the system's time has been set right since."""
    said = aio.guest.read(DATE)
    proven(said.startswith("2001-"), "the clock says 2001", said)
    check()


@scenario(
    "clock",
    customer="The clock is always a good half hour fast.",
    symptom="wrong-clock",
    expected=[Expected("CLOCK-8212", "rtc-battery", "info", "rtc0")],
    changes={"clock": {"offset_s": 37 * MINUTE_S}},
)
def clock_fast(aio: VirtualAio, check: Check) -> None:
    """The clock is 37 minutes fast."""
    proven(_minutes_fast(aio) == 37, "the clock is ahead of the system's time", str(_minutes_fast(aio)))
    check()


@scenario(
    "clock",
    customer="I only wanted to see whether all is well.",
    symptom="wrong-clock",
    changes={"clock": {"offset_s": -6 * HOUR_S}},
    never=["CLOCK-*"],
)
def clock_in_local_time(aio: VirtualAio, check: Check) -> None:
    """None: the clock keeps the local time of Mexico City, as Windows has it."""
    proven(_minutes_fast(aio) == -6 * 60, "the clock is behind the system's time", str(_minutes_fast(aio)))
    check()


@scenario(
    "clock",
    customer="It asked me for the date once last month.",
    symptom="wrong-clock",
    expected=[Expected("CLOCK-8220", "rtc-battery", "warning", "rtc0")],
)
def clock_battery_weak(aio: VirtualAio, check: Check) -> None:
    """The clock reports that its battery was too low; it still goes right."""
    with aio.clock.battery_reported_low():
        said = aio.guest.read("/proc/driver/rtc")
        proven("batt_status\t: dead" in said, "the kernel's driver tells of the battery", said)
        check()


@scenario(
    "firmware",
    customer="Windows 11 says that this computer is not suitable.",
    expected=[Expected("FW-8005", "motherboard", "info")],
    changes={"tpm": {"version": ""}},
)
def tpm_absent(aio: VirtualAio, check: Check) -> None:
    """There is no security chip, or it is switched off."""
    said = aio.guest.run("tpm2_getrandom", "8")
    proven(said.status != 0, "tpm2-tools find none", said.out)
    check()


def _minutes_fast(aio: VirtualAio) -> int:
    """Minutes that the clock is ahead of the system's time."""
    clock, system = aio.guest.shell("cat /sys/class/rtc/rtc0/since_epoch; date +%s").check().out.split()
    return round((int(clock) - int(system)) / MINUTE_S)
