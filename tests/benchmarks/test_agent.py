"""How long the agent lets a person wait, and what it takes of the machine: its commands as processes, on this machine.

``python -c`` does what the installed ``aiodiag`` does: it imports ``main`` and calls it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from agent.probes import areas
from tests.agent_process import environment
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark_only

AGENT = (sys.executable, "-c", "import sys; from agent.cli.main import main; sys.exit(main())")
RECEIVER = (sys.executable, "-c", "import sys; from server_stub.cli import main; sys.exit(main())")
# VmHWM is of this one process; ru_maxrss would hold its children's too, and stressapptest takes most of the memory.
AGENT_AND_PEAK = """
import sys
import time
from pathlib import Path
from agent.cli.main import main
status = main(sys.argv[2:])
Path(sys.argv[1]).write_text(Path("/proc/self/status").read_text())
sys.exit(status)
"""
SERIAL = "AIO24-TEST-0001"
STRACE = shutil.which("strace")


@dataclass(frozen=True)
class Case:
    """An open RMA case, and where its receiver listens."""

    address: str
    rma: str


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    data = tmp_path / "receiver"
    opened = subprocess.run(
        [*RECEIVER, "open-case", "--serial", SERIAL, "--data", str(data)],
        env=environment(tmp_path), check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    serve = [*RECEIVER, "serve", "--host", "127.0.0.1", "--port", "0", "--data", str(data)]
    with subprocess.Popen(serve, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        yield Case(receiver.stdout.readline().removeprefix("listening on ").strip(), json.loads(opened.stdout)["rma"])
        receiver.terminate()


def run(state: Path, *command: str) -> bytes:
    """Run the agent to its end and give what it printed; 2 would be a mistake of ours in the command line."""
    done = subprocess.run(
        command, env=environment(state), check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=100
    )
    assert done.returncode in (0, 1, 3)
    return done.stdout


def seconds(benchmark: Any) -> tuple[float, float]:
    """The median and the least."""
    return benchmark.stats.stats.median, benchmark.stats.stats.min


@pytest.mark.parametrize("command", ["--help", "unit"])
def test_start(command: str, benchmark: Any, report: Report, tmp_path: Path) -> None:
    printed = benchmark.pedantic(run, (tmp_path, *AGENT, command), rounds=25, warmup_rounds=2)
    assert printed
    middle, least = seconds(benchmark)
    report(f"aiodiag {command}", f"{middle:.3f} s (least {least:.3f} s)", "0.15 s at most")


def test_all_probes_and_the_slowest(benchmark: Any, report: Report, tmp_path: Path) -> None:
    """Both as ``aiodiag probe``, so that the start of Python is in both."""
    printed = benchmark.pedantic(run, (tmp_path, *AGENT, "probe", "--json"), rounds=7, warmup_rounds=1)
    assert set(json.loads(printed)["outcomes"]) == {f"probe.{area}" for area in areas()}
    together, _ = seconds(benchmark)
    alone = {area: median(_timed(tmp_path, area) for _ in range(3)) for area in areas()}
    slowest = max(alone, key=lambda area: alone[area])
    benchmark.extra_info["alone_s"] = {area: round(taken, 3) for area, taken in alone.items()}
    report(f"slowest probe alone ({slowest})", f"{alone[slowest]:.2f} s", "")
    report(f"all {len(alone)} probes together", f"{together:.2f} s", f"{alone[slowest] + 0.3:.2f} s at most")
    report("difference", f"{together - alone[slowest]:.2f} s", "0.30 s at most")


def _timed(state: Path, area: str) -> float:
    began = time.perf_counter()
    run(state, *AGENT, "probe", area, "--json")
    return time.perf_counter() - began


def test_quick_selfcheck(benchmark: Any, report: Report, tmp_path: Path) -> None:
    command = (*AGENT, "selfcheck", "--serial", SERIAL, "--json")
    printed = benchmark.pedantic(run, (tmp_path / "state", *command), rounds=3)
    assert Path(json.loads(printed)["bundle"]).is_file()
    report("quick self-check, sealed", f"{seconds(benchmark)[0]:.1f} s", "20 s at most")


def test_memory_of_the_agent(benchmark: Any, report: Report, tmp_path: Path, case: Case) -> None:
    """Of the agent's own process, over a whole self-check with sealing and upload."""
    peak = tmp_path / "status"
    command = (sys.executable, "-c", AGENT_AND_PEAK, str(peak), "selfcheck", "--serial", SERIAL, "--json")
    benchmark.pedantic(run, (tmp_path / "state", *command, "--rma", case.rma, "--server", case.address), rounds=1)
    entries = json.loads(run(tmp_path / "state", *AGENT, "outbox", "--json"))["entries"]
    assert [entry["state"] for entry in entries] == ["delivered"]
    kibibytes = re.search(r"^VmHWM:\s+(\d+) kB$", peak.read_text(), re.MULTILINE)
    assert kibibytes is not None
    report("agent's own peak memory", f"{int(kibibytes[1]) * 1024 / 1e6:.0f} MB", "80 MB at most")


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_syncs_of_a_step(benchmark: Any, report: Report, tmp_path: Path) -> None:
    """Those that a step waits for are the journal's. The evidence is brought to the disk once, when the run ends."""
    trace = tmp_path / "trace"
    strace = (str(STRACE), "-f", "-y", "-e", "trace=fsync,fdatasync,sync_file_range,syncfs,sync", "-o", str(trace))
    command = (*strace, *AGENT, "selfcheck", "--serial", SERIAL, "--json")
    printed = benchmark.pedantic(run, (tmp_path / "state", *command), rounds=1)
    steps = len(json.loads(printed)["outcomes"])
    synced = re.findall(r"^\d+ +f(?:data)?sync\(\d+<(.+?)>", trace.read_text(), re.MULTILINE)
    journal = sum(path.endswith("/journal.jsonl") for path in synced)
    evidence = sum("/attachments" in path for path in synced)
    assert journal > 0
    report(f"syncs of the journal in {steps} steps", f"{journal}, {journal / steps:.1f} a step", "2 a step at most")
    report("syncs of evidence, as the run ends", f"{evidence}", "")
    report("syncs for all else (run, key, bundle)", f"{len(synced) - journal - evidence}", "")
