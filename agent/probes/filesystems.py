"""File systems of the unit itself: how full they are. A full one makes a unit slow, or keeps it from starting.

Read by psutil (``disk_partitions``, ``disk_usage``: statvfs(3) of each) for the system's own mount points only
(:data:`MOUNT_POINTS`): where a person mounts a stick or a share can carry their name, and a share that is gone would
hang. Evidence of kind ``psutil``; the subject is the mount point.

Readings: ``filesystems.size`` (B), ``filesystems.free`` (B, what users can still write), ``filesystems.used`` (% of
what users can write, as df(1) counts it), ``filesystems.type``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.probes._probe import Probe, Seen

MOUNT_POINTS = ("/", "/boot", "/boot/efi", "/home", "/var", "/usr")
"""Filesystem Hierarchy Standard 3.0; none of them names a person."""
_TIMEOUT_S = 3.0
"""Seconds for one file system; a healthy one answers from memory. Ours."""


class FilesystemsProbe(Probe):
    """See the module."""

    area = "filesystems"
    timeout_s = 5.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Every mount point side by side; nothing for files captured elsewhere, which psutil cannot be given."""
        if host.root:
            return
        import psutil

        types = {p.mountpoint: p.fstype for p in psutil.disk_partitions(all=False)}

        def measure(mount_point: str) -> Evidence:
            usage = psutil.disk_usage(mount_point)
            found = {"type": types[mount_point], "size": usage.total, "free": usage.free, "used": usage.percent}
            return Evidence("psutil", mount_point, json.dumps(found).encode(), "psutil.disk_usage", now())

        yield from host.each([m for m in MOUNT_POINTS if m in types], measure, timeout_s=_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Readings by mount point; an essential gap where nothing was measured."""
        seen = [reading for e in evidence if e.kind == "psutil" for reading in _readings(e)]
        yield from seen
        if not seen:
            yield Gap("", Outcome.UNSUPPORTED, Text("the kernel shows no such sensor"), essential=True)


def _readings(evidence: Evidence) -> Iterator[Reading]:
    found = evidence.json()
    if not isinstance(found, dict) or evidence.subject not in MOUNT_POINTS:
        return
    size, free, used = found.get("size"), found.get("free"), found.get("used")
    if _whole(size) and size > 0:
        yield _reading(evidence, "size", size, "B")
        if _whole(free) and 0 <= free <= size:
            yield _reading(evidence, "free", free, "B")
    if isinstance(used, int | float) and not isinstance(used, bool) and 0 <= used <= 100:
        yield _reading(evidence, "used", float(used), "%")
    kind = found.get("type")
    if isinstance(kind, str) and kind.isidentifier() and len(kind) <= 32:
        yield _reading(evidence, "type", kind, "")


def _whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _reading(evidence: Evidence, quantity: str, value: float | str, unit: str) -> Reading:
    return Reading(
        name=f"filesystems.{quantity}",
        value=value,
        unit=unit,
        component=ComponentKind.STORAGE_DEVICE,
        subject=evidence.subject,
        source=evidence.source,
        time=evidence.time,
    )


PROBE = FilesystemsProbe()
