"""What the agent with all its watchers takes from an exerciser: one and the same command with and without, in turns."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent.host import Host
from agent.journal import RunStore
from agent.runner.recording import Asked
from agent.runner.testing import needed, run_tests
from agent.tools import PROGRAMS
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark_only

SECONDS = 20.0
PAIRS = 5
SEED = 7


def _bogo_rate(printed: str) -> float:
    """Operations a second of real time: the sixth column of stress-ng's metrics (stress-ng(1), ``--metrics``)."""
    return float(re.findall(r"metrc: \[\d+\] cpu +(?:[\d.]+ +){4}([\d.]+)", printed)[0])


def _copied(printed: str) -> float:
    """Bytes a second that stressapptest copied."""
    return float(re.findall(r"Completed: [\d.]+M in [\d.]+s ([\d.]+)MB/s", printed)[0]) * 1e6


def _written(printed: str) -> float:
    """Bytes a second that fio wrote (fio's JSON)."""
    return float(json.loads(printed)["jobs"][0]["write"]["bw_bytes"])


class Exerciser(NamedTuple):
    """A hardware test, its reading of how much it got done, and the same from what its program prints."""

    test: str
    rate: str
    alone: Callable[[str], float]


EXERCISERS = (
    Exerciser("cpu", "cpu_test.bogo_rate", _bogo_rate),
    Exerciser("memory", "memory_test.rate", _copied),
    Exerciser("storage_write", "storage_write_test.rate", _written),
)


@pytest.mark.parametrize("exerciser", EXERCISERS, ids=[e.test for e in EXERCISERS])
def test_share_of_the_exerciser(exerciser: Exerciser, benchmark: Any, report: Report, tmp_path: Path) -> None:
    """Pairs, each of them in the other order than the last: a machine that gets slower meanwhile favours none. A first
    run, which counts for neither, tells the command.
    """
    program, *words = _watched(exerciser, tmp_path).source.split()

    def with_the_agent() -> float:
        reading = _watched(exerciser, tmp_path)
        assert reading.source.split() == [program, *words]
        return float(reading.value)

    def without() -> float:
        return exerciser.alone(_printed(program, words, tmp_path))

    def pair(number: int) -> float:
        first, second = (with_the_agent, without) if number % 2 else (without, with_the_agent)
        rates = {do: do() for do in (first, second)}
        return 1.0 - rates[with_the_agent] / rates[without]

    lost = benchmark.pedantic(lambda: [pair(number) for number in range(PAIRS)], rounds=1)
    each = ", ".join(f"{100.0 * share:.2f}" for share in sorted(lost))
    median = f"{100.0 * statistics.median(lost):.2f} % (pairs: {each})"
    report(f"{program} loses beside the agent and all watchers", median, "1 % at most")


def _watched(exerciser: Exerciser, state: Path) -> Any:
    """The reading of its rate that ``aiodiag test TEST`` takes, watchers and all."""
    test, unit = exerciser.test, {"serial": "AIO24-0001"}
    asked = Asked("test", test, "1", needed([test]), None, None, "en", f"aiodiag test {test}", unit)
    _, journal = RunStore(state).new()
    with journal:
        view = run_tests(asked, journal, Host(), [test], SECONDS, seed=SEED)
    (reading,) = [r for r in view.readings.values() if r.name == exerciser.rate]
    return reading


def _printed(program: str, words: list[str], folder: Path) -> str:
    """What the command prints when nothing else runs, on the same file system."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    ran = subprocess.run(
        [PROGRAMS[program].paths[0], *(word.replace("SCRATCH", str(scratch)) for word in words)],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS * 4,
    )
    for file in scratch.iterdir():
        file.unlink()
    return ran.stdout or ran.stderr
