"""A display that comes and goes, over a tree of files that changes while it is watched."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Reading, Readings, Verdict
from agent.rules import apply
from agent.watch import for_seconds
from agent.watch.panel import WATCHER

TIME = "2026-01-01T00:00:00.000Z"
NAME = "card0-eDP-1"


def connector(root: Path, name: str, status: str) -> Path:
    folder = root / f"sys/class/drm/{name}"
    folder.mkdir(parents=True)
    (folder / "status").write_text(f"{status}\n")
    return folder / "status"


def watched(root: Path, seconds: float) -> dict[tuple[str, str], object]:
    evidence = [e for e in WATCHER.watch(Host(str(root)), for_seconds(seconds)) if isinstance(e, Evidence)]
    readings = [r for r in WATCHER.interpret(evidence) if isinstance(r, Reading)]
    return {(r.name, r.subject): r.value for r in readings}


def test_a_display_that_stays_does_not_change(tmp_path: Path) -> None:
    connector(tmp_path, NAME, "connected")
    connector(tmp_path, "card0-HDMI-A-1", "disconnected")
    seen = watched(tmp_path, 0.35)
    assert seen["panel_watch.changes", NAME] == 0
    assert seen["panel_watch.changes", "card0-HDMI-A-1"] == 0
    assert isinstance(seen["panel_watch.seconds", NAME], float)


def test_every_change_that_lasts_is_counted(tmp_path: Path) -> None:
    status = connector(tmp_path, NAME, "connected")
    changed = ["disconnected", "connected", "disconnected"]

    def flap() -> None:
        for word in changed:
            time.sleep(0.4)
            fresh = status.with_name("fresh")
            fresh.write_text(f"{word}\n")
            fresh.rename(status)  # in one piece, as sysfs has it

    thread = threading.Thread(target=flap)
    thread.start()
    seen = watched(tmp_path, 2.0)
    thread.join()
    assert seen["panel_watch.changes", NAME] == len(changed)


@pytest.mark.parametrize("status", ["unknown", "", "connecte"])
def test_a_word_that_says_nothing_is_no_change(tmp_path: Path, status: str) -> None:
    connector(tmp_path, NAME, status)
    assert watched(tmp_path, 0.2) == {}


def reading(name: str, value: bool | int | float, unit: str = "") -> Reading:
    return Reading(name, value, unit, ComponentKind.PANEL, NAME, "somewhere", TIME)


def judged(*, internal: bool, connected: bool, changes: int) -> list[Finding]:
    readings = [
        reading("panel.internal", internal),
        reading("panel.connected", connected),
        reading("panel_watch.changes", changes, "count"),
        reading("panel_watch.seconds", 5.0, "s"),
    ]
    return list(apply(Readings(readings)))


def test_a_built_in_panel_that_comes_and_goes_is_a_fault() -> None:
    (found,) = judged(internal=True, connected=True, changes=7)
    assert (found.code, found.verdict, found.subject) == ("LCD-4049", Verdict.FAIL, NAME)
    assert found.values == {"count": 7, "seconds": 5}
    assert [r.name for r in found.evidence] == ["panel_watch.changes", "panel_watch.seconds"]


def test_it_is_not_called_missing_as_well_when_it_was_away_just_then() -> None:
    assert [f.code for f in judged(internal=True, connected=False, changes=3)] == ["LCD-4049"]


def test_one_that_is_away_all_the_time_is_missing() -> None:
    assert [f.code for f in judged(internal=True, connected=False, changes=0)] == ["LCD-4001"]


def test_a_monitor_may_be_plugged_and_unplugged() -> None:
    assert judged(internal=False, connected=True, changes=3) == []
