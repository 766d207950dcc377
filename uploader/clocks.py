"""What the unit's clocks said when a bundle was sealed, and whether anybody had set them right.

None of it decides anything at the receiver, whose own time counts: a clock whose battery is empty is what many a unit
is sent in for. It lets staff put the records of a unit in order, and shows one that was set back.
"""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent.model.utc import utc_text
from uploader.strict_json import Malformed, field, number, optional

_UNSYNCHRONISED_US = 16_000_000
"""µs of the largest error at and above which nothing keeps the clock (Linux ``NTP_PHASE_LIMIT``, kernel/time/ntp.c; so
systemd's timedatectl decides, too).
"""


@dataclass(frozen=True, slots=True)
class TpmClock:
    """A TPM's own clock, which nobody sets back: ``clock_ms`` it has had power in all, how often it was reset (with the
    unit) and restarted, and whether the clock is ``safe``: never told a higher value before (TPM 2.0 Library, part 2,
    TPMS_CLOCK_INFO).
    """

    clock_ms: int
    reset_count: int
    restart_count: int
    safe: bool

    def to_json(self) -> dict[str, Any]:
        """``{"clock_ms", "reset_count", "restart_count", "safe"}``."""
        return {
            "clock_ms": self.clock_ms,
            "reset_count": self.reset_count,
            "restart_count": self.restart_count,
            "safe": self.safe,
        }

    @classmethod
    def from_json(cls, data: Any) -> TpmClock:
        """Raises :class:`Malformed`."""
        clock, resets, restarts = (field(data, name, int) for name in ("clock_ms", "reset_count", "restart_count"))
        if not all(0 <= count < 1 << 64 for count in (clock, resets, restarts)):
            raise Malformed("a clock of a TPM is out of range")
        return cls(clock, resets, restarts, field(data, "safe", bool))


@dataclass(frozen=True, slots=True)
class Clocks:
    """Wall clock (ISO 8601, UTC), CLOCK_MONOTONIC and CLOCK_BOOTTIME in seconds; whether the wall clock was kept by NTP
    or the like (``None``: the kernel did not say), and the TPM's clock where there is one.
    """

    wall: str
    monotonic_s: float
    boottime_s: float
    synchronised: bool | None = None
    tpm: TpmClock | None = None

    @classmethod
    def now(cls, tpm: TpmClock | None) -> Clocks:
        """Those of this moment."""
        return cls(
            wall=utc_text(datetime.now(UTC)),
            monotonic_s=round(time.clock_gettime(time.CLOCK_MONOTONIC), 3),
            boottime_s=round(time.clock_gettime(time.CLOCK_BOOTTIME), 3),
            synchronised=synchronised(),
            tpm=tpm,
        )

    def to_json(self) -> dict[str, Any]:
        """``{"wall", "monotonic_s", "boottime_s", "synchronised", "tpm"}``."""
        return {
            "wall": self.wall,
            "monotonic_s": self.monotonic_s,
            "boottime_s": self.boottime_s,
            "synchronised": self.synchronised,
            "tpm": self.tpm.to_json() if self.tpm else None,
        }

    @classmethod
    def from_json(cls, data: Any) -> Clocks:
        """Raises :class:`Malformed`. Older agents said nothing of the last two."""
        tpm = optional(data, "tpm", dict)
        return cls(
            wall=field(data, "wall", str),
            monotonic_s=number(data, "monotonic_s"),
            boottime_s=number(data, "boottime_s"),
            synchronised=optional(data, "synchronised", bool),
            tpm=None if tpm is None else TpmClock.from_json(tpm),
        )


class _Timex(ctypes.Structure):
    """``struct timex`` (adjtimex(2)), as far as it is read, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_long * 32),
    )


def synchronised() -> bool | None:
    """Whether something keeps the wall clock; only asks (``modes`` is 0), so it needs no rights."""
    asked = _Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(asked)) < 0:
        return None
    return bool(asked.maxerror < _UNSYNCHRONISED_US)
