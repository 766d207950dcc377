from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.catalogue.entry import LANGUAGES, entry
from agent.model import Evidence, Finding, Reading, Readings, Severity, Verdict
from agent.probes.board import PROBE
from agent.rules import board

Chips = dict[str, dict[str, dict[str, float]]]


def findings(chips: Chips) -> list[Finding]:
    return found_by(read(Evidence("sensors-json", "", json.dumps(chips).encode(), "", "2026-01-02T03:04:05Z")))


def read(evidence: Evidence) -> Readings:
    return Readings(s for s in PROBE.interpret([evidence]) if isinstance(s, Reading))


def found_by(readings: Readings) -> list[Finding]:
    rules = (board.rails, board.limits, board.battery, board.fans)
    found = [finding for rule in rules for finding in rule(readings)]
    for finding in found:
        for language in LANGUAGES:
            text = entry(finding.code).text("message", language, {"subject": finding.subject, **finding.values})
            assert "{" not in text
    return found


def verdicts(chips: Chips) -> list[tuple[str, str, Verdict]]:
    return [(f.code, f.subject.rpartition("/")[2], f.verdict) for f in findings(chips)]


def board_with(**volts: float) -> Chips:
    names = {"v12": "+12V", "v5": "+5V", "v33": "+3.3V", "sb3": "3VSB", "bat": "Vbat"}
    return {"nct6776-isa-0290": {names[name]: {f"in{n}_input": volt} for n, (name, volt) in enumerate(volts.items())}}


def processor(temperature: float) -> Chips:
    return {"coretemp-isa-0000": {"Package id 0": {"temp1_input": temperature}}}


@pytest.mark.parametrize(
    ("rails", "expected"),
    [
        ({"v12": 11.1, "v5": 5.3, "v33": 3.47, "sb3": 3.69}, []),
        ({"v12": 11.0, "v5": 5.0}, [("VOLT-5012", "+12V", Verdict.UNKNOWN)]),
        ({"v12": 10.7, "v5": 5.0}, [("VOLT-5004", "+12V", Verdict.FAIL)]),
        ({"v5": 5.6, "v33": 3.3}, [("VOLT-5004", "+5V", Verdict.FAIL)]),
        ({"v12": 10.7}, [("VOLT-5012", "+12V", Verdict.UNKNOWN)]),
        ({"v33": 1.68, "v5": 5.0}, [("VOLT-5020", "+3.3V", Verdict.UNKNOWN)]),
        ({"sb3": 3.75, "v33": 3.3}, [("VOLT-5004", "3VSB", Verdict.FAIL)]),
    ],
)
def test_rails(rails: dict[str, float], expected: list[Any]) -> None:
    assert verdicts(board_with(**rails)) == expected


@pytest.mark.parametrize("label", ["+12V", "12V", "+12 V", "V12", "VCC12V"])
def test_ways_to_write_a_rail(label: str) -> None:
    chip = {"x-isa-0000": {label: {"in0_input": 10.5}, "+5V": {"in1_input": 5.0}}}
    assert verdicts(chip) == [("VOLT-5004", label, Verdict.FAIL)]


@pytest.mark.parametrize("label", ["-12V", "in12", "VIN5", "12V sense", "Vcore", "1.5V"])
def test_other_voltages_are_not_rails(label: str) -> None:
    assert verdicts({"x-isa-0000": {label: {"in12_input": 9.0}, "+5V": {"in1_input": 5.0}}}) == []


@pytest.mark.parametrize(
    ("volts", "expected"),
    [
        (3.1, None),
        (2.6, None),
        (2.5, ("VOLT-5209", Verdict.UNKNOWN)),
        (2.3, ("VOLT-5214", Verdict.FAIL)),
        (0.1, ("VOLT-5209", Verdict.UNKNOWN)),
    ],
)
def test_battery(volts: float, expected: tuple[str, Verdict] | None) -> None:
    found = [(code, verdict) for code, _, verdict in verdicts(board_with(v33=3.3, bat=volts))]
    assert found == ([expected] if expected else [])


def test_a_battery_on_a_chip_of_another_scale_is_not_judged() -> None:
    assert [code for code, *_ in verdicts(board_with(v33=1.68, bat=1.61))] == ["VOLT-5020"]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"in0_input": 1.0, "in0_min": 1.1, "in0_max": 1.3, "in0_alarm": 1.0}, True),
        ({"in0_input": 1.2, "in0_min": 1.1, "in0_max": 1.3, "in0_alarm": 1.0}, False),
        ({"in0_input": 1.0, "in0_min": 1.1, "in0_max": 1.3, "in0_alarm": 0.0}, False),
        ({"in0_input": 1.0, "in0_min": 0.0, "in0_max": 0.0, "in0_alarm": 1.0}, False),
        ({"in0_input": 1.0, "in0_min": 1.3, "in0_max": 1.1, "in0_alarm": 1.0}, False),
        ({"in0_input": 2.79, "in0_min": 0.0, "in0_max": 2.78, "in0_alarm": 1.0}, False),
        ({"in0_input": 0.1, "in0_min": 1.1, "in0_max": 1.3, "in0_alarm": 1.0}, False),
    ],
)
def test_limits(values: dict[str, float], found: bool) -> None:
    assert [code for code, *_ in verdicts({"x-isa-0000": {"DDR": values}})] == (["VOLT-5036"] if found else [])


NAMED = {"dell_smm-isa-0000": {"Processor Fan": {"fan1_input": 0.0}}}
UNNAMED = {"nct6776-isa-0290": {"fan1": {"fan1_input": 0.0, "fan1_min": 1500.0, "fan1_alarm": 1.0}}}


@pytest.mark.parametrize(
    ("chips", "expected"),
    [
        (NAMED | processor(34), []),
        (NAMED | processor(90), [("FAN-2503", "Processor Fan", Verdict.FAIL)]),
        (NAMED | processor(511), []),
        ({"a-isa-0000": {"CPU_Opt": {"fan1_input": 0.0}, "CPU": {"fan2_input": 700.0}}} | processor(90), []),
        (UNNAMED | processor(60), []),
        (UNNAMED | processor(90), [("FAN-2516", "fan1", Verdict.UNKNOWN)]),
        (UNNAMED | processor(90) | {"b-isa-0000": {"fan2": {"fan2_input": 900.0}}}, []),
        (processor(90), []),
    ],
)
def test_fans(chips: Chips, expected: list[Any]) -> None:
    assert verdicts(chips) == expected


def test_a_named_fan_with_a_target_should_turn() -> None:
    chips = {"applesmc-isa-0300": {"ODD": {"fan1_input": 0.0, "fan1_target": 1100.0}}}
    assert verdicts(chips) == [("FAN-2527", "ODD", Verdict.UNKNOWN)]


def test_a_fan_that_firmware_speaks_of_should_turn() -> None:
    chips = {"acpi_fan-isa-0000": {"fan1": {"fan1_input": 0.0, "fan1_target": 1200.0}}}
    assert verdicts(chips) == [("FAN-2527", "fan1", Verdict.UNKNOWN)]
    chips["acpi_fan-isa-0000"]["fan1"]["fan1_target"] = 0.0
    assert verdicts(chips) == []


def test_unnamed_inputs_are_not_judged_by_limits_or_targets() -> None:
    limits = {"in0_input": 1.0, "in0_min": 1.1, "in0_max": 1.3, "in0_alarm": 1.0}
    assert verdicts({"x-isa-0000": {"in0": limits, "fan1": {"fan1_input": 0.0, "fan1_target": 900.0}}}) == []


def test_no_readings_no_findings() -> None:
    assert findings({}) == []


def test_captured_outputs_of_working_machines_raise_no_alarm(shared: Path) -> None:
    """Of 26 published outputs only the chip of another scale gets a remark."""
    files = sorted((shared / "corpora/sensors").glob("*.txt"))
    assert len(files) == 26
    remarks = {}
    seen = 0
    for file in files:
        readings = read(Evidence("sensors-text", "", file.read_bytes(), file.name, "2026-01-02T03:04:05Z"))
        seen += len({r.subject for r in readings.matching("board.")})
        found = found_by(readings)
        assert all(f.severity is Severity.INFO for f in found), (file.name, found)
        remarks[file.name] = sorted(f.subject for f in found)
    assert seen > 250
    assert {name: subjects for name, subjects in remarks.items() if subjects} == {
        "linux-hwmon-fbb2616b6d85-33522e.txt": ["it8792-isa-0a60/+3.3V", "it8792-isa-0a60/3VSB"]
    }


@pytest.mark.parametrize(("rpm", "found"), [(1000.0, False), (500.0, False), (430.0, True), (120.0, True)])
def test_a_fan_far_slower_than_it_is_told(rpm: float, found: bool) -> None:
    chips = {"applesmc-isa-0300": {"ODD": {"fan1_input": rpm, "fan1_target": 1100.0}}}
    assert verdicts(chips) == ([("FAN-2534", "ODD", Verdict.UNKNOWN)] if found else [])


def test_a_few_turns_are_none() -> None:
    chips = {"dell_smm-virtual-0": {"CPU Fan": {"fan1_input": 10.0}}}
    assert verdicts(chips | processor(61)) == []
    assert verdicts(chips | processor(95)) == [("FAN-2503", "CPU Fan", Verdict.FAIL)]
