"""The processor: name, topology, frequencies, microcode, known vulnerabilities.

Readings: ``cpu.vendor``, ``cpu.brand``, ``cpu.microcode`` (text); ``cpu.family``, ``cpu.model``, ``cpu.stepping`` (unit
``1``); ``cpu.sockets``, ``cpu.cores``, ``cpu.threads``, ``cpu.threads_online`` (count);
``cpu.frequency_advertised``, ``.frequency_max``, ``.frequency_now`` (Hz); ``cpu.l3_cache`` (B); ``cpu.virtual``
(yes/no); ``cpu.vulnerability.<name>`` (text).
Sources: /proc/cpuinfo, read by py-cpuinfo; /sys/devices/system/cpu (Documentation/ABI/testing/sysfs-devices-system-cpu:
frequencies are in kHz, cache sizes in KiB with a K behind).
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes._probe import Probe, Seen

SYSFS = "/sys/devices/system/cpu/"
CPUINFO = "/proc/cpuinfo"
NAME = "cpu"
THREADS_CAP = 8192
"""Logical processors that are counted; NR_CPUS of the largest kernels."""


class CpuProbe(Probe):
    """The processor."""

    area: ClassVar[str] = "cpu"
    timeout_s: ClassVar[float] = 10.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Only files: py-cpuinfo's own way starts a Python and several programs found through ``PATH``."""
        yield host.tree(
            CPUINFO,
            SYSFS + "online",
            SYSFS + "present",
            SYSFS + "vulnerabilities/*",
            SYSFS + "cpu*/topology/physical_package_id",
            SYSFS + "cpu*/topology/thread_siblings_list",
            SYSFS + "cpu*/cpufreq/cpuinfo_max_freq",
            SYSFS + "cpu*/cpufreq/scaling_cur_freq",
            SYSFS + "cpu0/cache/index3/size",
        )

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Component CPU and the readings ``cpu.*``."""
        looked_at = False
        for item in evidence:
            tree = item.tree() if item.kind == "tree" else Tree()
            text = tree.text(CPUINFO) or ""
            if text:
                looked_at = True
                yield from _processor(text, item.time)
            yield from _topology(tree, item.time)
            yield from _frequencies(tree, item.time)
            yield from _vulnerabilities(tree, item.time)
        if not looked_at:
            reason = Text("could not be read: {error}", {"error": CPUINFO})
            yield Gap("", Outcome.UNSUPPORTED, reason, essential=True)


def _processor(text: str, time: str) -> Iterator[Component | Reading]:
    info = _ask_py_cpuinfo(text)
    microcode = _field(text, "microcode")
    brand = _printable(info.get("brand_raw"))
    yield Component(
        ComponentKind.CPU,
        NAME,
        manufacturer=_printable(info.get("vendor_id_raw")),
        model=brand,
        firmware=microcode,
        source=CPUINFO,
    )
    for name, value in (
        ("cpu.vendor", _printable(info.get("vendor_id_raw"))),
        ("cpu.brand", brand),
        ("cpu.microcode", microcode),
    ):
        if value:
            yield _reading(name, value, "", CPUINFO, time)
    for name in ("family", "model", "stepping"):
        number = info.get(name)
        if isinstance(number, int) and 0 <= number < 2**32:
            yield _reading(f"cpu.{name}", number, "1", CPUINFO, time)
    for name, key in (("cpu.frequency_advertised", "hz_advertised"), ("cpu.frequency_now", "hz_actual")):
        hertz = info.get(key, (0,))[0]
        if 0 < hertz < 10**11:
            yield _reading(name, int(hertz), "Hz", CPUINFO, time)
    if _field(text, "flags"):
        yield _reading("cpu.virtual", "hypervisor" in _field(text, "flags", cap=20_000).split(), "", CPUINFO, time)


def _ask_py_cpuinfo(text: str) -> dict[str, Any]:
    """What py-cpuinfo reads in the text of ``/proc/cpuinfo``; empty where it reads nothing.

    ``get_cpu_info()`` takes up to a second and cannot be given captured text, so its reader of this one file is called
    alone, with the data source replaced as py-cpuinfo's own tests do.
    """
    cpuinfo = _import_py_cpuinfo()
    machine = cpuinfo.DataSource
    cpuinfo.DataSource = SimpleNamespace(has_proc_cpuinfo=lambda: True, cat_proc_cpuinfo=lambda: (0, text))
    try:
        return dict(vars(cpuinfo)["_get_cpu_info_from_proc_cpuinfo"]())
    finally:
        cpuinfo.DataSource = machine


def _import_py_cpuinfo() -> Any:
    """Import it without the ``file -b`` and ``uname -p`` that its import would start, found through ``PATH``: it asks
    ``platform`` for the machine's architecture and processor, neither of which is used here.
    """
    vars(platform.uname()).setdefault("processor", "")
    ask = platform.architecture
    vars(platform)["architecture"] = lambda: ("", "")
    try:
        from cpuinfo import cpuinfo
    finally:
        vars(platform)["architecture"] = ask
    return cpuinfo


def _topology(tree: Tree, time: str) -> Iterator[Reading]:
    packages = {tree.text(path) for path in tree.paths(SYSFS + "cpu*/topology/physical_package_id")} - {None}
    cores = {tree.text(path) for path in tree.paths(SYSFS + "cpu*/topology/thread_siblings_list")} - {None}
    for name, number, source in (
        ("cpu.sockets", len(packages), SYSFS + "cpu*/topology/physical_package_id"),
        ("cpu.cores", len(cores), SYSFS + "cpu*/topology/thread_siblings_list"),
        ("cpu.threads", _count_list(tree.text(SYSFS + "present")), SYSFS + "present"),
        ("cpu.threads_online", _count_list(tree.text(SYSFS + "online")), SYSFS + "online"),
    ):
        if number:
            yield _reading(name, number, "count", source, time)


def _count_list(text: str | None) -> int:
    """How many a kernel list such as ``0-3,8`` names; 0 when it is none."""
    total = 0
    for part in (text or "").split(","):
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part.strip())
        if match is None:
            return 0
        total += int(match[2] or match[1]) - int(match[1]) + 1
    return total if 0 < total <= THREADS_CAP else 0


def _frequencies(tree: Tree, time: str) -> Iterator[Reading]:
    for name, file in (("cpu.frequency_max", "cpuinfo_max_freq"), ("cpu.frequency_now", "scaling_cur_freq")):
        # Cores differ (performance and efficiency cores): the fastest stands for the processor.
        known = [(tree.integer(path) or 0, path) for path in tree.paths(SYSFS + f"cpu*/cpufreq/{file}")]
        kilohertz, path = max(known, default=(0, ""))
        if 0 < kilohertz < 10**8:
            yield _reading(name, kilohertz * 1000, "Hz", path, time)
    size = re.fullmatch(r"(\d{1,8})K", tree.text(SYSFS + "cpu0/cache/index3/size") or "")
    if size:
        yield _reading("cpu.l3_cache", int(size[1]) * 1024, "B", SYSFS + "cpu0/cache/index3/size", time)


def _vulnerabilities(tree: Tree, time: str) -> Iterator[Reading]:
    for path in tree.paths(SYSFS + "vulnerabilities/*"):
        name, text = path.rpartition("/")[2], _printable(tree.text(path))
        if re.fullmatch(r"[a-z0-9_]{1,40}", name) and text:
            yield _reading(f"cpu.vulnerability.{name}", text, "", path, time)


def _field(text: str, name: str, cap: int = 200) -> str:
    match = re.search(rf"^{name}[ \t]*: ?(.*)$", text, re.MULTILINE)
    return _printable(match[1], cap) if match else ""


def _printable(text: object, cap: int = 200) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(text or "").strip()[:cap])


def _reading(name: str, value: Value, unit: str, source: str, time: str) -> Reading:
    return Reading(name, value, unit, ComponentKind.CPU, NAME, source, time)


PROBE = CpuProbe()
