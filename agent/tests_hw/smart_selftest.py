"""The drives' own short self-test: started, waited for, and stopped when the time is over.

Each drive tests itself (electronics, heads, a part of its medium) while the unit goes on working; the short test takes
two minutes at most on NVMe drives (NVM Express Base Specification 2.0, 8.6.1), about as long on most ATA drives. One
that is not over in time is aborted. The runner ends a step by killing it, and then nobody aborts: the drive finishes by
itself and writes the result into its log, where the storage probe finds it.

Readings, of each drive: ``smart_selftest_test.passed`` (yes/no), ``smart_selftest_test.status`` (count: the drive's own
code, 0 for none found).
Source of the formats: the self-test execution status byte, ATA8-ACS, SMART READ DATA, as smartctl's JSON has it in
``ata_smart_data.self_test.status.value``; the Device Self-test log, NVM Express Base Specification 2.0, 5.16.1.7, as
nvme-cli gives it in binary. smartctl starts no self-test of NVMe drives before 7.4, and Debian 12 has 7.3, so those are
asked through nvme-cli. It asks the controller, not the namespace (linuxhw/hw-probe issue 182).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Value
from agent.tests_hw._drives import PATTERNS, Drive, drives
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

EACH_S = 5.0
"""Seconds between two questions whether it is over; ours. A drive interrupts its test to answer."""
ANSWER_S = 20.0
"""Seconds for one answer, as for the storage probe."""

_START, _ATA, _NVME, _ABORT = "selftest-start", "selftest-ata-json", "selftest-nvme", "selftest-abort"
_RUNNING = 0xF
_ATA_FAILED = frozenset({4, 5, 6, 7, 8})
"""An element failed: electrical, servo or seek, read, handling damage; 4 is one that has no name."""
_ATA_STOPPED = frozenset({1, 2, 3})
"""Aborted, interrupted by a reset, or ended by an error that says nothing of the drive's elements."""
_NVME_FAILED = frozenset({6, 7})
"""A segment failed, known or not. The rest are tests that were aborted, or did not complete (5)."""
_NVME_HEAD, _NVME_RESULT = 4, 28
"""Bytes before the newest result, and of each result."""


class SmartSelftestTest(HardwareTest):
    """See the module."""

    name = "smart_selftest"
    programs = ("nvme", "smartctl")
    heats = ()
    disturbs = Text("programs open and files load slowly")
    least_s = 130.0
    slack_s = 3 * (ANSWER_S + 4) + EACH_S
    measures: ClassVar = {
        "smart_selftest_test.passed": "",
        "smart_selftest_test.status": "count",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """All drives side by side; needs root."""
        tree = host.tree(*PATTERNS)
        yield tree
        found = {d.subject: d for d in drives(tree.tree()) if d.block.startswith(("sd", "hd")) or _is_nvme(d)}
        if found and not host.is_root:
            yield Gap(
                "", Outcome.UNSUPPORTED, Text("needs root"), essential=True, remedy=f"sudo aiodiag test {self.name}"
            )
            return
        limit = bout.seconds + self.slack_s - 2
        for answer in host.each(found, lambda s: _tested(host, found[s], bout), timeout_s=limit, essential=True):
            yield from [answer] if isinstance(answer, Gap) else answer

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """A result only of a drive that took the order and came to its end; else a gap."""
        started = {e.subject: e for e in evidence if e.kind == _START}
        if not started:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        for subject, start in started.items():
            last = next((e for e in reversed(evidence) if e.subject == subject and e.kind in {_ATA, _NVME}), None)
            if last is None:
                yield _not_started(start)
                continue
            status = _status(last)
            failed = _NVME_FAILED if last.kind == _NVME else _ATA_FAILED
            if status is None:
                yield program_gap(last, subject, essential=True)
            elif status == 0 or status in failed:
                yield _reading(last, "passed", status == 0, "")
                yield _reading(last, "status", status, "count")
            elif status == _RUNNING:
                yield Gap(subject, Outcome.ERROR, Text("the drive's own test was not over in time"), essential=True)
            else:
                reason = Text("the drive ended its own test early (status {status})", {"status": status})
                yield Gap(subject, Outcome.ERROR, reason, essential=True)


def _tested(host: Host, drive: Drive, bout: Bout) -> list[Evidence]:
    """The order, the last answer, and the order to stop where the time was over."""
    until = time.monotonic() + bout.seconds
    name = drive.subject
    if _is_nvme(drive):
        test, device = "device-self-test", f"/dev/{name}"
        ask, start, abort = (
            ("self-test-log", device, "--output-format=binary"),
            "--self-test-code=1",
            "--self-test-code=15",
        )
        begun = host.output(_START, "nvme", test, device, start, subject=name, timeout_s=ANSWER_S)
        stop, kind, program = (test, device, abort), _NVME, "nvme"
    else:
        device = drive.path
        ask, stop, kind, program = ("--json=c", "-c", device), ("--json=c", "-X", device), _ATA, "smartctl"
        begun = host.output(_START, "smartctl", "--json=c", "-t", "short", device, subject=name, timeout_s=ANSWER_S)
    # The higher bits of smartctl's status speak of the drive's health, not of the order (smartctl(8)).
    if begun.problem or (begun.exit_status or 0) & (0b111 if kind == _ATA else 0xFF):
        return [begun]
    while True:
        time.sleep(max(0.0, min(EACH_S, until - time.monotonic())))
        answer = host.output(kind, program, *ask, subject=name, timeout_s=ANSWER_S)
        if _status(answer) != _RUNNING:
            return [begun, answer]
        if time.monotonic() >= until:
            return [begun, answer, host.output(_ABORT, program, *stop, subject=name, timeout_s=ANSWER_S)]


def _is_nvme(drive: Drive) -> bool:
    return drive.subject.startswith("nvme") and drive.subject != drive.block


def _status(answer: Evidence) -> int | None:
    """The code of the newest test, 15 while it runs; ``None`` where the answer does not say."""
    if answer.kind == _NVME:
        if answer.problem or answer.exit_status or len(answer.data) < _NVME_HEAD + _NVME_RESULT:
            return None
        newest = answer.data[_NVME_HEAD] & 0xF
        # A log without any entry has 15 in it too, and then there was no test.
        return _RUNNING if answer.data[0] & 0xF else None if newest == _RUNNING else newest
    value = answer.json()
    for key in ("ata_smart_data", "self_test", "status", "value"):
        value = value.get(key) if isinstance(value, dict) else None
    return value >> 4 if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFF else None


def _not_started(start: Evidence) -> Gap:
    """A drive that has no such test, or is at one already, did not take the order."""
    if start.problem:
        return program_gap(start, start.subject, essential=True)
    return Gap(
        start.subject, Outcome.UNSUPPORTED, Text("the drive did not start its own test: {error}", _said(start)), True
    )


def _said(start: Evidence) -> dict[str, str | int | float]:
    document: Any = start.json()
    messages = document.get("smartctl", {}) if isinstance(document, dict) else {}
    messages = messages.get("messages") if isinstance(messages, dict) else None
    told = [m.get("string") for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
    text = " ".join(str(m) for m in told if m) or (start.text().strip() if document is None else "")
    return {"error": "".join(c if c.isprintable() else " " for c in text[:200]) or "?"}


def _reading(answer: Evidence, quantity: str, value: Value, unit: str) -> Reading:
    return Reading(
        name=f"smart_selftest_test.{quantity}",
        value=value,
        unit=unit,
        component=ComponentKind.STORAGE_DEVICE,
        subject=answer.subject,
        source=answer.source,
        time=answer.time,
    )


TEST = SmartSelftestTest()
