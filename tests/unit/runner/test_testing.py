"""Hardware tests that somebody named, as one run."""

from __future__ import annotations

from pathlib import Path

from agent.diagnose.capture_file import encode
from agent.diagnose.diagnosis import diagnose
from agent.diagnose.good_unit import of_diagnosis, profile_of
from agent.host import Host
from agent.journal import RunStore
from agent.model import Outcome
from agent.profiles import Shelf
from agent.runner.recording import Asked
from agent.runner.testing import needed, run_tests
from tests.aio import Aio


def test_it_is_compared_with_the_profile_and_misses_nothing_that_it_did_not_look_at(tmp_path: Path) -> None:
    """The profile's unit has a panel, drives and a camera, none of which a test of the processor looks for."""
    good = tmp_path / "good"
    good.write_bytes(encode(Aio().capture()))
    seen = of_diagnosis(diagnose(str(good)))
    Shelf(tmp_path).put(profile_of(seen, "2026-01-01T00:00:00.000Z"))
    _, journal = RunStore(tmp_path).new()
    asked = Asked("test", "cpu", "1", needed(["cpu"]), None, None, "en", "aiodiag test cpu", seen.unit)
    with journal:
        view = run_tests(asked, journal, Host(), ["cpu"], None, seed=1, state=tmp_path)
    assert view.outcomes["profile"] is Outcome.PASS
    expected = [reading for reading in view.readings.values() if reading.name.startswith("profile.inventory.")]
    assert len(expected) > 3
    told_by = {reading.name for found in view.findings for reading in found.finding.evidence}
    assert not {name for name in told_by if name.startswith("profile.")}
