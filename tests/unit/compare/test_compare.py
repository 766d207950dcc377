"""Two runs of one unit, as before and after a repair."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.compare import Comparison, DifferentUnits, compare
from agent.compare.document import document, side
from agent.compare.identity import Identity, identity
from agent.compare.parts import matched
from agent.diagnose.judge import judged
from agent.model import Component, ComponentKind, Outcome, Reading, Verdict
from agent.model.run_view import FoundFinding, RunView, StepView
from agent.rules import rules
from tests.aio import Aio, Drive, Module, Panel
from tests.unit.model.strategies import findings, readings

BEFORE = Aio()


def view(aio: Aio) -> RunView:
    return judged(aio.capture())


def compared(old: Aio, new: Aio) -> Comparison:
    return compare(view(old), view(new))


def names(pairs: tuple[tuple[Component, Component], ...]) -> list[tuple[str, str]]:
    return [(old.name, new.name) for old, new in pairs]


def test_nothing_changed() -> None:
    same = compared(BEFORE, BEFORE)
    assert not same.changes
    assert same.identity is Identity.SAME
    assert (same.not_judged, same.exit_status) == ((), 0)


def test_a_drive_is_exchanged() -> None:
    after = BEFORE.with_drive(serial="NEW-1", model="Samsung 980", firmware="X1", health={"media_errors": 7})
    found = compared(BEFORE, after)
    assert names(found.parts.exchanged) == [("nvme0", "nvme0")]
    assert (found.parts.added, found.parts.removed, found.parts.moved, found.firmware) == ((), (), (), ())
    assert (found.grown, found.growth) == ((), ()), "counters of two drives"
    assert [f.code for f in found.appeared] == ["DISK-1368"]


def test_a_finding_ends_with_its_part() -> None:
    """The new drive has media errors too: those of the old are gone, and these are new."""
    bad = BEFORE.with_drive(health={"media_errors": 7})
    found = compared(bad, bad.with_drive(serial="NEW-1"))
    assert [f.code for f in found.gone] == [f.code for f in found.appeared] == ["DISK-1368"]


def test_modules_change_their_places() -> None:
    first, second = BEFORE.modules
    swapped = (replace(second, place="A"), replace(first, place="B"))
    found = compared(BEFORE, replace(BEFORE, modules=swapped))
    assert sorted(names(found.parts.moved)) == [("DIMM A", "DIMM B"), ("DIMM B", "DIMM A")]
    assert found.parts.exchanged == ()


def test_a_module_is_added_and_one_removed() -> None:
    more = replace(BEFORE, modules=(*BEFORE.modules, Module("C", "15C774FF")))
    assert [part.name for part in compared(BEFORE, more).parts.added] == ["DIMM C"]
    assert [part.name for part in compared(more, BEFORE).parts.removed] == ["DIMM C"]


def test_firmware_changes() -> None:
    found = compared(BEFORE, replace(BEFORE.with_drive(firmware="P9"), bios_date="01/31/2024"))
    assert [(c.kind.value, c.name, c.old, c.new) for c in found.firmware] == [
        ("storage-device", "nvme0", "P8MA000", "P9"),
        ("motherboard", "BIOS", "AMI E11.107 2023-07-28", "AMI E11.107 2024-01-31"),
    ]
    assert found.exit_status == 0


def test_a_counter_grows_that_means_a_fault() -> None:
    found = compared(BEFORE, BEFORE.with_drive(name="nvme3", health={"media_errors": 2, "unsafe_shutdowns": 5}))
    grown = {g.new.name: (g.old.value, g.new.value, g.new.subject, g.fault) for g in found.grown}
    assert grown == {
        "storage.nvme.media_errors": (0, 2, "nvme3", True),
        "storage.nvme.unsafe_shutdowns": (3, 5, "nvme3", False),
    }
    assert [f.code for f in found.growth] == ["DISK-1861", "DISK-1873"]
    assert found.parts.moved == ()
    assert found.exit_status == 1


def test_a_fault_is_new_and_then_gone() -> None:
    bad = BEFORE.with_drive(health={"critical_warning": 4})
    broke, repaired = compared(BEFORE, bad), compared(bad, BEFORE)
    assert ([f.code for f in broke.appeared], broke.exit_status) == (["DISK-1321"], 1)
    assert ([f.code for f in repaired.gone], repaired.exit_status) == (["DISK-1321"], 0)


def test_what_was_not_seen_is_no_judgement() -> None:
    blind = replace(BEFORE.capture(), steps=tuple(s for s in BEFORE.capture().steps if s.id != "probe.panel"))
    found = compare(view(BEFORE), judged(blind))
    assert (found.not_judged, found.exit_status) == (("probe.panel",), 3)


def test_what_was_plugged_in_is_no_part() -> None:
    assert not compared(BEFORE, replace(BEFORE, other_screen=True)).parts.added


class TestIdentity:
    def test_another_unit(self) -> None:
        other = Aio(
            serial="AIO24-0002",
            panel=Panel(serial=5),
            drives=(Drive(serial="D2"),),
            modules=(Module("A", "15C77401"), Module("B", "15C77402")),
        )
        with pytest.raises(DifferentUnits):
            compared(BEFORE, other)

    def test_a_drive_that_was_moved_over_makes_no_same_unit(self) -> None:
        other = Aio(serial="AIO24-0002", panel=Panel(serial=5), modules=(Module("A", "X1Y2"), Module("B", "X1Y3")))
        with pytest.raises(DifferentUnits):
            compared(BEFORE, other)

    def test_the_board_was_exchanged(self) -> None:
        found = compared(BEFORE, replace(BEFORE, serial="BOARD-77"))
        assert found.identity is Identity.CHANGED

    def test_another_model_is_another_unit(self) -> None:
        with pytest.raises(DifferentUnits):
            compared(BEFORE, replace(BEFORE, serial="BOARD-77", model="AIO 27"))

    def test_neither_says_who_it_is(self) -> None:
        nobody = replace(BEFORE, serial="")
        assert compared(nobody, BEFORE).identity is Identity.UNKNOWN
        bare = RunView()
        assert identity(bare, bare) is Identity.UNKNOWN


def test_the_document_is_json_and_complete() -> None:
    old, new = view(BEFORE), view(BEFORE.with_drive(serial="NEW-1", health={"media_errors": 7}))
    found = compare(old, new)
    told = document(
        found,
        side(old, given="a", kind="bundle", run_id="1"),
        side(new, given="b", kind="run", run_id="2"),
        "es",
    )
    again = json.loads(json.dumps(told))
    assert set(again) == {
        "schema", "old", "new", "identity", "parts", "firmware", "counters", "growth", "findings", "not_judged",
    }  # fmt: skip
    assert again["parts"]["exchanged"][0]["new"]["serial"] == "NEW-1"
    assert again["findings"]["new"][0]["title"].startswith(("La ", "Se "))
    assert again["old"]["unit"]["serial"] == "AIO24-0001"


kinds = st.sampled_from([ComponentKind.MEMORY_MODULE, ComponentKind.STORAGE_DEVICE, ComponentKind.PANEL])
few = st.sampled_from(["", "a", "b", "c"])
parts = st.lists(st.builds(Component, kinds, few, few, few, few, firmware=few, location=few), max_size=8)


@given(parts, parts)
def test_matching_is_the_same_the_other_way_round(old: list[Component], new: list[Component]) -> None:
    there, back = matched(old, new), matched(new, old)
    assert sorted(map(repr, there.added)) == sorted(map(repr, back.removed))
    assert sorted(map(repr, there.removed)) == sorted(map(repr, back.added))
    assert {(repr(a), repr(b)) for a, b in there.exchanged} == {(repr(b), repr(a)) for a, b in back.exchanged}
    assert {(repr(a), repr(b)) for a, b in there.moved} == {(repr(b), repr(a)) for a, b in back.moved}
    assert len(there.same) + len(there.exchanged) + len(there.removed) == len(old)
    assert len(there.same) + len(there.exchanged) + len(there.added) == len(new)


@given(parts)
def test_a_unit_against_itself_has_the_same_parts(own: list[Component]) -> None:
    found = matched(own, own)
    assert (found.exchanged, found.moved) == ((), ())
    assert sorted(map(repr, found.added)) == sorted(map(repr, found.removed))


own_readings = st.builds(
    lambda r, name: replace(r, name=name),
    readings,
    st.sampled_from(
        ["storage.nvme.media_errors", "storage.power_on_time", "firmware.version", "memory.edac.corrected"]
    ),
)


@given(parts, st.lists(own_readings, max_size=10), st.lists(findings, max_size=5))
def test_any_run_against_itself_is_empty(own: list[Component], own_values: list[Reading], own_findings: list) -> None:  # type: ignore[type-arg]
    parts_once = list({(part.kind, part.name): part for part in own}.values())
    step = StepView("probe.x", Outcome.PASS, readings=dict(enumerate(own_values)), components=parts_once)
    step.findings = [FoundFinding(finding, ()) for finding in own_findings]
    run = RunView(unit={"serial": "A1"}, steps={"probe.x": step}, started="2026-01-01T00:00:00Z")
    found = compare(run, run)
    assert not found.changes
    assert found.exit_status == 0


def test_the_growth_rules_are_asked_by_name() -> None:
    """The core leaves findings about growth out of "gone" and "new": they are of another comparison."""
    judges = [rule for rule in rules() if rule.name.startswith("growth.")]
    assert len(judges) == 9
    grown = compared(BEFORE, BEFORE.with_drive(health={"media_errors": 2}))
    assert {f.verdict for f in grown.growth} == {Verdict.FAIL}
