"""From a blocked heat sink to the certificate: the markers in replay, verify and after a restart. The runs are real;
the heat is that of a computed unit, handed out in the place of what the exerciser would have measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent import tests_hw
from agent.cli.certificate import page
from agent.cli.runs import rounds_of
from agent.host import Host
from agent.journal import RunStore, read
from agent.model import Outcome
from agent.model.marker import MarkerKey
from agent.model.run_view import JOURNAL, RunView
from agent.plans import symptom
from agent.profiles import counted
from agent.profiles.profile import Profile, Spread
from agent.replay.marker import Restored
from agent.replay.recipe import Recipe, Work
from agent.replay.round import Conditions, Round
from agent.replay.verification import Standing, Verification
from agent.runner.recording import Asked
from agent.runner.replaying import REPRODUCTION, parameters, replay, reproduction
from agent.runner.resuming import reopen, resumable
from agent.runner.verifying import VERIFICATION, sound_in, verification
from agent.runner.verifying import parameters as verifying
from tests.unit.tests_hw.test_thermal import soak

UNIT = {"serial": "AIO24-0001", "model": "AIO-24"}
GIVES = {"hours": 1.0, "processor": 1.0}
WORKS = {
    "everything": Work("everything", ("thermal",), 1.0, 0.0, 1, GIVES),
    "soak": Work("soak", ("thermal",), 1.0, 0.0, 1, {}),
}
LIMIT_H = 0.05
"""Far more than four rounds take; a bound."""
ZONE = MarkerKey("thermal_test.rise_per_watt", "thermal_zone0", "acpitz")
PROFILE = Profile("", "AIO-24", "", "", "", "", markers=(Spread(ZONE, "K/W", (0.95, 0.98, 1.0, 1.03, 1.05)),))

STAND_IN = '''
import importlib.util, json
from agent.host import now
from agent.model import Evidence
spec = importlib.util.spec_from_file_location("agent.tests_hw.real_thermal", {real!r})
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)

class ThermalTest(real.ThermalTest):
    """The real one, of a computed unit."""

    def exercise(self, host, bout):
        for kind, text, exit_status in json.load(open({soaked!r})):
            yield Evidence(kind, "", text.encode(), kind, now(), exit_status)

TEST = ThermalTest()
'''


class HeatSink:
    """Of the computed unit: so many K for each watt. 2.8 brings it to where the kernel would switch it off."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._soaks = 0

    def has(self, resistance: float) -> None:
        self._soaks += 1
        pieces = soak(resistance, seed=self._soaks)
        self._file.write_text(json.dumps([(piece.kind, piece.text(), piece.exit_status) for piece in pieces]))


@pytest.fixture
def sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeatSink]:
    folder = tmp_path / "stand-in"
    folder.mkdir()
    real = next(iter(tests_hw.__path__)) + "/thermal.py"
    (folder / "thermal.py").write_text(STAND_IN.format(real=real, soaked=str(folder / "soaked")))
    name = "agent.tests_hw.thermal"
    was = sys.modules.pop(name, None)
    monkeypatch.setattr(tests_hw, "__path__", [str(folder), *tests_hw.__path__])
    yield HeatSink(folder / "soaked")
    sys.modules.pop(name, None)
    if was is not None:
        sys.modules[name] = was


def told(_: Round) -> None:
    """Nobody listens."""


def verified(store: RunStore, recipe: Recipe) -> tuple[Verification, dict[str, object], str]:
    state = Verification(recipe, 0.05, 1.0, sound=sound_in(PROFILE))
    asked = Asked("verify", "verify", "1", (VERIFICATION,), None, None, "en", "aiodiag", UNIT, verifying(state, None))
    run_id, journal = store.new()
    with journal:
        document = verification(asked, journal, Host(), state, tell=told)
    return state, document, run_id


def test_from_a_blocked_heat_sink_to_the_certificate(sink: HeatSink, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "state")
    sink.has(2.8)
    complaint = symptom("overheats")
    told_so = parameters(complaint, WORKS, limit_h=LIMIT_H, alpha=0.05)
    asked = Asked("replay", "x", "1", (REPRODUCTION,), complaint.name, None, "en", "aiodiag", UNIT, told_so)
    run_id, journal = store.new()
    with journal:
        state = reproduction(complaint, WORKS, limit_h=LIMIT_H, alpha=0.05)
        recipe = replay(asked, journal, Host(), state, WORKS, tell=told)
    assert recipe is not None
    assert (recipe.fault.code, recipe.cause, recipe.observed.failures) == ("HEAT-2043", "cooling", 3)
    assert recipe.soak == WORKS["soak"]
    assert [played.exercise for played in state.rounds] == [*["everything"] * 4, "soak"]
    before = {marker.key: marker for marker in recipe.markers}
    assert before[ZONE].value == pytest.approx(2.8, rel=0.03)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    # The load of the rounds is this machine's own, which does what it likes meanwhile.
    recipe = replace(recipe, least=Conditions())
    view = RunView.from_records(read(store.path(run_id) / JOURNAL))
    kept = [Round.from_json(step.round) for step in view.steps.values() if step.round]
    assert kept[-1].markers == state.rounds[-1].markers

    sink.has(1.0)
    gone, document, _ = verified(store, recipe)
    assert (gone.standing, gone.restored) == (Standing.VERIFIED, Restored.YES)
    assert [played.exercise for played in gone.rounds] == ["soak", "everything"], "one soak and one round are enough"
    assert (document["verdict"], document["verified_by"], document["needed"]) == ("verified", ["markers"], 5)
    assert "Temperature rise per watt (thermal_zone0)" in page(document, "en")

    sink.has(1.5)
    hidden, document, run_id = verified(store, recipe)
    assert (hidden.standing, len(hidden.rounds), document["verified_by"]) == (Standing.NOT_RESTORED, 1, [])
    view = RunView.from_records(read(store.path(run_id) / JOURNAL))
    assert view.outcomes[VERIFICATION] is Outcome.FAIL
    (learnt,) = counted(rounds_of(str(store.path(run_id))))
    assert (learnt.exercise, learnt.rounds, learnt.shown) == ("soak", 1, {}), "what a profile learns of a sound unit"

    begun_only(store, run_id)
    waiting = resumable(store)
    assert waiting is not None
    sink.has(1.0)
    again = reopen(waiting)
    with again.journal:
        again.walk(Host(), told)
    assert isinstance(again.state, Verification)
    assert (again.state.standing, again.state.by_markers) == (Standing.VERIFIED, True), "sound units are on record"


def begun_only(store: RunStore, like: str) -> None:
    """A run that begins like another one, and whose agent was gone then."""
    run_id, journal = store.new()
    journal.close()
    records = (store.path(like) / JOURNAL).read_bytes().splitlines(keepends=True)
    start = next(number for number, record in enumerate(records) if b"testRunStart" in record)
    (store.path(run_id) / JOURNAL).write_bytes(b"".join(records[: start + 1]))
