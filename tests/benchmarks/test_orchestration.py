"""What the agent with all its watchers takes from an exerciser: one command of stress-ng with and without, in turns."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.host import Host
from agent.journal import RunStore
from agent.runner.recording import Asked
from agent.runner.testing import needed, run_tests
from agent.tests_hw import cpu
from agent.tools import PROGRAMS
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark_only

SECONDS = 20.0
PAIRS = 5
SEED = 7


def alone() -> float:
    """Bogus operations a second of stress-ng, as the test starts it, without the agent."""
    words = ["--cpu", "0", "--cpu-method", "all", "--verify", "--metrics", "--seed", str(SEED)]
    ran = subprocess.run(
        [PROGRAMS["stress-ng"].paths[0], *words, "--temp-path", "/tmp", "--timeout", str(int(SECONDS))],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS * 3,
    )
    found = cpu._METRICS.search(ran.stdout + ran.stderr)
    assert found is not None
    return float(found[2])


def watched(state: Path) -> float:
    """The same as ``aiodiag test cpu``."""
    names = ["cpu"]
    asked = Asked("test", "cpu", "1", needed(names), None, None, "en", "aiodiag test cpu", {"serial": "AIO24-0001"})
    _, journal = RunStore(state).new()
    with journal:
        view = run_tests(asked, journal, Host(), names, SECONDS, seed=SEED)
    (rate,) = [r.value for r in view.readings.values() if r.name == "cpu_test.bogo_rate"]
    assert isinstance(rate, float)
    return rate


def test_share_of_the_exerciser(benchmark: Any, report: Report, tmp_path: Path) -> None:
    """Pairs, each of them in the other order than the last: a machine that gets slower meanwhile favours none."""

    def pair(number: int) -> float:
        if number % 2:
            with_agent, without = watched(tmp_path), alone()
        else:
            without, with_agent = alone(), watched(tmp_path)
        return 1.0 - with_agent / without

    lost = benchmark.pedantic(lambda: [pair(number) for number in range(PAIRS)], rounds=1)
    each = ", ".join(f"{100.0 * share:.2f}" for share in sorted(lost))
    median = f"{100.0 * statistics.median(lost):.2f} % (pairs: {each})"
    report("stress-ng loses beside the agent and all watchers", median, "1 % at most")
