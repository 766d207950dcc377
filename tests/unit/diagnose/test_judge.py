"""Evidence of strangers: whatever a step makes of it, the others are judged, and nothing hangs."""

from __future__ import annotations

import itertools
import time

import pytest

from agent.diagnose import judge, kept
from agent.diagnose.capture import Capture, CapturedStep
from agent.diagnose.files import InputRefused
from agent.diagnose.in_place import InPlace
from agent.model import Evidence, Gap, Outcome, RunVerdict, Text, Tree
from agent.runner.engine import Engine
from tests.unit.diagnose.hostile import put_in

TIME = "2026-11-23T14:22:33.123Z"
ZONE = "/sys/class/thermal/thermal_zone0/"
FILES = Tree({f"{ZONE}type": "x86_pkg_temp\n", f"{ZONE}temp": "45000\n"})
WARM = Evidence("tree", "thermal_zone0", FILES.encode(), ZONE, TIME)
THERMALS = CapturedStep("probe.thermals", (WARM,))
DMIDECODE = """Handle 0x0001, DMI type 1, 27 bytes
System Information
\tManufacturer: Hibertek
\tProduct Name: AIO 24
\tSerial Number: HB24B120609
"""


def capture(*steps: CapturedStep) -> Capture:
    return Capture(unit={"serial": "AIO24-0001"}, needed=(*(step.id for step in steps), "rules"), steps=steps)


def test_a_good_one() -> None:
    view = judge.judged(capture(THERMALS))
    assert view.verdict is RunVerdict.PASS
    assert view.outcomes == {"probe.thermals": Outcome.PASS, "rules": Outcome.PASS}
    assert view.unit == {"serial": "AIO24-0001"}
    assert view.complete


def test_no_steps_at_all_is_no_pass() -> None:
    view = judge.judged(Capture(unit={}, needed=(), steps=()))
    assert view.verdict is RunVerdict.INCOMPLETE


@pytest.mark.parametrize(
    "step", ["probe.of_a_newer_agent", "test.of_a_newer_agent", "question.where", "", "probe.._probe"]
)
def test_a_step_that_this_agent_does_not_know(step: str) -> None:
    view = judge.judged(capture(THERMALS, CapturedStep(step, (WARM,))))
    assert view.outcomes[step] is Outcome.UNSUPPORTED
    assert view.verdict is RunVerdict.INCOMPLETE


def test_what_gathering_gave_stays() -> None:
    silent = Gap("zone1", Outcome.ERROR, Text("no answer within {seconds} s", {"seconds": 2}), essential=True)
    view = judge.judged(capture(CapturedStep("probe.thermals", (WARM,), (silent,))))
    assert view.outcomes["probe.thermals"] is Outcome.ERROR
    assert view.steps["probe.thermals"].gaps == [silent]
    assert view.steps["probe.thermals"].readings
    assert view.verdict is RunVerdict.INCOMPLETE


def test_a_gap_of_both_kinds_is_told_once() -> None:
    """A journal without the marker has the gaps of interpreting among those of gathering."""
    (concluded,) = judge.judged(capture(CapturedStep("probe.thermals"))).steps["probe.thermals"].gaps
    view = judge.judged(capture(CapturedStep("probe.thermals", (), (concluded,))))
    assert view.steps["probe.thermals"].gaps == [concluded]


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.SKIPPED, Outcome.INTERRUPTED])
def test_what_the_evidence_does_not_tell_stays(outcome: Outcome) -> None:
    reason = Text("the agent or the unit went down")
    view = judge.judged(capture(CapturedStep("probe.thermals", (WARM,), (), outcome, reason)))
    step = view.steps["probe.thermals"]
    assert (step.outcome, step.reason) == (outcome, reason)
    assert step.readings
    assert view.verdict is RunVerdict.INCOMPLETE


HOSTILE = ["raises", "hangs", "spins", "passes over everything", "eats memory"]


@pytest.mark.parametrize(
    ("how", "running"), [*itertools.product(HOSTILE, [Engine, InPlace]), ("dies", Engine)], ids=str
)
def test_one_step_keeps_no_other_from_being_judged(
    how: str, running: judge.Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(monkeypatch, how)
    monkeypatch.setattr(judge, "INTERPRET_S", 1.0)
    began = time.monotonic()
    view = judge.judged(capture(CapturedStep("probe.cpu", (WARM,)), THERMALS), running)
    assert time.monotonic() - began < 10
    assert view.outcomes == {"probe.cpu": Outcome.ERROR, "probe.thermals": Outcome.PASS, "rules": Outcome.PASS}
    assert view.verdict is RunVerdict.INCOMPLETE


def test_more_than_a_unit_can_say(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputRefused, match="larger than allowed"):
        judge.judged(capture(*(CapturedStep(f"probe.x{n}") for n in range(judge.STEPS_MOST + 1))))
    monkeypatch.setattr(kept, "ITEMS_MOST", 1)
    with pytest.raises(InputRefused, match="larger than allowed"):
        judge.judged(capture(THERMALS))


def test_more_steps_than_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "AT_ONCE", 2)
    view = judge.judged(capture(*(CapturedStep(f"probe.x{n}") for n in range(3)), THERMALS))
    assert list(view.outcomes) == ["probe.x0", "probe.x1", "probe.x2", "probe.thermals", "rules"]


def test_evidence_that_stands_alone_says_itself_whose_it_is() -> None:
    table = Evidence("dmidecode", "", DMIDECODE.encode(), "dmi.txt", TIME)
    alone = Capture(unit={}, needed=("probe.unit", "rules"), steps=(CapturedStep("probe.unit", (table,)),))
    view = judge.judged(alone)
    assert (view.unit["serial"], view.unit["manufacturer"], view.unit["model"]) == ("HB24B120609", "Hibertek", "AIO 24")
    assert view.complete


def test_whose_evidence_of_a_run_is_says_the_run() -> None:
    """A person may have typed the serial number of the label, which the firmware does not know."""
    table = Evidence("dmidecode", "", DMIDECODE.encode(), "dmi.txt", TIME)
    assert judge.judged(capture(CapturedStep("probe.unit", (table,)))).unit == {"serial": "AIO24-0001"}
