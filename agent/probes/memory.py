"""Memory: how much there is, which modules, and the errors that were counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes._dmi import TABLES, tables
from agent.probes._modules import Module, modules, slots
from agent.probes._probe import Probe, Seen

_EDAC = "/sys/devices/system/edac/mc"
COUNTERS = (
    f"{_EDAC}/mc*/mc_name",
    f"{_EDAC}/mc*/[cu]e_*count",
    f"{_EDAC}/mc*/dimm*/dimm_*",
    f"{_EDAC}/mc*/rank*/dimm_*",
    f"{_EDAC}/mc*/csrow*/[cu]e_count",
)
"""Files of the error counters."""
_MEMINFO = {"MemTotal": "memory.total", "MemAvailable": "memory.available"}
_CORRUPTED = "HardwareCorrupted"
_PART = ComponentKind.MEMORY_MODULE


class MemoryProbe(Probe):
    """``/proc/meminfo`` (proc(5): its ``kB`` are KiB), the modules from ``dmidecode -t 16,17`` (root), and the error
    counters of EDAC (Linux Documentation/ABI/testing/sysfs-devices-edac).

    Readings: ``memory.total``, ``memory.available``, ``memory.installed`` (what the modules add up to),
    ``memory.hardware_corrupted`` (pages given up for errors), all in B; ``memory.slots`` (count);
    ``memory.module.size`` (B), ``memory.module.type``, ``memory.module.speed`` as configured and
    ``memory.module.rated_speed`` (transfers/s) by the module's name; ``memory.edac.corrected`` and ``.uncorrected``
    (count since the driver was loaded) by ``mc0/LABEL``, and ``memory.edac.controller.corrected`` and ``.uncorrected``,
    which hold also what no module could be blamed for, by ``mc0``.

    The area needs the amount of memory; where only the firmware's tables were captured, the modules. Without
    EDAC (no ECC memory, so nearly every all-in-one PC) errors do not show in any counter: that is a gap, but not an
    essential one, as only a memory test can close it.
    """

    area = "memory"
    timeout_s = 10.0
    programs = ("dmidecode",)

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Files first, then dmidecode for root."""
        yield host.tree("/proc/meminfo", *COUNTERS)
        if host.is_root:
            yield host.output("dmidecode", "dmidecode", "-t", "16,17", timeout_s=5.0)
        else:
            reason = Text("needs root")
            yield Gap("modules", Outcome.UNSUPPORTED, reason, remedy="sudo aiodiag probe memory")

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Components, readings and gaps; evidence ``tree``, and the firmware's tables (:mod:`agent.probes._dmi`)."""
        amount = counters = fitted = False
        for piece in evidence:
            if piece.kind == "tree":
                for reading in (*_meminfo(piece), *_edac(piece)):
                    amount |= reading.name == "memory.total"
                    counters |= reading.name.startswith("memory.edac.")
                    yield reading
            elif piece.kind in TABLES:
                for seen in _firmware(piece):
                    fitted |= isinstance(seen, Component)
                    yield seen
        if evidence and all(piece.kind in TABLES for piece in evidence):
            if not fitted:
                reason = Text("the firmware describes no memory modules")
                yield Gap("modules", Outcome.UNSUPPORTED, reason, essential=True)
            return
        if not amount:
            reason = Text("could not be read: {error}", {"error": "/proc/meminfo"})
            yield Gap("total", Outcome.ERROR, reason, essential=True)
        if not counters:
            yield Gap("errors", Outcome.UNSUPPORTED, Text("without ECC, memory errors show only in a memory test"))


PROBE = MemoryProbe()


def _meminfo(piece: Evidence) -> Iterator[Reading]:
    path = "/proc/meminfo"
    for name, number in re.findall(r"^(\w{1,40}): +([0-9]{1,15}) kB$", piece.tree().text(path) or "", re.MULTILINE):
        if name in _MEMINFO:
            yield Reading(_MEMINFO[name], int(number) * 1024, "B", _PART, "", path, piece.time)
        elif name == _CORRUPTED:
            yield Reading("memory.hardware_corrupted", int(number) * 1024, "B", _PART, "", path, piece.time)


def _edac(piece: Evidence) -> Iterator[Reading]:
    tree = piece.tree()
    for word, which in (("ce", "corrected"), ("ue", "uncorrected")):
        for path in tree.paths(f"{_EDAC}/mc*/{word}_count"):
            controller = path.split("/")[-2]
            yield from _count(tree, path, f"memory.edac.controller.{which}", controller, piece.time)
        modules = tree.paths(f"{_EDAC}/mc*/*/dimm_{word}_count")
        for path in modules or tree.paths(f"{_EDAC}/mc*/csrow*/{word}_count"):
            *_, controller, place, _ = path.split("/")
            label = tree.text(path.rpartition("/")[0] + "/dimm_label")
            subject = f"{controller}/{' '.join((label or place).split())[:64]}"
            yield from _count(tree, path, f"memory.edac.{which}", subject, piece.time)


def _count(tree: Tree, path: str, name: str, subject: str, time: str) -> Iterator[Reading]:
    number = tree.integer(path)
    if number is not None and 0 <= number < 2**64:
        yield Reading(name, number, "count", _PART, subject, path, time)


def _firmware(piece: Evidence) -> Iterator[Seen]:
    structures = tables(piece)
    places = slots(structures)
    if not places:
        yield Gap("modules", Outcome.UNSUPPORTED, piece.problem or Text("the firmware describes no memory modules"))
        return
    fitted = list(modules(structures))
    yield Reading("memory.slots", len(places), "count", _PART, "", piece.source, piece.time)
    if fitted and all(module.size is not None for module in fitted):
        total = sum(module.size or 0 for module in fitted)
        yield Reading("memory.installed", total, "B", _PART, "", piece.source, piece.time)
    for module in fitted:
        yield from _module(module, piece)


def _module(module: Module, piece: Evidence) -> Iterator[Seen]:
    yield Component(
        kind=_PART,
        name=module.name,
        manufacturer=module.manufacturer,
        model=module.part_number,
        serial=module.serial,
        part_number=module.part_number,
        location=module.location,
        description=module.type,
        source=piece.source,
    )
    values: tuple[tuple[str, Value | None, str], ...] = (
        ("size", module.size, "B"),
        ("type", module.type or None, ""),
        ("speed", module.speed, "transfers/s"),
        ("rated_speed", module.rated_speed, "transfers/s"),
    )
    for name, value, unit in values:
        if value is not None:
            yield Reading(f"memory.module.{name}", value, unit, _PART, module.name, piece.source, piece.time)
