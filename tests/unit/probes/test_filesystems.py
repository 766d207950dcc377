"""File systems: what is read, what is judged, and what is kept private."""

from __future__ import annotations

import json
import os

import pytest

from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading, Readings, Verdict
from agent.probes.filesystems import MOUNT_POINTS, PROBE
from agent.rules.filesystems import full

TIME = "2026-01-01T00:00:00.000Z"


def measured(mount_point: str = "/", **values: object) -> Evidence:
    found = {"type": "ext4", "size": 10**9, "free": 10**8, "used": 90.0, **values}
    return Evidence("psutil", mount_point, json.dumps(found).encode(), "psutil.disk_usage", TIME)


def read(*evidence: Evidence) -> dict[str, object]:
    return {r.name: r.value for r in PROBE.interpret(evidence) if isinstance(r, Reading)}


def test_what_a_file_system_says() -> None:
    assert read(measured()) == {
        "filesystems.size": 10**9,
        "filesystems.free": 10**8,
        "filesystems.used": 90.0,
        "filesystems.type": "ext4",
    }


@pytest.mark.parametrize("values", [{"used": 101}, {"used": None}, {"used": True}, {"used": "99"}])
def test_a_share_that_cannot_be_is_no_reading(values: dict[str, object]) -> None:
    assert "filesystems.used" not in read(measured(**values))


def test_more_free_than_there_is_is_no_reading() -> None:
    assert "filesystems.free" not in read(measured(free=10**10))


def test_where_a_person_mounts_is_nobodys_business() -> None:
    assert read(measured("/media/alice/STICK")) == {}
    assert all(e.subject in MOUNT_POINTS for e in PROBE.gather(Host()) if isinstance(e, Evidence))


def test_this_machine_agrees_with_the_system_itself() -> None:
    measured_here = [e for e in PROBE.gather(Host()) if isinstance(e, Evidence)]
    if not measured_here:
        pytest.skip("no file system here is a device's own (a container, a change of root)")
    for evidence in measured_here:
        told = os.statvfs(evidence.subject)
        assert read(evidence)["filesystems.size"] == told.f_blocks * told.f_frsize


def test_captured_files_are_not_this_machine(tmp_path) -> None:
    assert list(PROBE.gather(Host(str(tmp_path)))) == []
    (gap,) = PROBE.interpret([])
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential) == (Outcome.UNSUPPORTED, True)


@pytest.mark.parametrize(("used", "found"), [(0.0, 0), (97.9, 0), (98.0, 1), (100.0, 1)])
def test_a_full_one_is_told_and_no_part_is_blamed(used: float, found: int) -> None:
    readings = Readings(r for r in PROBE.interpret([measured(used=used)]) if isinstance(r, Reading))
    findings = list(full(readings))
    assert len(findings) == found
    assert all((f.verdict, f.subject, f.values["percent"]) == (Verdict.UNKNOWN, "/", used) for f in findings)
