"""What the hardware counted while a test ran: its counters before and after it, and what went away meanwhile.

Reads only what the kernel keeps itself, twice, and understands it as the probes do. Readings, named as the probes name
theirs: ``counters_watch.memory.edac.…``, ``counters_watch.mce.exceptions``, ``counters_watch.mce.threshold_interrupts``
and ``.deferred_interrupts``, ``counters_watch.pcie.aer.…``, ``counters_watch.network.carrier_changes``,
``.carrier_down``, ``.packets.rx`` and ``.errors.…``, ``counters_watch.usb.port.over_current`` (count),
``counters_watch.thermals.throttle.…`` (count or s): by how much it grew, of those that did; and
``counters_watch.counted`` (count), how many counters were looked at.

``counters_watch.usb.device.lost`` and ``counters_watch.storage.lost`` (count, 1) are of a device or drive that was
there before and is not any more, or was away and is known to the kernel as a new one: however short it was, the number
is another. Drives on USB are no part of the unit; what they hang on is told.

Sources of the counters: those of the probes. Of the numbers: Linux Documentation/ABI/testing/sysfs-bus-usb
(``devnum``) and sysfs-block (``diskseq``, since 5.15).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Reading, Tree
from agent.probes import mce, memory, network, pcie, thermals, usb
from agent.watch._lookout import Lookout
from agent.watch._watcher import Observed, Watcher

_BLOCK = "/sys/block"
_FILES = (
    *memory.COUNTERS,
    *mce.COUNTERS,
    *thermals.COUNTERS,
    *(f"{pcie.DEVICES}/*/{file}" for file in ("class", *pcie.COUNTERS)),
    f"{usb.DEVICES}/*/*-port*/over_current_count",
    f"{usb.DEVICES}/*/devnum",
    f"{_BLOCK}/*",
    f"{_BLOCK}/*/diskseq",
)
_COUNTED = re.compile(
    r"memory\.edac\..+|mce\.(exceptions|threshold_interrupts|deferred_interrupts)|pcie\.aer\..+|thermals\.throttle\..+"
    r"|network\.(carrier_changes|carrier_down|packets\.rx|errors\..+)|usb\.port\.over_current"
)
_ONLY_IF_SEEN = re.compile(r"(pcie\.aer\.(?:correctable|nonfatal|fatal))\..+")
"""What the probe gives only where it is not 0, and what it then always gives."""
_PROBES = (memory.PROBE, mce.PROBE, pcie.PROBE, thermals.PROBE, network.PROBE, usb.PROBE)
_BEFORE, _AFTER = "before", "after"

_Counts = dict[tuple[str, str], Reading]


class CountersWatcher(Watcher):
    """See the module."""

    name = "counters"

    def watch(self, host: Host, lookout: Lookout) -> Iterator[Evidence | Gap]:
        """The files before and after; what was there before is kept at once."""
        before = list(_look(host, _BEFORE))
        if not any(piece.tree().files for piece in before):
            return
        lookout.begin()
        yield from before
        lookout.pause()
        yield from _look(host, _AFTER)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Observed]:
        """What grew, and what is not the same any more. Without a second look, as when the unit went down meanwhile,
        there is nothing to tell.
        """
        looks = [[e for e in evidence if e.kind == "tree" and e.subject == which] for which in (_BEFORE, _AFTER)]
        if not all(looks):
            return
        counted_before, counted_after = map(_counts, looks)
        yield from _grown(counted_before, counted_after)
        before, after = map(Tree.merged, looks)
        last = looks[1][0]
        for device in _missing(_devices(before), _devices(after)):
            yield _lost("usb.device.lost", ComponentKind.USB_PORT, device, usb.DEVICES, last)
        for drive in _missing(_drives(before), _drives(after)):
            yield _lost("storage.lost", ComponentKind.STORAGE_DEVICE, drive, _BLOCK, last)
        counted, part = len(counted_after), ComponentKind.MOTHERBOARD
        yield Reading("counters_watch.counted", counted, "count", part, "", last.source, last.time)


WATCHER = CountersWatcher()


def _look(host: Host, which: str) -> Iterator[Evidence]:
    yield host.tree(*_FILES, subject=which)
    yield replace(network.counters(host), subject=which)


def _counts(look: Sequence[Evidence]) -> _Counts:
    """The counters as the probes understand them."""
    seen = (reading for probe in _PROBES for reading in probe.interpret(look) if isinstance(reading, Reading))
    return {(r.name, r.subject): r for r in seen if _COUNTED.fullmatch(r.name)}


def _grown(before: _Counts, after: _Counts) -> Iterator[Reading]:
    """Of a counter that began anew with its device, all is new."""
    for key, now in after.items():
        was = before.get(key)
        only = _ONLY_IF_SEEN.fullmatch(now.name)
        if was is None and not (only and (only[1], now.subject) in before):
            continue
        old = was.value if was is not None else 0
        if isinstance(now.value, str) or isinstance(old, str) or now.value == old:
            continue
        grown = now.value - old if now.value > old else now.value
        if grown:
            yield replace(now, name=f"counters_watch.{now.name}", value=round(grown, 3))


def _missing(before: dict[str, int | None], after: dict[str, int | None]) -> list[str]:
    """What is gone, or another one now."""
    return [name for name, number in before.items() if name not in after or after[name] != number]


def _devices(tree: Tree) -> dict[str, int | None]:
    """USB device -> the kernel's number of it."""
    found = {path.split("/")[5]: tree.integer(path) for path in tree.paths(f"{usb.DEVICES}/*/devnum")}
    return {device: number for device, number in found.items() if usb.DEVICE.fullmatch(device)}


def _drives(tree: Tree) -> dict[str, int | None]:
    """Built-in drive -> the kernel's number of its disk, ``None`` where it gives none."""
    found: dict[str, int | None] = {}
    for path in tree.paths(f"{_BLOCK}/*"):
        disk, place = path.rpartition("/")[2], tree.link(path) or ""
        if _DISK.fullmatch(disk) and "/usb" not in place:
            found[_NAMESPACE.sub("", disk)] = tree.integer(f"{path}/diskseq")
    return found


_DISK = re.compile(r"sd[a-z]{1,3}|nvme\d{1,4}n\d{1,4}|mmcblk\d{1,3}", re.ASCII)
_NAMESPACE = re.compile(r"(?<=\d)n\d+\Z", re.ASCII)
"""The storage probe calls a drive ``nvme0``, whichever namespaces it has."""


def _lost(name: str, part: ComponentKind, subject: str, source: str, look: Evidence) -> Reading:
    return Reading(f"counters_watch.{name}", 1, "count", part, subject, f"{source}/{subject}", look.time)
