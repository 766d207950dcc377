"""How the last session ended."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

OTHER_ENDS = ["DOWN-8702", "DOWN-8715", "DOWN-8728", "DOWN-8731", "DOWN-8744"]
"""All codes for the end of a session."""


def _only(code: str) -> list[str]:
    """The codes that must not be said beside ``code``."""
    return [other for other in OTHER_ENDS if other != code]


def _starts_and_shutdowns(aio: VirtualAio) -> str:
    """The last two of them, the newest first."""
    return aio.guest.out("/usr/bin/last", "-x", "-F", "-n", "2", "reboot", "shutdown")


def _prove_no_shutdown(aio: VirtualAio) -> None:
    said = _starts_and_shutdowns(aio)
    proven(said.startswith("reboot") and "shutdown" not in said, "it came up again without a shutdown", said)


@scenario(
    "last-session",
    customer="The screen went full of text, then it started anew.",
    symptom="restarts",
    expected=[Expected("DOWN-8702", "motherboard", "warning")],
    never=_only("DOWN-8702"),
)
def panic_in_last_session(aio: VirtualAio, check: Check) -> None:
    """The kernel panicked, and the machine restarted."""
    with aio.restarting():
        aio.power.panic()
    said = aio.guest.shell("head -c 8 /sys/fs/pstore/dmesg-*; grep -h 'Kernel panic' /sys/fs/pstore/dmesg-*").out
    proven("Panic#" in said and "Kernel panic - not syncing: NMI" in said, "the kernel kept a crash record", said)
    check()


@scenario(
    "last-session",
    customer="It restarts by itself.",
    symptom="restarts",
    expected=[Expected("DOWN-8744", "cpu", "critical")],
    never=_only("DOWN-8744"),
)
def machine_check_fatal_in_last_session(aio: VirtualAio, check: Check) -> None:
    """A fatal machine check ended the last session."""
    with aio.restarting():
        aio.processor.fatal_error()
    said = aio.guest.shell("grep -h 'Hardware Error' /sys/fs/pstore/dmesg-*").out
    proven("Processor Context Corrupt" in said, "the crash record holds the machine check", said)
    check()


@scenario(
    "last-session",
    "heat",
    customer="It gets very hot and switches itself off.",
    symptom="overheats",
    expected=[Expected("DOWN-8731", "fan", "critical")],
    never=_only("DOWN-8731"),
)
def heat_in_last_session(aio: VirtualAio, check: Check) -> None:
    """With a full heat sink and a fan that stood still the unit reached its critical temperature, and switched off."""
    with aio.cooling.fan_stopped(), aio.cooling.heatsink_blocked(5.0):
        aio.await_off()
    aio.power_on()
    said = aio.guest.out("journalctl", "-k", "-b", "-1", "--no-pager", "-o", "cat")
    proven("critical temperature reached" in said, "the kernel of the last session said why", said)
    check()


@scenario(
    "last-session",
    "memory",
    customer="It restarts by itself.",
    symptom="restarts",
    expected=[Expected("LOG-8627", "motherboard", "warning"), Expected("LOG-8492", "memory-module", "critical")],
    changes={"boot_error": {"kept": True}},
)
def hardware_error_kept_by_firmware(aio: VirtualAio, check: Check) -> None:
    """An error of the memory ended the last session, and firmware has kept a record of it."""
    said = aio.guest.out("dmesg")
    proven("BERT: Error records from previous boot" in said and "multi-bit ECC" in said, "the kernel prints it", said)
    check()


@scenario(
    "last-session",
    "memory",
    customer="It restarts by itself, and before that the screen is full of text.",
    symptom="restarts",
    expected=[Expected("DOWN-8744", "cpu", "critical")],
    never=_only("DOWN-8744"),
    changes={"firmware_error": {"source": True}},
)
def firmware_stopped_last_session(aio: VirtualAio, check: Check) -> None:
    """Firmware told the system of an error of the memory after which it could not go on."""
    with aio.restarting():
        aio.firmware_error.fatal()
    said = aio.guest.shell("grep -h 'Hardware [Ee]rror\\|hardware error' /sys/fs/pstore/dmesg-*").out
    proven("GHES: Fatal hardware error" in said and "type: fatal" in said, "the crash record says so", said)
    check()


@scenario(
    "last-session",
    customer="It froze, and after a while it restarted by itself.",
    symptom="freezes",
    expected=[Expected("DOWN-8728", "motherboard", "warning")],
    never=_only("DOWN-8728"),
)
def watchdog_in_last_session(aio: VirtualAio, check: Check) -> None:
    """The processors stopped on the spot, and the watchdog reset the machine."""
    aio.power.arm_watchdog()
    with aio.restarting():
        aio.power.hang()
        proven(not aio.guest.ping(3.0), "the machine hangs")
    _prove_no_shutdown(aio)
    check()


@scenario(
    "last-session",
    customer="It simply goes off.",
    symptom="restarts",
    expected=[Expected("DOWN-8715", "power-supply", "warning")],
    never=_only("DOWN-8715"),
)
def power_cut_in_last_session(aio: VirtualAio, check: Check) -> None:
    """The power went away in the middle of the last session."""
    aio.power_cut()
    aio.power_on()
    _prove_no_shutdown(aio)
    check()


@scenario(
    "last-session",
    customer="It froze completely, and I had to keep the power button pressed.",
    symptom="freezes",
    expected=[Expected("DOWN-8715", "power-supply", "warning")],
    never=_only("DOWN-8715"),
)
def freeze_in_last_session(aio: VirtualAio, check: Check) -> None:
    """The machine froze, and was switched off at its button."""
    aio.power.freeze()
    proven(not aio.guest.ping(3.0), "the machine is frozen")
    aio.power_cut()
    aio.power_on()
    _prove_no_shutdown(aio)
    check()


@scenario("last-session", customer="I restarted it myself, all is well.", symptom="restarts", never=OTHER_ENDS)
def restart_in_order(aio: VirtualAio, check: Check) -> None:
    """None: a person restarted the machine, and nothing may be said of the last session."""
    with aio.restarting():
        aio.power.restart()
    said = _starts_and_shutdowns(aio)
    proven("shutdown" in said, "it was shut down in order", said)
    check()
