"""The smaller parts of a unit, compared with the profile of its model: fans, sensors, camera, sound, network, security
chip, built-in USB devices, links of the mainboard, firmware.

A part is called missing only where its area was looked at and others of its kind, or its neighbours on the same chip,
answered: a driver that is not loaded is no missing part. Still a switch, a shutter or a BIOS setting can hide one, so
none of this is a verdict. Confidence is ours throughout.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from agent.model import ComponentKind, Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

_SOUND = (ComponentKind.SPEAKER, ComponentKind.MICROPHONE)
_NETWORK = (ComponentKind.WIFI, ComponentKind.ETHERNET)
_STORAGE = "0x01"  # PCI class of mass storage: PCI Code and ID Assignment Specification 1.11


@rule("FAN-2805")
def fans(readings: Readings) -> Iterator[Finding]:
    """A fan that turned in the profile's unit is not there, while its chip shows other values. Confidence 0.5."""
    for expected in readings.all("profile.inventory.fan"):
        beside = _beside(readings, "board.fan", expected.subject)
        if beside is not None:
            yield finding("FAN-2805", expected.subject, Verdict.UNKNOWN, 0.5, (expected, beside))


@rule("VOLT-5307")
def sensors(readings: Readings) -> Iterator[Finding]:
    """A sensor that gave a value in the profile's unit gives none, while its chip shows others: information, for a
    BIOS can hide one. Confidence 0.3.
    """
    for expected in readings.all("profile.sensor"):
        beside = _beside(readings, str(expected.value), expected.subject)
        if beside is not None:
            yield finding("VOLT-5307", expected.subject, Verdict.UNKNOWN, 0.3, (expected, beside))


def _beside(readings: Readings, name: str, subject: str) -> Reading | None:
    """Another value of the chip of a sensor that gives none; ``None`` where the sensor does, or the chip is silent."""
    if readings.get(name, subject) is not None:
        return None
    chip = subject.partition("/")[0] + "/"
    return next((r for r in readings.matching("board.") if r.subject.startswith(chip)), None)


@rule("CAM-7954")
def camera(readings: Readings) -> Iterator[Finding]:
    """The profile's camera is not on USB any more. A key or a shutter can switch it off. Confidence 0.5."""
    found = readings.all("usb.device.id")
    for expected in readings.all("profile.inventory.camera.part_number"):
        if found and all(r.value != expected.value for r in found):
            model = _name_of(readings, expected)
            yield finding("CAM-7954", expected.subject, Verdict.UNKNOWN, 0.5, (expected, *found[:1]), model=model)


def _name_of(readings: Readings, expected: Reading) -> str:
    name = readings.get("profile.inventory.camera", expected.subject)
    return str((name or expected).value)


@rule("USB-7353")
def built_in_usb(readings: Readings) -> Iterator[Finding]:
    """A USB device that is built into the profile's unit is not there: touch screen, card reader, Bluetooth or a hub
    has lost its plug, died or been switched off. The camera has a code of its own. Confidence 0.5.
    """
    found = readings.all("usb.device.id")
    cameras = {r.value for r in readings.all("profile.inventory.camera.part_number")}
    left = Counter(str(r.value) for r in found)
    for expected in readings.all("profile.usb.device.id"):
        left[str(expected.value)] -= 1
        if found and left[str(expected.value)] < 0 and expected.value not in cameras:
            name = readings.get("profile.usb.device.name", expected.subject)
            values = {"id": str(expected.value), "name": str(name.value) if name else ""}
            yield finding("USB-7353", expected.subject, Verdict.UNKNOWN, 0.5, (expected, *found[:1]), **values)


@rule("SND-7755")
def sound(readings: Readings) -> Iterator[Finding]:
    """No built-in speaker, or no built-in microphone, shows where the profile's unit has one. Silent while the sound
    chip does not answer, which has a code of its own. Confidence 0.4: a BIOS setting can do the same.
    """
    cards = readings.get("audio.cards")
    if cards is None or any(r.value is False for r in readings.all("audio.codec.responds")):
        return
    for kind in _SOUND:
        expected = readings.all(f"profile.inventory.{kind.value}")
        if expected and not readings.all(f"inventory.{kind.value}"):
            gone = finding("SND-7755", expected[0].subject, Verdict.UNKNOWN, 0.4, (*expected, cards))
            yield replace(gone, component=kind)


@rule("NET-7557")
def network(readings: Readings) -> Iterator[Finding]:
    """Wi-Fi or wired network is not there, though the profile's unit has it, and the card is not on PCI Express either:
    with its card there, only a driver is missing. Another card is fine. Confidence 0.6.
    """
    cards = readings.all("pcie.id")
    looked = readings.get("network.uptime")
    for kind in _NETWORK:
        expected = readings.all(f"profile.inventory.{kind.value}.model")
        found = readings.all(f"inventory.{kind.value}.model")
        if looked is None or not cards or len(found) >= len(expected):
            continue
        on_board = Counter(str(r.value) for r in cards)
        missing = [r for r in expected if not on_board[str(r.value)]]
        if missing:
            gone = finding("NET-7557", missing[0].subject, Verdict.UNKNOWN, 0.6, (*missing, looked, *found))
            yield replace(gone, component=kind)


@rule("FW-8155")
def security_chip(readings: Readings) -> Iterator[Finding]:
    """No security chip (TPM) shows, though the profile's unit has one. Most often it was switched off in the BIOS, but
    Windows may ask for it. Confidence 0.3.
    """
    expected, found = readings.get("profile.firmware.tpm"), readings.get("firmware.tpm")
    if expected is not None and found is not None and expected.value is True and found.value is False:
        yield finding("FW-8155", "", Verdict.UNKNOWN, 0.3, (expected, found))


@rule("FW-8164")
def older_firmware(readings: Readings) -> Iterator[Finding]:
    """The BIOS is older than the profile's unit's: what was put right since then is not. Information; certain, as both
    dates are the firmware's own.
    """
    expected, found = readings.get("profile.firmware.date"), readings.get("firmware.date")
    if expected is None or found is None or not _is_day(expected) or not _is_day(found):
        return
    if str(found.value) < str(expected.value):
        yield finding(
            "FW-8164", "", Verdict.UNKNOWN, 1.0, (expected, found), date=str(found.value), expected=str(expected.value)
        )


def _is_day(reading: Reading) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", str(reading.value), re.ASCII) is not None


@rule("BUS-7151")
def links(readings: Readings) -> Iterator[Finding]:
    """The same card at the same place has fewer lanes than in the profile's unit, or, for a drive, a slower link: dirt
    on a contact, a bad solder joint, or a BIOS setting. Where the drive's own maximum says so, that finding is enough.
    Other cards change their speed with the load, so theirs is not compared. Confidence 0.6.
    """
    for quantity in ("width", "speed"):
        for expected in readings.all(f"profile.pcie.link.{quantity}"):
            now = readings.get(f"pcie.link.{quantity}", expected.subject)
            same, was = readings.get("pcie.id", expected.subject), readings.get("profile.pcie.id", expected.subject)
            if now is None or same is None or was is None or same.value != was.value:
                continue
            if (now.number or 0.0) < (expected.number or 0.0) and not _below_its_own(readings, quantity, now):
                values = {"now": _shown(now), "expected": _shown(expected)}
                yield finding("BUS-7151", now.subject, Verdict.UNKNOWN, 0.6, (now, expected, same), **values)


def _below_its_own(readings: Readings, quantity: str, now: Reading) -> bool:
    own = readings.number(f"pcie.link.max_{quantity}", now.subject)
    kind = readings.get("pcie.class", now.subject)
    return own is not None and (now.number or 0.0) < own and kind is not None and str(kind.value).startswith(_STORAGE)


def _shown(link: Reading) -> str:
    """``x4``, or ``8 GT/s``."""
    number = link.number or 0.0
    return f"x{number:g}" if link.name.endswith("width") else f"{number / 1e9:g} GT/s"
