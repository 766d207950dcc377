"""How many captures a second ``aiodiag diagnose`` takes in one call: a new rule judges old cases by the thousand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import Report
from tests.corpus.index import rows

pytestmark = pytest.mark.benchmark_only

ROUNDS = 5
KINDS = ("all", "smart", "edid", "kernel-logs", "dmi")


@pytest.mark.parametrize("kind", KINDS)
def test_captures_a_second(kind: str, benchmark: Any, report: Report, shared: Path) -> None:
    captures = [row.file for row in rows(shared) if kind in ("all", row.kind) and row.file.is_file()]
    command = [sys.executable, "-m", "agent.cli.main", "diagnose", "--json", *map(str, captures)]

    def diagnose() -> bytes:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout

    out = benchmark.pedantic(diagnose, rounds=ROUNDS, warmup_rounds=1)
    assert len(json.loads(out)) == len(captures)
    rate = len(captures) / benchmark.stats.stats.median
    cores = len(os.sched_getaffinity(0))
    report(f"diagnose, {kind} ({len(captures)} files, {cores} cores)", f"{rate:.0f} captures/s", "300 captures/s")
