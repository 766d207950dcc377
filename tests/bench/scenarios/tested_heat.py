"""The way that the heat takes out of the unit, and a fan that does not help it: what a soak shows."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.checked import COMMAND
from tests.bench.hardware.cooling import FAN
from tests.bench.hardware.part import NotTaken, proven
from tests.bench.scenario import Check, Expected, scenario
from tests.bench.scenarios.heat import STILL_HOT, proven_by_load

SOAK_S = 180.0
"""Seconds of each heat test here."""


@scenario(
    "tested",
    "heat",
    customer="It gets loud no more, but hot.",
    tests=["thermal"],
    seconds=SOAK_S,
    expected=[Expected("FAN-2550", "fan", "warning")],
    tolerated=["HEAT-2035", *STILL_HOT],
)
def fan_does_not_follow(aio: VirtualAio, check: Check) -> None:
    """The fan turns as slowly when the unit works as when it rests."""
    with aio.cooling.fan_at(1000):
        said = aio.guest.shell(
            f"stress-ng --quiet --cpu 2 --timeout 20 & sleep 15; cat {FAN}/fan_speed_rpm; wait", timeout_s=60
        ).out
        proven(int(said) == 1000, "the kernel's fan driver sees the same speed under load", said)
        check()


@scenario(
    "tested",
    "heat",
    customer="When I edit a video it switches itself off after ten minutes.",
    tests=["thermal"],
    seconds=SOAK_S,
    expected=[Expected("HEAT-2035", "fan", "critical", "thermal_zone0")],
)
def soak_stopped_by_heat(aio: VirtualAio, check: Check) -> None:
    """Dust in the heat sink: the heat test has to be stopped, or the unit would switch itself off."""
    with aio.cooling.heatsink_blocked(2.6):
        proven_by_load(aio)
        check()


@scenario(
    "tested",
    "heat",
    "profile",
    customer="It is louder than my colleague's, which is the same model.",
    tests=["thermal"],
    seconds=SOAK_S,
    expected=[Expected("HEAT-2056", "fan", "warning", "thermal_zone0")],
)
def warmer_than_its_model(aio: VirtualAio, check: Check) -> None:
    """Dust in the heat sink: heat gets away half as well as from the good unit whose soak the profile holds."""
    words = ("test", "thermal", "--duration", f"{SOAK_S:g}", "--json")
    ran = aio.guest.run(COMMAND, *words, timeout_s=400)
    if ran.status != 0:
        raise NotTaken(f"the good unit's soak ended with {ran.status}: {ran.err.strip()[-300:]}")
    runs = aio.guest.out("/bin/ls", "/var/lib/aiodiag/runs").split()
    aio.guest.run(COMMAND, "profile", "learn", runs[-1], timeout_s=120).check()
    with aio.cooling.heatsink_blocked(2.0):
        proven_by_load(aio)
        check()
