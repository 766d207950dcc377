"""What the watchers take of the processor while a test runs, over the files of a unit with 40 sensors."""

from __future__ import annotations

import multiprocessing
import resource
from pathlib import Path
from typing import Any

import pytest

from agent import watch
from agent.host import Host
from agent.watch import for_seconds
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark_only

SECONDS = 20.0
OF_THIS_MACHINE = ("heartbeat", "kernel_log")
"""Those that look at clocks and at the kernel itself, of which there is no copy."""


def unit(root: Path) -> Path:
    """Ten zones and ten chips with three sensors each, four connectors, 30 devices on PCIe, 20 on USB, 8 processors."""
    files: dict[str, str] = {"/proc/loadavg": "2.05 1.00 0.50 3/200 4711", "/proc/interrupts": "MCE: 0 0\nMCP: 3 3\n"}
    for n in range(10):
        zone, chip = f"/sys/class/thermal/thermal_zone{n}", f"/sys/class/hwmon/hwmon{n}"
        files |= {f"{zone}/type": "acpitz", f"{zone}/temp": "45000"}
        files |= {f"{zone}/trip_point_0_type": "critical", f"{zone}/trip_point_0_temp": "105000"}
        files |= {f"{chip}/name": "nct6775", f"{chip}/temp1_input": "38000"}
        files |= {f"{chip}/fan1_input": "1450", f"{chip}/in0_input": "1208"}
    files |= {f"/sys/class/drm/card0-DP-{n}/status": "disconnected" for n in range(1, 5)}
    for n in range(30):
        device = f"/sys/bus/pci/devices/0000:00:{n:02x}.0"
        files[f"{device}/class"] = "0x060400"
        files |= {
            f"{device}/aer_dev_{which}": "RxErr 0\nTOTAL_ERR 0\n" for which in ("correctable", "nonfatal", "fatal")
        }
    files |= {f"/sys/bus/usb/devices/1-{n}/devnum": str(n) for n in range(1, 21)}
    files |= {
        f"/sys/devices/system/cpu/cpu{n}/thermal_throttle/{part}_throttle_{what}": "0"
        for n in range(8)
        for part in ("core", "package")
        for what in ("count", "total_time_ms")
    }
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return root


def test_share_of_a_processor(benchmark: Any, report: Report, tmp_path: Path) -> None:
    """All together, each in a process of its own, as beside a test. What their beginning and end take, with the modules
    that they need, shows in a watch of no length.
    """
    root = unit(tmp_path)
    ends = _side_by_side(root, 0.0)
    used = benchmark.pedantic(_side_by_side, (root, SECONDS), rounds=1)
    for name, seconds in used.items():
        share = 100 * (seconds - ends[name]) / SECONDS
        report(f"watcher {name}", f"{share:.2f} % of a core, and once {1000 * ends[name]:.0f} ms", "")
    share = 100 * (sum(used.values()) - sum(ends.values())) / SECONDS
    once = 1000 * sum(ends.values())
    report(f"all {len(used)} watchers, 40 sensors", f"{share:.2f} % of a core, and once {once:.0f} ms", "2 % at most")


def _side_by_side(root: Path, seconds: float) -> dict[str, float]:
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    processes = [context.Process(target=_watch, args=(name, root, seconds, answers)) for name in watch.watchers()]
    for process in processes:
        process.start()
    used = dict(answers.get(timeout=SECONDS + 60) for _ in processes)
    for process in processes:
        process.join()
    return dict(sorted(used.items()))


def _watch(name: str, root: Path, seconds: float, answers: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF)
    host = Host() if name in OF_THIS_MACHINE else Host(str(root))
    gathered = list(watch.load(name).watch(host, for_seconds(seconds)))
    assert gathered
    after = resource.getrusage(resource.RUSAGE_SELF)
    answers.put((name, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
