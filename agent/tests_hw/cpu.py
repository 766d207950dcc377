"""The processor under load: stress-ng calculates in all ways it knows, on all threads, and checks its own results.

Readings: ``cpu_test.mismatches`` (count) of results that were not what they must be, ``cpu_test.bogo_rate`` (Hz:
stress-ng's own units of work a second, comparable between runs of one version on one model only), ``cpu_test.seconds``
(s) that it worked, ``cpu_test.threads`` (count) that it kept busy.
Source of the formats: stress-ng 0.15.06 (Debian 12), its output on a sound machine, with workers killed, and of a copy
in which one expected result was changed.

stress-ng says ``fail:`` of two things. A worker says so, under its stressor's name and a colon, of a result that is
wrong. The parent says so of a worker that somebody killed ("cpu instance 1 corrupted bogo-ops counter"): that is no
mismatch, but an ``error`` here, as is a worker that crashed. A worker stops after five failures, so the count says that
there were some and not how often they come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.tests_hw._stress_ng import DONE, LINE, PLACE, long_enough
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

_MISMATCH = re.compile(LINE.format("fail:") + r"cpu: (?!.*errno=)", re.MULTILINE | re.ASCII)
_HOGS = re.compile(LINE.format("info:") + r"dispatching hogs: (\d{1,6}) cpu\b", re.MULTILINE | re.ASCII)
_METRICS = re.compile(  # bogo operations; seconds of real, user and system time; operations a second of real time
    LINE.format("metrc:") + r"cpu +\d{1,20} +(\d{1,9}\.\d\d) +[\d.]{1,20} +[\d.]{1,20} +(\d{1,15}\.\d\d) ",
    re.MULTILINE | re.ASCII,
)


class CpuTest(HardwareTest):
    """See the module."""

    name = "cpu"
    programs = ("stress-ng",)
    heats = (ComponentKind.CPU,)
    disturbs = Text("the unit is slow and its fan may speed up")
    least_s = 5.0
    slack_s = 15.0
    measures: ClassVar = {
        "cpu_test.mismatches": "count",
        "cpu_test.bogo_rate": "Hz",
        "cpu_test.seconds": "s",
        "cpu_test.threads": "count",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Run stress-ng with a worker for each thread, all its methods in turn, its numbers by chance from the seed."""
        args = ("--cpu", "0", "--cpu-method", "all", "--verify", "--metrics", "--seed", str(bout.seed))
        place = ("--temp-path", PLACE, "--timeout", str(int(bout.seconds)))
        yield host.output("stress-ng", "stress-ng", *args, *place, timeout_s=bout.seconds + self.slack_s - 5)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Mismatches only from a run that came to its end, or that found some before it was ended."""
        report = next((e for e in reversed(evidence) if e.kind == "stress-ng"), None)
        if report is None:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
            return
        text = report.text()
        mismatches, metrics, hogs = len(_MISMATCH.findall(text)), _METRICS.search(text), _HOGS.search(text)
        if not mismatches and not (DONE.search(text) and metrics and long_enough(report, float(metrics[1]))):
            yield _why_nothing(report, text)
            return
        yield _reading(report, "mismatches", mismatches, "count")
        if metrics:
            yield _reading(report, "seconds", float(metrics[1]), "s")
            yield _reading(report, "bogo_rate", float(metrics[2]), "Hz")
        if hogs:
            yield _reading(report, "threads", int(hogs[1]), "count")


def _why_nothing(report: Evidence, text: str) -> Gap:
    if report.problem:
        return program_gap(report, "", essential=True)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = next((line for line in lines if re.match(r"stress-ng: (?:fail|error): ", line)), lines[-1] if lines else "")
    values = {"program": "stress-ng", "error": told[:200]}
    return Gap("", Outcome.ERROR, Text("{program} failed: {error}", values), essential=True)


def _reading(report: Evidence, quantity: str, value: float, unit: str) -> Reading:
    return Reading(
        name=f"cpu_test.{quantity}",
        value=value,
        unit=unit,
        component=ComponentKind.CPU,
        subject="",
        source=report.source,
        time=report.time,
    )


TEST = CpuTest()
