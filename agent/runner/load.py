"""How busy the processors are, as the kernel counts it."""

from __future__ import annotations

from typing import NamedTuple


class ProcessorTimes(NamedTuple):
    """Ticks since the start: ``used`` and in all (proc(5), the first line of /proc/stat)."""

    used: int
    total: int


def processor_times() -> ProcessorTimes | None:
    """Those of all processors together; ``None`` where the kernel does not tell."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    if len(fields) < 5:
        return None
    total = sum(fields)  # user nice system idle iowait irq softirq steal; guest time is within user
    return ProcessorTimes(total - fields[3] - fields[4], total)


def busy_share(before: ProcessorTimes | None, after: ProcessorTimes | None) -> float | None:
    """The share (0 to 1) of the time between two looks that was used; ``None`` where that cannot be told."""
    if before is None or after is None or after.total <= before.total:
        return None
    return min(1.0, max(0.0, (after.used - before.used) / (after.total - before.total)))
