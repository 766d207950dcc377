"""Memory under load: stressapptest copies and checks patterns in free memory with all processors.

A short pass finds memory that fails often; what fails once a day needs hours. A user-space test reaches free memory
only, so the share that it covered is measured and said.
Readings: ``memory_test.mismatches`` (count), ``memory_test.covered`` (B), ``memory_test.share`` (% of all memory),
``memory_test.rate`` (B/s copied).
Source of the formats: stressapptest 1.0.6, sat.cc, worker.cc and os.cc; MemTotal, MemAvailable: proc_meminfo(5), KiB.

What stressapptest counts as "hardware incidents" is about the memory; what it counts as "errors" is about itself (a
thread that could not work, sat.cc ``statuscount_``: "procedural errors"), so it is an ``error`` here and no mismatch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

MOST_MIB = 1024
"""MiB for a short pass; ours."""
SHARE_OF_FREE = 0.5
"""Of the memory that is free; ours: the person's own programs must not be pushed out."""
LEAST_MIB = 64
"""MiB below which a unit is too busy to be tested; ours."""

_MIB = 1 << 20
_STAMP = r"^(?:\d{4}/\d\d/\d\d-\d\d:\d\d:\d\d\([^)\n]{0,40}\) )?"  # since 1.0.7 each line has its time
_COMPLETED = re.compile(
    _STAMP
    + r"Stats: Completed: [\d.]{1,40}M in [\d.]{1,40}s (\d{1,12}(?:\.\d{1,6})?|-?nan|inf)MB/s, "
    + r"with (\d{1,15}) hardware incidents, \d{1,15} errors",
    re.MULTILINE | re.ASCII,
)
_STARTING = re.compile(_STAMP + r"Stats: Starting SAT, (\d{1,9})M, \d{1,9} seconds", re.MULTILINE | re.ASCII)
_PASSED = re.compile(_STAMP + r"Status: PASS", re.MULTILINE | re.ASCII)
_MISCOMPARE = re.compile(_STAMP + r"Report Error: miscompare : ", re.MULTILINE | re.ASCII)


class MemoryTest(HardwareTest):
    """See the module."""

    name = "memory"
    programs = ("stressapptest",)
    heats = (ComponentKind.CPU, ComponentKind.MEMORY_MODULE)
    disturbs = Text("the unit is slow and its fan may speed up")
    least_s = 5.0
    slack_s = 15.0
    measures: ClassVar = {
        "memory_test.mismatches": "count",
        "memory_test.covered": "B",
        "memory_test.share": "%",
        "memory_test.rate": "B/s",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Run stressapptest over half of the free memory, at most 1 GiB. It takes no seed: its patterns are fixed."""
        meminfo = host.tree("/proc/meminfo")
        yield meminfo
        size = min(MOST_MIB, int(_kib(meminfo, "MemAvailable") * SHARE_OF_FREE) // 1024)
        if size < LEAST_MIB:
            yield Gap("", Outcome.UNSUPPORTED, Text("too little free memory to test"), essential=True)
            return
        # -W: the copy that works the memory hardest (sat.cc); one error is enough to know.
        args = ("-W", "-M", str(size), "-s", str(int(bout.seconds)), "--max_errors", "100")
        yield host.output("stressapptest", "stressapptest", *args, timeout_s=bout.seconds + self.slack_s - 5)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Mismatches only from a pass that came to its end, or that found some before it was ended.

        The larger of the total and the reported ones counts: a pass that found data miscompared and could read it
        correctly on retry calls itself passed (stressapptest's issue 56), and one that was killed has no total. A pass
        ends with 0 (main.cc): any other end says that something broke.
        """
        report = next((e for e in reversed(evidence) if e.kind == "stressapptest"), None)
        total = next((_kib(e, "MemTotal") * 1024 for e in evidence if e.kind == "tree"), 0)
        if report is None:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
            return
        text = report.text()
        completed, starting = _COMPLETED.search(text), _STARTING.search(text)
        mismatches = max(int(completed[2]) if completed else 0, len(_MISCOMPARE.findall(text)))
        clean = completed and _PASSED.search(text) and not report.exit_status
        if not mismatches and not clean:
            yield _why_nothing(report, text)
            return
        yield _reading(report, "mismatches", mismatches, "count")
        if starting:
            covered = int(starting[1]) * _MIB
            yield _reading(report, "covered", covered, "B")
            if total >= covered:
                yield _reading(report, "share", round(100 * covered / total, 1), "%")
        if completed and math.isfinite(rate := float(completed[1])):
            yield _reading(report, "rate", round(rate * 1e6), "B/s")


def _why_nothing(report: Evidence, text: str) -> Gap:
    if report.problem:
        return program_gap(report, "", essential=True)
    values = {"program": "stressapptest", "error": _last(text)}
    return Gap("", Outcome.ERROR, Text("{program} failed: {error}", values), essential=True)


def _kib(meminfo: Evidence, field: str) -> int:
    match = re.search(rf"^{field}:\s+(\d{{1,15}}) kB", meminfo.tree().text("/proc/meminfo") or "", re.MULTILINE)
    return int(match[1]) if match else 0


def _last(text: str) -> str:
    return next((line.strip()[:200] for line in reversed(text.splitlines()) if line.strip()), "")


def _reading(report: Evidence, quantity: str, value: float, unit: str) -> Reading:
    return Reading(
        name=f"memory_test.{quantity}",
        value=value,
        unit=unit,
        component=ComponentKind.MEMORY_MODULE,
        subject="",
        source=report.source,
        time=report.time,
    )


TEST = MemoryTest()
