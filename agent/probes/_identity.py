"""Which serial number is one, and what a run says of its unit. Pure."""

from __future__ import annotations

import functools
import pkgutil
import re
import tomllib
from collections.abc import Iterable

from agent.model import Component, ComponentKind, Reading

SERIAL_CAP = 64
"""Characters. SMBIOS 3.7 section 6.1.3 sets none for its strings; 64 was the limit up to version 2.6."""

_FIELD = re.compile(
    r"(type[0-9]|system|base|main|mother|board|chassis|enclosure|product|unit|default|oem|string|my|your|the)*"
    r"(serial|sn|sernum|default|string)(number|num|no|nr)?[0-9]{0,3}"
)
"""Nothing but the words with which firmware's authors name the field, as :func:`_core` has them."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def usable_serial(text: str, others: Iterable[str] = ()) -> str | None:
    """A serial number as firmware holds it or a person types or scans it, without surrounding white space.

    ``None`` for what identifies nothing: empty, masked (``--``), a known placeholder, the name of the field
    (``Type2 - Board Serial Number``), one repeated character, a count (``0123456789``, ``MB-1234567890``), the same
    text as one of ``others`` (a product or board name put into the wrong field), more than 64 characters, or characters
    that cannot be printed.
    """
    serial = text.strip()
    if not serial or len(serial) > SERIAL_CAP or not serial.isprintable():
        return None
    core = _core(serial)
    if len(set(core.removeprefix("0x"))) < 2 or core in _placeholders() or _FIELD.fullmatch(core) or _counts(core):
        return None
    return None if core in {_core(other) for other in others} else serial


def meaningful(text: str | None) -> str:
    """A manufacturer, model or board text; ``""`` where it is absent or a placeholder."""
    stripped = (text or "").strip()
    core = _core(stripped)
    return stripped if core and core not in _placeholders() and stripped.isprintable() else ""


def usable_uuid(text: str) -> str | None:
    """A system UUID in lower case; ``None`` when malformed, all one digit (unset is all 0 or all F: SMBIOS 3.7 section
    7.2.1) or a known constant of reference firmware.
    """
    uuid = text.strip().lower()
    bogus = _data()["uuids"]
    if not _UUID.fullmatch(uuid) or len(set(uuid) - {"-"}) == 1 or uuid in bogus["shared"]:
        return None
    return None if uuid.endswith(tuple(bogus["endings"])) else uuid


def identity(readings: Iterable[Reading], components: Iterable[Component]) -> dict[str, str]:
    """What the journal says of the unit (OCP ``dutInfo`` metadata): ``serial``, ``serial_source``, ``manufacturer``,
    ``model``, ``sku``, ``uuid``, ``board``, ``board_manufacturer``, ``board_serial``. Keys that nothing is known about
    are absent.
    """
    values = {r.name: str(r.value) for r in readings if r.name.startswith("unit.") and r.subject == ""}
    found = {key: values.get(f"unit.{key}", "") for key in _FROM_READINGS}
    for component in components:
        if component.name == ComponentKind.MOTHERBOARD.value:
            found["board"] = component.model
            found["board_manufacturer"] = component.manufacturer
            found["board_serial"] = component.serial
    return {key: value for key, value in found.items() if value}


_FROM_READINGS = ("serial", "serial_source", "manufacturer", "model", "sku", "uuid")


def _core(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _counts(core: str) -> bool:
    """``0123456789``, ``1234567``, ``12345678901234567``, ``123456789ABCDEF``, ``987654321``, and
    ``BSN12345678901234567``: a short word may stand before, then at least six digits must follow, as ``AB12`` may well
    be a serial number.
    """
    if len(core) >= 6 and any(run.startswith(core) for run in ("0123456789abcdef", "123456789abcdef", "9876543210")):
        return True
    digits = core.lstrip("abcdefghijklmnopqrstuvwxyz")
    word = len(core) - len(digits)
    counting = "1234567890" * (SERIAL_CAP // 10 + 1)
    counts = len(digits) >= 2 and (counting.startswith(digits) or ("0" + counting).startswith(digits))
    return counts and (word == 0 or (word <= 5 and len(digits) >= 6))


@functools.cache
def _placeholders() -> frozenset[str]:
    return frozenset(_core(text) for group in _data()["texts"].values() for text in group)


@functools.cache
def _data() -> dict[str, dict[str, list[str]]]:
    # Not importlib.resources: importing that takes longer than all else that `aiodiag unit` does.
    return tomllib.loads((pkgutil.get_data(__package__, "placeholders.toml") or b"").decode("utf-8"))
