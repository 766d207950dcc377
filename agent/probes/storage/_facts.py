"""What is known of one drive, whoever said it: the layer between the readers of smartctl's output and the readings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

_TEXT_CAP = 200
_COUNTER_BITS = 128
"""NVMe counters are 128 bits wide (NVM Express Base Specification 2.0, 5.16.1.3); nothing is wider."""
_PACKED_ABOVE = 0xFFFFFFFF
_EVENT_COUNTERS = frozenset({5, 187, 188, 196, 197, 198, 199})


def _reading(name: str, unit: str) -> Any:
    """A field that becomes the reading ``name`` where it is known."""
    return field(default=None, metadata={"reading": name, "unit": unit})


class Attribute(NamedTuple):
    """One row of the ATA SMART attribute table.

    ``value``, ``worst`` and ``threshold`` are the normalised 0..255 (higher is better). ``failing`` is ``now``,
    ``past`` or ``""``. ``prefailure`` tells an attribute that predicts failure from one that counts use. ``raw`` is
    decoded (:func:`decoded_raw`), ``None`` where it is no single number.
    """

    number: int
    name: str
    value: int | None
    worst: int | None
    threshold: int | None
    failing: str
    prefailure: bool
    raw: int | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)  # neither is used, and making them takes 3 ms
class DriveFacts:
    """All of it may be unknown: ``None``, ``""`` or no attributes. Units stand beside the names of the readings."""

    model: str = ""
    family: str = ""
    serial: str = ""
    firmware: str = ""
    protocol: str = ""
    attributes: Mapping[int, Attribute] = field(default_factory=dict)
    messages: tuple[str, ...] = ()

    size: int | None = _reading("storage.size", "B")
    rotational: bool | None = _reading("storage.rotational", "")
    rotation_rate: int | None = _reading("storage.rotation_rate", "rpm")
    smart_available: bool | None = _reading("storage.smart.available", "")
    passed: bool | None = _reading("storage.smart.passed", "")
    exit_status: int | None = _reading("storage.smart.exit_status", "count")
    temperature: int | None = _reading("storage.temperature", "°C")
    temperature_limit: int | None = _reading("storage.temperature.limit", "°C")
    temperature_max: int | None = _reading("storage.temperature.lifetime_max", "°C")
    temperature_over: int | None = _reading("storage.temperature.over_limit", "count")
    temperature_over_s: int | None = _reading("storage.temperature.over_limit_time", "s")
    power_on_hours: int | None = _reading("storage.power_on_time", "h")
    power_cycles: int | None = _reading("storage.power_cycles", "count")
    percentage_used: int | None = _reading("storage.percentage_used", "%")
    reported_uncorrectable: int | None = _reading("storage.ata.statistics.reported_uncorrectable", "count")
    interface_crc: int | None = _reading("storage.ata.statistics.interface_crc", "count")
    pending_defects: int | None = _reading("storage.ata.pending_defects", "count")
    error_log_count: int | None = _reading("storage.ata.error_log.count", "count")
    error_log_media: int | None = _reading("storage.ata.error_log.media", "count")
    error_log_media_hours: int | None = _reading("storage.ata.error_log.media.last", "h")
    error_log_interface: int | None = _reading("storage.ata.error_log.interface", "count")
    phy_crc: int | None = _reading("storage.ata.phy.crc", "count")
    phy_resets: int | None = _reading("storage.ata.phy.resets", "count")
    selftest_count: int | None = _reading("storage.selftest.count", "count")
    selftest_last_passed: bool | None = _reading("storage.selftest.last.passed", "")
    selftest_last_hours: int | None = _reading("storage.selftest.last.time", "h")
    selftest_failures: int | None = _reading("storage.selftest.failures", "count")
    selftest_failure: str | None = _reading("storage.selftest.failure.status", "")
    selftest_failure_hours: int | None = _reading("storage.selftest.failure.time", "h")
    selftest_failure_lba: int | None = _reading("storage.selftest.failure.lba", "count")
    critical_warning: int | None = _reading("storage.nvme.critical_warning", "count")
    available_spare: int | None = _reading("storage.nvme.available_spare", "%")
    available_spare_threshold: int | None = _reading("storage.nvme.available_spare_threshold", "%")
    media_errors: int | None = _reading("storage.nvme.media_errors", "count")
    nvme_error_entries: int | None = _reading("storage.nvme.error_log_entries", "count")
    nvme_error_media: int | None = _reading("storage.nvme.error_log.media", "count")
    unsafe_shutdowns: int | None = _reading("storage.nvme.unsafe_shutdowns", "count")
    warning_temp_s: int | None = _reading("storage.nvme.warning_temp_time", "s")
    critical_temp_s: int | None = _reading("storage.nvme.critical_temp_time", "s")
    grown_defects: int | None = _reading("storage.scsi.grown_defects", "count")
    scsi_uncorrected: int | None = _reading("storage.scsi.uncorrected", "count")
    scsi_pending: int | None = _reading("storage.scsi.pending_defects", "count")
    scsi_sense: str | None = _reading("storage.scsi.sense", "")

    @property
    def identified(self) -> bool:
        """Whether the drive said who it is: then it answers."""
        return bool(self.model or self.serial)

    @property
    def has_health(self) -> bool:
        """Whether the drive said anything of its health."""
        known = (self.passed, self.critical_warning, self.percentage_used, self.grown_defects)
        return bool(self.attributes) or any(fact is not None for fact in known)

    def overlaid(self, over: DriveFacts) -> DriveFacts:
        """These facts, with those that ``over`` knows in place of ours; attributes one by one."""
        names = (f.name for f in fields(self) if f.name != "attributes")
        known = {name: value for name in names if (value := getattr(over, name)) not in (None, "", ())}
        return replace(self, **known, attributes={**self.attributes, **over.attributes})


def decoded_raw(number: int, string: str, value: int | None = None) -> int | None:
    """The count in an attribute's raw value.

    ``string`` is what smartctl's drive database made of the 48 bits (``38 (Min/Max 20/45)``, ``0 0 7``,
    ``1234h+05m``); ``value`` are the 48 bits, used only where there is no string. Three words are printed highest
    first, and the count is the lowest (Seagate 188: words of time-outs over 7.5 s, over 5 s, and all; smartmontools
    drivedb.h ``raw16``). A 48-bit number where an event counter is due is such words undecoded (a drive that the
    database does not know), so its lowest word is taken: 8590065666 time-outs are 2. ``None`` where there is no
    number.
    """
    words = re.fullmatch(r"([0-9]{1,5}) ([0-9]{1,5}) ([0-9]{1,5})", string)
    if words:
        return int(words[3])
    first = re.match(r"(-?[0-9]{1,15})(?=$|[ (/h])", string)
    count = int(first[1]) if first else value if not string else None
    if count is not None and number in _EVENT_COUNTERS:
        packed_above = 0xFFFF if number == 188 else _PACKED_ABOVE
        return count & 0xFFFF if count > packed_above else max(count, 0)
    return count


def whole(value: object, low: int = 0, high: int = (1 << _COUNTER_BITS) - 1) -> int | None:
    """``value`` if it is an integer (not a bool) in ``low..high``; ``None`` otherwise."""
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def seconds(minutes: object) -> int | None:
    """Minutes, as NVMe counts the time above its temperature limits, in seconds; ``None`` if they are no count."""
    known = whole(minutes)
    return None if known is None else known * 60


def celsius(value: object) -> int | None:
    """``value`` if it is a temperature that a drive can have (-40..125 °C, the widest industrial rating; drives without
    a sensor say 0 K, -128 or 255); ``None`` otherwise.
    """
    return whole(value, -40, 125)


def boolean(value: object) -> bool | None:
    """``value`` if it is a bool."""
    return value if isinstance(value, bool) else None


def words(value: object) -> str:
    """``value`` if it is text: printable, on one line, at most 200 characters; ``""`` otherwise. Captures blank serial
    numbers as ``--``, which is none.
    """
    if not isinstance(value, str):
        return ""
    text = value[: 4 * _TEXT_CAP]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    clean = " ".join(text.split())[:_TEXT_CAP]
    return "" if clean.strip("-") == "" else clean
