"""Who the unit is: its serial number as firmware may hold it, or not hold it. Never one that the agent made up."""

from __future__ import annotations

from typing import Any

from tests.bench.aio import VirtualAio
from tests.bench.checked import Checked
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario

LABEL = "HB24A2603000417"
BOARD = "MB2602110093"
CHASSIS = "CH24A2603000417"
SPACES = "   "
"""What some firmware writes where there is no serial number."""
UNKNOWN = [Expected("UNIT-9006", "motherboard", "info")]
PART = [Expected("UNIT-9011", "motherboard", "info")]
NEITHER = ["UNIT-*"]


def _serials(system: str, board: str = SPACES, chassis: str = SPACES, label: str = LABEL) -> dict[str, dict[str, Any]]:
    held = {"system": {"serial": system}, "board": {"serial": board}, "chassis": {"serial": chassis}}
    return {"identity": {**held, "label": label}}


def _held(aio: VirtualAio, text: str, of: str = "system") -> None:
    said = aio.guest.out("dmidecode", "-s", f"{of}-serial-number")
    proven(said.rstrip("\n").strip() == text.strip(), f"dmidecode prints {text!r} as the {of}'s", said)


def _typed(aio: VirtualAio, check: Check, held: str) -> None:
    """Firmware holds ``held``, which is no serial number, and the person types the one on the label."""
    _held(aio, held)
    refused = aio.guest.run("aiodiag", "unit", "--json")
    proven(refused.status in (0, 3), "aiodiag unit answers", refused.err)
    assert LABEL not in refused.out, "nobody has typed it yet"
    _is(check(typed=LABEL), LABEL, "person")


def _is(checked: Checked, serial: str, source: str) -> None:
    assert checked.unit["serial"] == serial, checked.unit
    assert source in checked.unit["serial_source"], checked.unit


@scenario(
    "identity", customer="I only wanted to see whether all is well.", changes=_serials(f"  {LABEL} "), never=NEITHER
)
def serial_with_spaces(aio: VirtualAio, check: Check) -> None:
    """None: the serial number stands between spaces."""
    _held(aio, LABEL)
    _is(check(), LABEL, "product_serial")


@scenario(
    "identity", customer="It asks for my serial number.", changes=_serials("To be filled by O.E.M."), expected=UNKNOWN
)
def serial_to_be_filled(aio: VirtualAio, check: Check) -> None:
    """Where the serial number should be, firmware says "To be filled by O.E.M."."""
    _typed(aio, check, "To be filled by O.E.M.")


@scenario("identity", customer="It asks for my serial number.", changes=_serials("Default string"), expected=UNKNOWN)
def serial_default_string(aio: VirtualAio, check: Check) -> None:
    """Where the serial number should be, firmware says "Default string"."""
    _typed(aio, check, "Default string")


@scenario(
    "identity", customer="It asks for my serial number.", changes=_serials("System Serial Number"), expected=UNKNOWN
)
def serial_own_name(aio: VirtualAio, check: Check) -> None:
    """Where the serial number should be, firmware says "System Serial Number"."""
    _typed(aio, check, "System Serial Number")


@scenario("identity", customer="It asks for my serial number.", changes=_serials(""), expected=UNKNOWN)
def serial_empty(aio: VirtualAio, check: Check) -> None:
    """Firmware holds no serial number of the system, the board or the chassis."""
    _typed(aio, check, "Not Specified")


@scenario("identity", customer="It asks for my serial number.", changes=_serials("000000000000"), expected=UNKNOWN)
def serial_zeros(aio: VirtualAio, check: Check) -> None:
    """The serial number is nothing but zeros."""
    _typed(aio, check, "000000000000")


@scenario(
    "identity",
    customer="Which number do I give?",
    changes=_serials("Default string", board=BOARD, label=BOARD),
    expected=PART,
)
def serial_of_the_board(aio: VirtualAio, check: Check) -> None:
    """Only the board has a serial number."""
    _held(aio, "Default string")
    _held(aio, BOARD, "baseboard")
    _is(check(), BOARD, "board_serial")


@scenario(
    "identity",
    customer="Which number do I give?",
    changes=_serials("Default string", board="Default string", chassis=CHASSIS, label=CHASSIS),
    expected=PART,
)
def serial_of_the_chassis(aio: VirtualAio, check: Check) -> None:
    """Only the chassis has a serial number."""
    _held(aio, "Default string", "baseboard")
    _held(aio, CHASSIS, "chassis")
    _is(check(), CHASSIS, "chassis_serial")


@scenario(
    "identity",
    customer="I typed the number on the label.",
    changes=_serials("Default string", board=BOARD),
    expected=PART,
)
def serial_of_the_label(aio: VirtualAio, check: Check) -> None:
    """Only the board has a serial number, and the person types the one on the label, which counts."""
    _held(aio, BOARD, "baseboard")
    _is(check(typed=LABEL), LABEL, "person")
