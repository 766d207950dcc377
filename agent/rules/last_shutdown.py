"""What the end of the last session says."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

_CODES = {
    "panic": ("DOWN-8702", Verdict.UNKNOWN, 0.3),
    "power-loss-or-reset": ("DOWN-8715", Verdict.UNKNOWN, 0.1),
    "watchdog": ("DOWN-8728", Verdict.UNKNOWN, 0.3),
    "thermal": ("DOWN-8731", Verdict.FAIL, 0.6),
    "machine-check": ("DOWN-8744", Verdict.FAIL, 0.5),
}


@rule(*(code for code, _, _ in _CODES.values()))
def not_in_order(readings: Readings) -> Iterator[Finding]:
    """The last session did not end in order.

    A panic may be the software's, a session cut off is most often a person at the switch or a power cut, so both are
    only hints; a unit that switched off from heat cannot cool itself. A fatal machine check, or a fatal error of which
    firmware tells, is a fault of the hardware for certain, but memory, board and voltages cause it as well as the
    processor that reports it. Confidence: ours.
    """
    kind = readings.get("last_shutdown.kind")
    if kind is None or kind.value not in _CODES:
        return
    code, verdict, confidence = _CODES[str(kind.value)]
    line = readings.get("last_shutdown.crash_line")
    yield finding(code, "", verdict, confidence, (kind, line) if line else (kind,))
