"""A profile that was learnt from a unit, and units that differ from it in one part."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import profiles
from agent.diagnose.capture import Capture, CapturedStep
from agent.diagnose.diagnosis import Diagnosis
from agent.diagnose.good_unit import NotGood, Seen, of_diagnosis, profile_of
from agent.diagnose.judge import judged
from agent.model import Component, ComponentKind, Evidence, Finding, Reading, Readings
from agent.model.inventory import inventory
from agent.model.run_view import RunView
from agent.profiles import Profile, decode, encode, learn
from agent.profiles.profile import Expected, Part, Sensor
from agent.rules import rules
from tests.aio import TIME, Aio, Drive, Module, Panel
from tests.unit.model.strategies import components, readings
from tests.unit.tests_hw.test_thermal import readings as soaked
from tests.unit.tests_hw.test_thermal import soak
from uploader.strict_json import Malformed

GOOD = Aio()
JUDGES = [rule for rule in rules() if rule.name.startswith("profile_")]


def seen(capture: Capture) -> Diagnosis:
    return Diagnosis("x", "capture", "run-1", "", judged(capture), 0.0)


def learnt(aio: Aio = GOOD) -> Profile:
    return profile_of(of_diagnosis(seen(aio.capture())), TIME)


@pytest.fixture(scope="module")
def profile() -> Profile:
    return learnt()


def against(aio: Aio, profile: Profile) -> RunView:
    """The unit judged with the profile as evidence of its run, as it is in a bundle."""
    evidence = Evidence("profile", "", encode(profile), "profiles/x", TIME)
    capture = aio.capture()
    return judged(replace(capture, steps=(*capture.steps, CapturedStep("profile", (evidence,)))))


def found(aio: Aio, profile: Profile) -> list[tuple[str, str, str]]:
    codes = {code for judge in JUDGES for code in judge.codes}
    view = against(aio, profile)
    for finding in (f for f in view.findings if f.finding.code in codes):
        assert len(finding.records) == len(finding.finding.evidence), "each reading that it rests on is a record"
    return [
        (f.finding.code, f.finding.verdict.value, f.finding.severity.value)
        for f in view.findings
        if f.finding.code in codes
    ]


def test_what_is_learnt_of_a_unit(profile: Profile) -> None:
    assert (profile.manufacturer, profile.model, profile.sku, profile.source) == ("Hibertek", "AIO 24", "", "run-1")
    parts = {(part.kind.value, part.name) for part in profile.parts}
    assert parts == {
        ("panel", "card0-eDP-1"),
        ("storage-device", "nvme0"),
        ("memory-module", "DIMM A"),
        ("memory-module", "DIMM B"),
        ("fan", "nct6798-virtual-0/fan1"),
        ("fan", "nct6798-virtual-0/fan2"),
        ("camera", "video0"),
        ("speaker", "hwC0D0/0x14"),
        ("wifi", "wlan0"),
    }
    values = {(v.reading, v.of): v.value for v in profile.values}
    assert values["memory.installed", ""] == 16 * 2**30
    assert values["storage.size", "nvme0"] == 512_110_190_592
    assert values["panel.width", "card0-eDP-1"] == 1920
    assert values["usb.device.id", "1-5"] == "222a:0001"
    assert values["pcie.link.width", "0000:02:00.0"] == 4
    assert values["firmware.date", ""] == "2023-07-28"
    assert len(profile.sensors) == 2


def test_what_was_plugged_in_is_no_part_of_it() -> None:
    more = learnt(replace(GOOD, other_screen=True))
    assert [part.name for part in more.parts if part.kind.value == "panel"] == ["card0-eDP-1"]
    assert not [value for value in more.values if value.of == "sdz"]


def test_no_serial_number_enters_it() -> None:
    """Not those of the parts, and not where one stands in another text."""
    aio = replace(GOOD, sku="SKU-AIO24-0001", usb={"1-5": "222a:0001"})
    aio = aio.with_drive(model="Disk 20102625A0C1 plus")
    text = encode(learnt(aio)).decode()
    for serial in ("AIO24-0001", "20102625A0C1", "15C774EF", "15C774F0", "305419896", "CAM-AIO", "USB-AIO"):
        assert serial.casefold() not in text.casefold()
    assert '"sku": ""' in text


def test_the_unit_that_it_was_learnt_from_has_no_finding(profile: Profile) -> None:
    assert found(GOOD, profile) == []
    view = against(GOOD, profile)
    assert view.outcomes["profile"] is not None
    assert view.outcomes["profile"].value == "pass"


def test_another_good_unit_of_the_model_has_none_either(profile: Profile) -> None:
    other = replace(
        GOOD,
        serial="AIO24-0002",
        panel=Panel(serial=77),
        drives=(Drive(serial="OTHER", model="Samsung", size=1_000_204_886_016),),
        modules=(Module("A", "FFAA1234", 16384),),
        fans={"fan1": 700, "fan2": 0},
        bios_date="08/01/2024",
        other_screen=True,
    )
    assert found(other, profile) == []


ODD = {
    "panel of another model": (
        replace(GOOD, panel=Panel(product="9999", name="OTHER")), ("LCD-4500", "unknown", "warning"),
    ),
    "no panel but another screen": (
        replace(GOOD, panel=Panel(connected=False), other_screen=True), ("LCD-4513", "fail", "critical"),
    ),
    "a module missing": (replace(GOOD, modules=GOOD.modules[:1]), ("MEM-3505", "unknown", "warning")),
    "smaller modules": (
        replace(GOOD, modules=(Module("A", "AB12CD34", 4096), Module("B", "AB12CD35", 4096))),
        ("MEM-3518", "unknown", "info"),
    ),
    "no drive": (replace(GOOD, drives=()), ("DISK-1905", "fail", "critical")),
    "no drive of any kind": (replace(GOOD, drives=(), stick=False), ("DISK-1905", "fail", "critical")),
    "smaller drive": (GOOD.with_drive(size=256_060_514_304), ("DISK-1926", "unknown", "info")),
    "fan gone": (replace(GOOD, fans={"fan1": 1200}), ("FAN-2805", "unknown", "warning")),
    "sensor gone": (replace(GOOD, voltages={"in0": 1000}), ("VOLT-5307", "unknown", "info")),
    "camera gone": (replace(GOOD, camera=False, usb={"1-5": "222a:0001"}), ("CAM-7954", "unknown", "warning")),
    "touch gone": (replace(GOOD, usb={"1-8": "04f2:b7e5"}), ("USB-7353", "unknown", "warning")),
    "speaker gone": (replace(GOOD, speaker=False), ("SND-7755", "unknown", "warning")),
    "wifi gone": (replace(GOOD, wifi=False), ("NET-7557", "unknown", "warning")),
    "tpm gone": (replace(GOOD, tpm=False), ("FW-8155", "unknown", "warning")),
    "old bios": (replace(GOOD, bios_date="01/02/2020"), ("FW-8164", "unknown", "info")),
}  # fmt: skip


@pytest.mark.parametrize(("aio", "expected"), ODD.values(), ids=ODD)
def test_one_part_that_differs(aio: Aio, expected: tuple[str, str, str], profile: Profile) -> None:
    assert found(aio, profile) == [expected]


def test_one_drive_of_two() -> None:
    second = Drive("nvme1", serial="SECOND", address="0000:04:00.0")
    two = replace(GOOD, drives=(*GOOD.drives, second))
    assert found(GOOD, learnt(two)) == [("DISK-1918", "unknown", "warning")]


def test_fewer_lanes(profile: Profile) -> None:
    """Of the drive and of the Wi-Fi card, which do not tell what they could do at most."""
    assert found(replace(GOOD, lanes=1), profile) == [("BUS-7151", "unknown", "warning")] * 2


def test_a_driver_that_is_missing_is_no_part_that_is(profile: Profile) -> None:
    assert found(replace(GOOD, wifi_driver=False), profile) == []


def test_a_screen_that_is_dark_without_any_other_has_one_finding_only(profile: Profile) -> None:
    dark = against(replace(GOOD, panel=Panel(connected=False)), profile)
    assert [f.finding.code for f in dark.findings] == ["LCD-4001"]


@pytest.mark.parametrize("area", list(GOOD.evidence()))
def test_an_area_that_was_not_looked_at_misses_nothing(area: str, profile: Profile) -> None:
    evidence = Evidence("profile", "", encode(profile), "profiles/x", TIME)
    capture = GOOD.capture()
    steps = tuple(step for step in capture.steps if step.id != f"probe.{area}")
    view = judged(replace(capture, steps=(*steps, CapturedStep("profile", (evidence,)))))
    assert [f.finding.code for f in view.findings] == []


def test_nothing_is_learnt_from_a_unit_with_a_fault() -> None:
    bad = GOOD.with_drive(health={"critical_warning": 4})
    with pytest.raises(NotGood, match="DISK-1321"):
        learnt(bad)


def test_nothing_is_learnt_from_a_unit_without_a_model() -> None:
    with pytest.raises(NotGood, match="model"):
        learnt(replace(GOOD, model=""))


def test_a_profile_that_is_none_is_a_gap_and_the_unit_is_judged(profile: Profile) -> None:
    evidence = Evidence("profile", "", encode(profile)[:-20], "profiles/x", TIME)
    capture = GOOD.capture()
    view = judged(replace(capture, steps=(*capture.steps, CapturedStep("profile", (evidence,)))))
    (gap,) = view.steps["profile"].gaps
    assert (gap.outcome.value, gap.essential) == ("error", False)
    assert view.outcomes["rules"] is not None
    assert view.outcomes["rules"].value == "pass"


def test_the_real_panels(shared: object) -> None:
    """Each panel against its own profile: nothing. Against that of another model: the panel."""
    from agent.probes.panel.edid import decode as decode_edid
    from tests.corpus.index import rows

    panels = []
    for row in (row for row in rows(shared) if row.kind == "edid"):  # type: ignore[arg-type]
        data = row.file.read_bytes()
        edid = decode_edid(data)
        if data.startswith(b"\x00\xff\xff\xff\xff\xff\xff\x00") and edid.valid and edid.manufacturer and edid.product:
            panels.append((f"{edid.manufacturer}{edid.product:04X}", data))
    assert len(panels) > 100
    for (own, data), (other, other_data) in pairwise(panels):
        profile = _of_panel(data)
        assert _judged_panel(data, profile) == []
        assert _judged_panel(other_data, profile) == ([] if own == other else ["LCD-4500"])


def _panel_step(data: bytes) -> list[Component | Reading]:
    from agent import probes
    from agent.model import Gap, Tree
    from tests.aio import _binary

    tree = Tree({"/sys/class/drm/card0-eDP-1/status": "connected\n"} | _binary("/sys/class/drm/card0-eDP-1/edid", data))
    evidence = Evidence("tree", "", tree.encode(), "files", TIME)
    return [item for item in probes.load("panel").interpret([evidence]) if not isinstance(item, Gap)]


def _of_panel(data: bytes) -> Profile:
    items = _panel_step(data)
    parts = [item for item in items if isinstance(item, Component)]
    values = [item for item in items if isinstance(item, Reading)]
    return learn({"model": "X"}, parts, values, source="", time=TIME, agent="")


def _judged_panel(data: bytes, profile: Profile) -> list[str]:
    items = _panel_step(data)
    return [finding.code for finding in applied(profile, items)]


def applied(profile: Profile, items: list[Component | Reading]) -> list[Finding]:
    parts = inventory(item for item in items if isinstance(item, Component))
    own = [item for item in items if isinstance(item, Reading)]
    told = profiles.interpret([Evidence("profile", "", encode(profile), "x", TIME)])
    known = Readings([*own, *parts, *(item for item in told if isinstance(item, Reading))])
    return [finding for judge in JUDGES for finding in judge.judge(known)]


NAMED = [
    "memory.installed", "memory.module.size", "storage.transport", "storage.size", "storage.removable",
    "panel.internal", "panel.connected", "panel.width", "board.fan", "board.voltage", "camera.built_in",
    "usb.device.id", "usb.device.removable", "usb.device.name", "pcie.id", "pcie.class", "pcie.link.width",
    "pcie.link.speed", "audio.cards", "network.uptime", "firmware.tpm", "firmware.date", "firmware.version",
]  # fmt: skip
SUBJECTS = st.sampled_from(["", "nvme0", "sda", "card0-eDP-1", "card0-HDMI-A-1", "chip/a", "chip/b", "1-5", "video0"])
VALUES = st.sampled_from([True, False, "usb", "nvme", "fixed", "04f2:b7e5", "2023-07-28", "0x010802"]) | st.integers(
    0, 99
)
own_readings = st.builds(
    lambda r, name, subject, value: replace(r, name=name, subject=subject, value=value),
    readings, st.sampled_from(NAMED), SUBJECTS, VALUES,
)  # fmt: skip
own_parts = st.builds(lambda part, name: replace(part, name=name), components, SUBJECTS)


@given(st.lists(own_readings, max_size=40), st.lists(own_parts, max_size=12))
def test_whatever_a_unit_shows_its_own_profile_fits_it(own: list[Reading], parts: list[Component]) -> None:
    own = list(Readings(own))  # as a run has them: one value of a name and subject
    parts = list({(part.kind, part.name): part for part in parts}.values())
    profile = learn({"model": "X"}, parts, own, source="", time=TIME, agent="")
    assert decode(encode(profile)) == profile
    assert [finding.code for finding in applied(profile, [*parts, *own])] == []


class TestMarkers:
    """What several sound units measured, in one profile."""

    def measured(self, serial: str, resistance: float) -> Seen:
        aio = of_diagnosis(seen(replace(GOOD, serial=serial).capture()))
        return replace(aio, readings=[*aio.readings, *soaked(soak(resistance))])

    def test_each_unit_has_one_value_and_nobody_knows_whose(self) -> None:
        units = [self.measured(f"AIO24-000{k}", 1.0 + 0.02 * k) for k in range(4)]
        profile = profile_of(units[0], TIME, [*units[1:], self.measured("AIO24-0003", 1.2)])
        assert decode(encode(profile)) == profile
        (of_zone,) = (m for m in profile.markers if m.key[:2] == ("thermal_test.rise_per_watt", "thermal_zone0"))
        assert of_zone.values == pytest.approx([1.0, 1.02, 1.04, 1.2], rel=0.03), "of two runs the last one"
        assert "AIO24-0003" not in encode(profile).decode()

    def test_what_showed_in_the_rounds_of_sound_units_is_counted(self) -> None:
        def played(exercise: str, *codes: str, whole: bool = True) -> dict[str, object]:
            shown = [{"code": code, "component": "memory-module", "subject": ""} for code in codes]
            return {"exercise": exercise, "hours": 0.1, "whole": whole, "shown": shown}

        rounds = (played("memory"), played("memory", "MEM-3014", "MEM-3014"), played("memory", whole=False))
        units = [replace(self.measured(f"AIO24-000{k}", 1.0), rounds=rounds) for k in range(2)]
        profile = profile_of(replace(units[0], rounds=(*rounds, played("usb"))), TIME, units[1:])
        assert decode(encode(profile)) == profile
        assert {p.exercise: (p.rounds, p.hours, p.shown) for p in profile.rounds} == {
            "memory": (4, 0.4, {"MEM-3014": 2}),
            "usb": (1, 0.1, {}),
        }

    def test_units_of_another_model_or_with_a_fault_or_without_a_name_are_refused(self) -> None:
        good = self.measured("AIO24-0001", 1.0)
        other = replace(good, unit={**good.unit, "model": "AIO 27"})
        bad = of_diagnosis(seen(GOOD.with_drive(health={"critical_warning": 4}).capture()))
        nameless = replace(good, unit={**good.unit, "serial": ""})
        for unit, word in ((other, "not of the model"), (bad, "DISK-1321"), (nameless, "serial number")):
            with pytest.raises(NotGood, match=word):
                profile_of(good, TIME, [unit])


class TestFile:
    def test_it_is_read_as_it_was_written(self, profile: Profile) -> None:
        assert decode(encode(profile)) == profile
        assert encode(decode(encode(profile))) == encode(profile)

    def test_one_member_a_line(self, profile: Profile) -> None:
        lines = encode(profile).decode().splitlines()
        assert all(line.count('": ') <= 1 for line in lines)

    @pytest.mark.parametrize(
        "change",
        [
            {"schema": 2},
            {"format": "x"},
            {"more": 1},
            {"model": ""},
            {"model": "x" * 301},
            {"parts": [{"kind": "panel"}]},
            {"parts": [{"kind": "x", "name": "", "manufacturer": "", "model": "", "part_number": ""}]},
            {"values": [{"reading": "A b", "of": "", "value": 1, "unit": "", "component": "panel"}]},
            {"values": [{"reading": "a.b", "of": "", "value": 1, "unit": "furlong", "component": "panel"}]},
            {"values": [{"reading": "a.b", "of": "", "value": None, "unit": "", "component": "panel"}]},
            {"values": [{"reading": "a.b", "of": "", "value": 2**70, "unit": "", "component": "panel"}]},
            {"values": [1] * 2001},
            {"markers": [{"reading": "a.b", "of": "", "kind": "", "unit": "K", "values": []}]},
            {"markers": [{"reading": "a.b", "of": "", "kind": "", "unit": "K", "values": [1, "2"]}]},
            {"markers": [{"reading": "a.b", "of": "", "kind": "", "unit": "K", "values": [1e300]}]},
            {"markers": [{"reading": "a.b", "of": "", "kind": "", "unit": "furlong", "values": [1]}]},
            {"markers": [{"reading": "a.b", "of": "", "unit": "K", "values": [1]}]},
            {"rounds": [{"exercise": "x", "rounds": 0, "hours": 1, "shown": {}}]},
            {"rounds": [{"exercise": "x", "rounds": 2, "hours": 0, "shown": {}}]},
            {"rounds": [{"exercise": "x", "rounds": 2, "hours": 1, "shown": {"MEM-3014": 3}}]},
            {"rounds": [{"exercise": "x", "rounds": 2, "hours": 1, "shown": ["MEM-3014"]}]},
            {"sensors": [{"reading": "", "of": "", "component": "panel"}]},
        ],
    )
    def test_what_is_none_is_refused(self, change: dict[str, object], profile: Profile) -> None:
        document = json.loads(encode(profile)) | change
        with pytest.raises(Malformed):
            decode(json.dumps(document).encode())

    @given(st.binary(max_size=300), st.floats(0, 1), st.integers(0, 40))
    def test_no_content_raises_anything_else(self, data: bytes, at: float, cut: int) -> None:
        sample = encode(SAMPLE)
        middle = int(at * len(sample))
        for content in (data, sample[:middle] + data + sample[middle + cut :]):
            try:
                decode(content)
            except Malformed:
                continue


SAMPLE = Profile(
    "Hibertek",
    "AIO 24",
    "S1",
    "run",
    TIME,
    "0.1.0",
    (Part(ComponentKind.PANEL, "card0-eDP-1", "CMN", "M238", "2740"),),
    (Expected("memory.installed", "", 2**34, "B", ComponentKind.MEMORY_MODULE),),
    (Sensor("board.voltage", "chip/in0", ComponentKind.MOTHERBOARD),),
)
