"""How fast captured evidence is made sense of: the receiver and later rules judge old bundles by the thousand."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.model import Evidence
from agent.probes import load
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark_only

TIME = "2026-11-23T14:22:33.123Z"
KINDS = {
    "smartctl JSON": ("storage", "smartctl-json", "smartctl-json"),
    "smartctl text, hard disks": ("storage", "smartctl-text-HDD", "smartctl-text"),
    "smartctl text, NVMe": ("storage", "smartctl-text-NVMe", "smartctl-text"),
    "EDID of built-in panels": ("panel", "aio-size-panel-bin", "edid"),
    "kernel log": ("kernel_log", "ata_command_failed", "kernel-log"),
    "dmidecode, memory": ("memory", "dmidecode-text-aio", "dmidecode"),
}
"""What it is: the area, the captures' ``subkind`` in the index, the kind of evidence."""


def captures(shared: Path, subkind: str, kind: str) -> list[Evidence]:
    folder = shared / "corpora"
    with (folder / "INDEX.csv").open(encoding="utf-8", newline="") as index:
        paths = [folder / row["path"] for row in csv.DictReader(index) if row["subkind"] == subkind]
    return [Evidence(kind, "", path.read_bytes(), path.name, TIME, exit_status=0) for path in paths]


@pytest.mark.parametrize("what", KINDS)
def test_interpreting(what: str, benchmark: Any, report: Report, shared: Path) -> None:
    area, subkind, kind = KINDS[what]
    probe, evidence = load(area), captures(shared, subkind, kind)
    assert evidence

    def interpret(pieces: Sequence[Evidence]) -> int:
        return sum(1 for piece in pieces for _ in probe.interpret([piece]))

    assert benchmark.pedantic(interpret, (evidence,), rounds=5, warmup_rounds=1) >= len(evidence)
    each = benchmark.stats.stats.median / len(evidence)
    size = sum(len(piece.data) for piece in evidence) / len(evidence)
    report(f"{what}, one of {len(evidence)}", f"{each * 1e3:.2f} ms for {size / 1024:.1f} KiB", "")
