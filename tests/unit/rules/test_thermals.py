"""From sysfs files to findings about heat."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model import Evidence, Finding, Reading, Readings, Tree, Verdict
from agent.probes.thermals import PROBE
from agent.rules import apply

TIME = "2026-01-01T00:00:00Z"
CPU = "/sys/devices/system/cpu"


def zone(number: int, kind: str, temperature: float, **limits: float) -> dict[str, str]:
    path = f"/sys/class/thermal/thermal_zone{number}"
    files = {f"{path}/type": kind, f"{path}/temp": str(round(temperature * 1000))}
    for index, (which, limit) in enumerate(limits.items()):
        files[f"{path}/trip_point_{index}_type"] = which
        files[f"{path}/trip_point_{index}_temp"] = str(round(limit * 1000))
    return files


def load(per_processor: float) -> dict[str, str]:
    return {f"{CPU}/online": "0-3", "/proc/loadavg": f"{4 * per_processor:.2f} 0 0 1/1 1"}


def judge(*parts: dict[str, str]) -> dict[str, Finding]:
    files: dict[str, str] = {}
    for part in parts:
        files |= part
    return judge_evidence(Evidence("tree", "", Tree(files).encode(), "test", TIME))


def judge_evidence(evidence: Evidence) -> dict[str, Finding]:
    found = Readings(item for item in PROBE.interpret([evidence]) if isinstance(item, Reading))
    return {finding.code: finding for finding in apply(found)}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (zone(0, "acpitz", 50, critical=100) | load(0.05), {}),
        (zone(0, "acpitz", 98, critical=100) | load(0.05), {"HEAT-2008": Verdict.FAIL}),
        (zone(0, "acpitz", 97, critical=100) | load(0.29), {"HEAT-2008": Verdict.FAIL}),
        (zone(0, "acpitz", 98, critical=100) | load(0.9), {"HEAT-2008": Verdict.UNKNOWN}),
        (zone(0, "acpitz", 98, critical=100), {"HEAT-2008": Verdict.UNKNOWN}),
        (zone(0, "acpitz", 91, critical=120, hot=90) | load(0.05), {"HEAT-2008": Verdict.FAIL}),
        (zone(0, "acpitz", 91, critical=120, passive=90) | load(0.05), {}),
        (zone(0, "acpitz", 90, critical=100) | load(0.05), {"HEAT-2019": Verdict.UNKNOWN}),
        (zone(0, "acpitz", 85, critical=100) | load(0.05), {}),
        (zone(0, "acpitz", 90, critical=100) | load(0.2), {}),
        (zone(0, "acpitz", 90, critical=100), {}),
        (zone(0, "acpitz", 60, critical=0) | load(0.05), {}),
        (zone(0, "acpitz", 60, critical=-274) | load(0.05), {}),
        (zone(0, "acpitz", 511, critical=100) | load(0.05), {"HEAT-2202": Verdict.UNKNOWN}),
        (zone(0, "acpitz", 0, critical=100) | load(0.05), {}),
        (zone(0, "acpitz", 27.8, critical=100) | load(0.05), {}),
    ],
)
def test_heat(files: dict[str, str], expected: dict[str, Verdict]) -> None:
    assert {code: f.verdict for code, f in judge(files).items()} == expected


def test_the_hottest_part_is_named_with_its_limit() -> None:
    cool = zone(0, "x86_pkg_temp", 60, critical=100)
    finding = judge(cool, zone(1, "x86_pkg_temp", 99, critical=100), load(0.01))["HEAT-2008"]
    assert (finding.subject, finding.values) == ("thermal_zone1", {"temperature": 99, "limit": 100})
    assert {r.subject for r in finding.evidence} == {"thermal_zone1", ""}


def throttle(count: int, milliseconds: int, uptime: str | None = "36000.0 0") -> dict[str, str]:
    path = f"{CPU}/cpu0/thermal_throttle/package_throttle"
    files = {f"{path}_count": str(count), f"{path}_total_time_ms": str(milliseconds)}
    return files | ({"/proc/uptime": uptime} if uptime else {})


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (throttle(0, 0), set()),
        (throttle(1, 5), {"HEAT-2100"}),
        (throttle(600, 360_000), {"HEAT-2100"}),
        (throttle(601, 0), {"HEAT-2113"}),
        (throttle(2, 360_001), {"HEAT-2113"}),
        (throttle(100_000, 0, uptime=None), {"HEAT-2100"}),
        (throttle(30, 1000, uptime="60.0 0"), {"HEAT-2100"}),
        (throttle(61, 1000, uptime="60.0 0"), {"HEAT-2113"}),
    ],
)
def test_throttling(files: dict[str, str], expected: set[str]) -> None:
    findings = judge(files)
    assert set(findings) == expected
    assert all(f.verdict is Verdict.UNKNOWN for f in findings.values())


def test_real_machines_have_no_fault(shared: Path) -> None:
    """The processors' part of captured ``sensors`` output."""
    headrooms = []
    for file in sorted((shared / "corpora/sensors").glob("linuxhw-aio-*.txt")):
        evidence = Evidence("sensors-text", "", file.read_bytes(), file.name, TIME)
        assert judge_evidence(evidence) == {}, file.name
        headrooms += [
            float(r.value)
            for r in PROBE.interpret([evidence])
            if isinstance(r, Reading) and r.name == "thermals.headroom"
        ]
    assert len(headrooms) > 5
    assert min(headrooms) >= 25  # what the catalogue says of HEAT-2019


def fan(number: int, state: int, most: int = 3, kind: str = "Fan") -> dict[str, str]:
    path = f"/sys/class/thermal/cooling_device{number}"
    return {f"{path}/type": kind, f"{path}/cur_state": str(state), f"{path}/max_state": str(most)}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (zone(0, "acpitz", 72, active=65) | fan(0, 0), True),
        (zone(0, "acpitz", 69, active=65) | fan(0, 0), False),
        (zone(0, "acpitz", 72, active=65) | fan(0, 0) | fan(1, 1), False),
        (zone(0, "acpitz", 72, active=65) | fan(0, 0, most=0), False),
        (zone(0, "acpitz", 72, active=65) | fan(0, 0, kind="Processor"), False),
        (zone(0, "acpitz", 72, active=65), False),
        (zone(0, "acpitz", 72, active=20) | fan(0, 0), False),
        (zone(0, "x86_pkg_temp", 72, active=65) | fan(0, 0), False),
    ],
)
def test_a_fan_that_is_left_off(files: dict[str, str], found: bool) -> None:
    finding = judge(files).get("FAN-2542")
    assert (finding is not None) is found
    if finding:
        assert (finding.subject, finding.values) == ("thermal_zone0", {"temperature": 72, "limit": 65})
