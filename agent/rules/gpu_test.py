"""What the graphics test says of the graphics units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agent.catalogue import entry
from agent.model import Finding, Readings, Severity, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

BROKE_OFF = "GPU-5501"
_HANG = "kernel_log.gpu_hang.count"


@rule(BROKE_OFF)
def broke_off(readings: Readings) -> Iterator[Finding]:
    """The driver ended drawing in the middle, after frames that were the same work and were done.

    Mesa ends a process so when the kernel takes no more work for the graphics unit. Confidence 0.3 (ours), and no
    certain fault: the driver itself can be wrong, and so can the memory or the processor. Where the kernel told of a
    hang or a reset, that is the event and already a finding; what the program saw of it is information then.
    """
    told = any((readings.number(_HANG, hang.subject) or 0.0) > 0.0 for hang in readings.all(_HANG))
    for breaks in readings.all("gpu_test.breaks"):
        count = readings.number("gpu_test.breaks", breaks.subject)
        if count is None or count <= entry(BROKE_OFF).limit("breaks"):
            continue
        names = ("gpu_test.frames", "gpu_test.renderer")
        evidence = (breaks, *(r for name in names if (r := readings.get(name, breaks.subject))))
        found = finding(BROKE_OFF, breaks.subject, Verdict.UNKNOWN, 0.3, evidence, count=int(min(count, 2**53)))
        yield replace(found, severity=Severity.INFO) if told else found
