"""Memory under load: stressapptest copies and checks patterns in free memory with all processors.

A short pass finds memory that fails often; what fails once a day needs hours. A user-space test reaches free memory
only, so the share that it covered is measured and said.
Readings: ``memory_test.mismatches`` (count), ``memory_test.covered`` (B), ``memory_test.share`` (% of all memory),
``memory_test.rate`` (B/s copied).
Source of the formats: stressapptest 1.0.6, sat.cc and worker.cc; MemTotal and MemAvailable: proc_meminfo(5), KiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.probes._host import Host
from agent.tests_hw._test import HardwareTest, Measured

MOST_MIB = 1024
"""MiB for a short pass; ours."""
SHARE_OF_FREE = 0.5
"""Of the memory that is free; ours: the person's own programs must not be pushed out."""
LEAST_MIB = 64
"""MiB below which a unit is too busy to be tested; ours."""

_MIB = 1 << 20
_COMPLETED = re.compile(
    r"^Stats: Completed: [\d.]+M in [\d.]+s ([\d.]+)MB/s, with (\d+) hardware incidents, (\d+) errors", re.MULTILINE
)
_STARTING = re.compile(r"^Stats: Starting SAT, (\d+)M, (\d+) seconds", re.MULTILINE)
_PASSED = re.compile(r"^Status: PASS", re.MULTILINE)


class MemoryTest(HardwareTest):
    """See the module."""

    name = "memory"
    programs = ("stressapptest",)
    heats = (ComponentKind.CPU, ComponentKind.MEMORY_MODULE)
    disturbs = Text("the unit is slow and its fan may speed up")
    least_s = 5.0
    slack_s = 15.0

    def exercise(self, host: Host, duration_s: float) -> Iterator[Evidence | Gap]:
        """Run stressapptest over half of the free memory, at most 1 GiB."""
        meminfo = host.tree("/proc/meminfo")
        yield meminfo
        size = min(MOST_MIB, int(_kib(meminfo, "MemAvailable") * SHARE_OF_FREE) // 1024)
        if size < LEAST_MIB:
            yield Gap("", Outcome.UNSUPPORTED, Text("too little free memory to test"), essential=True)
            return
        # -W: the copy that works the memory hardest (sat.cc); one error is enough to know.
        args = ("-W", "-M", str(size), "-s", str(int(duration_s)), "--max_errors", "100")
        yield host.output("stressapptest", "stressapptest", *args, timeout_s=duration_s + self.slack_s - 5)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Mismatches only from a pass that came to its end, or that found some before it was ended."""
        report = next((e for e in reversed(evidence) if e.kind == "stressapptest"), None)
        total = next((_kib(e, "MemTotal") * 1024 for e in evidence if e.kind == "tree"), 0)
        if report is None:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
            return
        text = report.text()
        completed, starting = _COMPLETED.search(text), _STARTING.search(text)
        mismatches = int(completed[2]) + int(completed[3]) if completed else text.count("Report Error: ")
        if not mismatches and not (completed and _PASSED.search(text)):
            reason = report.problem or Text(
                "{program} failed: {error}", {"program": "stressapptest", "error": _last(text)}
            )
            missing = report.exit_status is None and report.problem is not None
            outcome = Outcome.UNSUPPORTED if missing else Outcome.ERROR
            remedy = "sudo apt-get install stressapptest" if missing else ""
            yield Gap("", outcome, reason, essential=True, remedy=remedy)
            return
        yield _reading(report, "mismatches", mismatches, "count")
        if starting:
            covered = int(starting[1]) * _MIB
            yield _reading(report, "covered", covered, "B")
            if total >= covered:
                yield _reading(report, "share", round(100 * covered / total, 1), "%")
        if completed and float(completed[1]) < 1e9:
            yield _reading(report, "rate", round(float(completed[1]) * 1e6), "B/s")


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
