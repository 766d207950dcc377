"""What ``sensors`` printed, as text and as JSON."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.probes._sensors import is_json, is_text, parse_json, parse_text

TEXT = """> nct6798-isa-0290
> Adapter: ISA adapter
> Vbat:         3.18 V  (min =  +0.00 V, max =  +0.00 V)  ALARM
> in3:        672.00 mV
> fan2:        745 RPM  (min =    0 RPM)
> CPU:          +49.0°C  (low  =  +5.0°C)
>                        (high = +80.0°C, hyst = +75.0°C)
>                        (crit = +95.0°C)  sensor = thermistor
> CPU:           7.00 A
> temp9:        FAULT
> Energy:      740.54 J
> intrusion0:  ALARM
"""
CHIP = {
    "Vbat": {"in500_input": 3.18, "in500_min": 0.0, "in500_max": 0.0, "in500_alarm": 1.0},
    "in3": {"in3_input": 0.672},
    "fan2": {"fan2_input": 745.0, "fan2_min": 0.0},
    "CPU": {"temp503_input": 49.0, "temp503_min": 5.0, "temp503_max": 80.0, "temp503_crit": 95.0},
    "CPU (curr2)": {"curr504_input": 7.0},
    "temp9": {"temp9_fault": 1.0},
}


def test_a_text_quoted_in_a_mail() -> None:
    assert is_text(TEXT)
    assert parse_text(TEXT) == {"nct6798-isa-0290": CHIP}


@pytest.mark.parametrize("degree", ["°C", " C", "\ufffdC", "Â°C", "ºC", "C"])
def test_every_way_to_write_a_degree(degree: str) -> None:
    text = f"k10temp-pci-00c3\r\nAdapter: PCI adapter\r\nTctl:  +45.5{degree}  (high = +70.0{degree})\r\n"
    assert parse_text(text) == {"k10temp-pci-00c3": {"Tctl": {"temp500_input": 45.5, "temp500_max": 70.0}}}


def test_fahrenheit_becomes_celsius() -> None:
    assert parse_text("a-pci-0\nTctl: +122.0°F\n") == {"a-pci-0": {"Tctl": {"temp500_input": 50.0}}}


def test_raw_output() -> None:
    text = "coretemp-isa-0000\nAdapter: ISA adapter\nCore 0:\n  temp2_input: 40.000\n  temp2_crit: 100.000\n"
    assert parse_text(text) == {"coretemp-isa-0000": {"Core 0": {"temp2_input": 40.0, "temp2_crit": 100.0}}}


def test_json_with_errors_in_it_and_cut_off() -> None:
    text = """{
   "asus_wmi-isa-0000":{
      "Adapter": "ISA adapter",
      "Chipset":{
         "fan1_input": 1733.000
      },
      "Chipset":{
ERROR: Can't get value of subfeature temp1_crit: I/O error
         "temp1_input": 58.000,

      }
   },
   "k10temp-pci-00c3":{
      "Adapter": "PCI adapter",
      "Tctl":{
         "temp1_input": 45.500,
         "temp1_cr"""
    chips = {
        "asus_wmi-isa-0000": {"Chipset": {"fan1_input": 1733.0}, "Chipset (#2)": {"temp1_input": 58.0}},
        "k10temp-pci-00c3": {"Tctl": {"temp1_input": 45.5}},
    }
    assert is_json(text)
    assert is_json("ERROR: Can't get value of subfeature temp1_input: Can't read\n" + text)
    assert parse_json(text) == chips
    assert parse_json(json.dumps(chips)) == chips


def test_real_outputs_are_text_and_no_json(shared: Path) -> None:
    files = sorted((shared / "corpora/sensors").glob("*.txt"))
    assert len(files) > 20
    for file in files:
        text = file.read_text("utf-8", "replace")
        assert is_text(text), file.name
        assert not is_json(text), file.name
        chips = parse_text(text)
        values = sum(key.endswith("_input") for f in chips.values() for v in f.values() for key in v)
        lines = [line for line in text.splitlines() if line.strip().endswith(("RPM", " V", " C")) and ":" in line]
        assert values >= len(lines), file.name


@given(st.text(max_size=300) | st.text(alphabet='{}":,0123.-a\n C°(=)>', max_size=300))
def test_never_raises(text: str) -> None:
    for printed in (parse_text("a-pci-0\n" + text), parse_json(text)):
        assert all(abs(v) < 2**63 for f in printed.values() for values in f.values() for v in values.values())


@pytest.mark.parametrize(
    "text",
    [
        '{"a-isa-0":{' + '"b":{' * 200_000,
        '{"a-isa-0":{' + '"b":{"temp1_input":1},' * 50_000,
        '"' * 1_000_000,
        "a-isa-0\n" + "b: 1 V (min = 1 V\n" * 60_000,
        "a-isa-0\n" + "b:" + " " * 1_000_000,
        "a" * 1_000_000,
        "a-isa-0\nb: 1 V " + "(min = " * 150_000,
    ],
    ids=["deep", "alike", "quotes", "features", "blanks", "letters", "limits"],
)
def test_a_megabyte_of_nonsense_is_read_in_a_second(text: str) -> None:
    began = time.process_time()
    parse_text(text)
    parse_json(text)
    is_text(text[: 1 << 16])
    assert time.process_time() - began < 5
