from __future__ import annotations

import json
from typing import Any

import pytest

from agent.catalogue.entry import LANGUAGES, entry
from agent.model import Evidence, Reading, Readings, Tree, Verdict
from agent.probes.mce import PROBE
from agent.rules import mce

TIME = "2026-01-02T03:04:05.000Z"
UNCORRECTED = 0xBE00000000800400
CORRECTED = 0x8C00004000010090


def findings(interrupts: str = "", **tables: list[dict[str, Any]]) -> list[tuple[str, Verdict, float]]:
    evidence = [
        Evidence("tree", "", Tree({"/proc/interrupts": interrupts}).encode(), "", TIME),
        Evidence("rasdaemon", "", json.dumps(tables).encode(), "", TIME),
    ]
    readings = Readings(s for s in PROBE.interpret(evidence) if isinstance(s, Reading))
    found = [f for rule in (mce.exceptions, mce.threshold, mce.records, mce.memory) for f in rule(readings)]
    for finding in found:
        assert finding.evidence
        for language in LANGUAGES:
            text = entry(finding.code).text("message", language, {"subject": finding.subject, **finding.values})
            assert "{" not in text
    return [(f.code, f.verdict, f.values["count"]) for f in found]


def record(status: int, time: str = "2026-01-01 00:00:00 +0000") -> dict[str, Any]:
    return {"status": status - 2**64, "timestamp": time}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("MCE: 0 0  Machine check exceptions\nMCP: 5 5  Machine check polls\nTHR: 0 0  Threshold\n", []),
        ("MCE: 1 1  Machine check exceptions\n", [("CPU-6002", Verdict.FAIL, 1)]),
        ("MCE: 0 0  M\nTHR: 0 3  T\nDFR: 1 0  D\n", [("CPU-6015", Verdict.UNKNOWN, 4)]),
        ("", []),
    ],
)
def test_interrupts(lines: str, expected: list[Any]) -> None:
    assert findings(lines) == expected


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], []),
        ([record(CORRECTED)] * 10, []),
        ([record(CORRECTED)] * 11, [("CPU-6031", Verdict.UNKNOWN, 11)]),
        ([record(UNCORRECTED)], [("CPU-6028", Verdict.FAIL, 1)]),
        ([record(UNCORRECTED, "2023-01-01 00:00:00 +0000")], [("CPU-6028", Verdict.UNKNOWN, 1)]),
        ([record(UNCORRECTED, "2031-01-01 00:00:00 +0000")], [("CPU-6028", Verdict.UNKNOWN, 1)]),
        ([record(UNCORRECTED, "")], [("CPU-6028", Verdict.UNKNOWN, 1)]),
    ],
)
def test_records(records: list[dict[str, Any]], expected: list[Any]) -> None:
    assert findings(mce_record=records) == expected


def test_recorded_memory_errors_by_module() -> None:
    events = [
        {"err_type": "Corrected", "err_count": 3, "label": "DIMM_A1"},
        {"err_type": "Uncorrected", "err_count": 1, "label": "DIMM_A1"},
        {"err_type": "Info", "err_count": 1, "label": "DIMM_B1"},
    ]
    assert findings(mc_event=events) == [("MEM-3046", Verdict.UNKNOWN, 4)]
