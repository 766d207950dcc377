"""Readings, trees and the JSON forms of all words."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import Component, ComponentKind, Evidence, Finding, Gap, Reading, Readings, Severity, Tree, Verdict
from tests.unit.model import strategies as any_


def reading(name: str = "storage.ata.197.raw", value=0, unit: str = "count", subject: str = "sda") -> Reading:
    return Reading(name, value, unit, ComponentKind.STORAGE_DEVICE, subject, "smartctl", "2026-11-23T14:22:33Z")


def over_json(data):
    return json.loads(json.dumps(data, allow_nan=False))


@settings(deadline=None)
@given(st.one_of(any_.components, any_.readings, any_.gaps, any_.findings))
def test_words_round_trip(word):
    assert type(word).from_json(over_json(word.to_json())) == word


@settings(deadline=None)
@given(any_.evidence)
def test_evidence_round_trips(evidence):
    assert Evidence.from_header(over_json(evidence.header()), evidence.data) == evidence
    assert set(evidence.file_name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert len(evidence.file_name) <= 105
    evidence.text()
    evidence.json()
    assert evidence.tree().paths("/*") is not None


@pytest.mark.parametrize("value", [None, [], {}, math.nan, math.inf])
def test_a_reading_from_elsewhere_must_have_a_value(value):
    with pytest.raises(ValueError, match=r"storage\.ata\.197\.raw"):
        Reading.from_json({**reading().to_json(), "value": value})


@pytest.mark.parametrize("name", ["", "storage", "Storage.x", "storage..x", ".x", "storage.x ", "storage.x\n", "1a.b"])
def test_a_reading_has_a_dotted_name(name):
    with pytest.raises(ValueError, match="bad reading name"):
        reading(name)


def test_a_reading_has_a_known_unit():
    with pytest.raises(ValueError, match="unknown unit 'mV'"):
        reading(unit="mV")


@pytest.mark.parametrize("confidence", [-0.01, 1.01, math.nan])
def test_a_confidence_is_a_probability(confidence):
    with pytest.raises(ValueError, match="outside"):
        Finding("X-1000", ComponentKind.CPU, "", Severity.INFO, Verdict.UNKNOWN, confidence)


@pytest.mark.parametrize("word", [Component, Reading, Gap, Finding])
def test_what_is_no_word_is_refused(word):
    with pytest.raises((KeyError, ValueError)):
        word.from_json({})
    with pytest.raises((KeyError, ValueError)):
        word.from_json({"kind": "no such part", "component": "no such part", "outcome": "?", "subject": "", "code": ""})


def test_readings_by_name_and_subject():
    readings = Readings(
        [
            reading(value=1),
            reading(value=7, subject="sdb"),
            reading(value=2),
            reading("storage.ata.healthy", True, ""),
            reading("storage.model", "X", ""),
            reading("storagex.y"),
        ]
    )
    assert [r.value for r in readings.all("storage.ata.197.raw")] == [2, 7]
    assert readings.all("storage.ata") == []
    assert [r.name for r in readings.matching("storage.")] == [
        "storage.ata.197.raw",
        "storage.ata.197.raw",
        "storage.ata.healthy",
        "storage.model",
    ]
    assert readings.number("storage.ata.197.raw", "sdb") == 7.0
    assert readings.number("storage.ata.197.raw", "sdc") is None
    assert readings.number("storage.ata.healthy", "sda") is None
    assert readings.number("storage.model", "sda") is None
    assert readings.get("storage.model") is None
    assert readings.get("storage.model", "sda").value == "X"
    assert len(list(readings)) == 5


def test_tree_paths_stay_within_a_directory_and_count():
    tree = Tree(dict.fromkeys(["/h/hwmon10/temp2", "/h/hwmon2/temp10", "/h/hwmon2/temp2", "/h/hwmon2/x/temp1"], ""))
    assert tree.paths("/h/hwmon*/temp*") == ["/h/hwmon2/temp2", "/h/hwmon2/temp10", "/h/hwmon10/temp2"]
    assert tree.paths("/h/*/*/temp?") == ["/h/hwmon2/x/temp1"]
    assert tree.paths("/h/hwmon[2-9]/temp2") == ["/h/hwmon2/temp2"]
    assert tree.paths("h/*") == tree.paths("/h") == []


def test_tree_values():
    tree = Tree(
        {
            "/text": " 42\n",
            "/hex": "0x1F",
            "/word": "none",
            "/empty": "",
            "/binary": {"base64": "AP8="},
            "/broken": {"base64": "?"},
            "/link": {"link": "../x"},
            "/error": {"error": "EIO"},
            "/odd": [1],
        }
    )
    assert tree.text("/text") == "42"
    assert [tree.integer(p) for p in ("/text", "/hex", "/word", "/empty", "/binary", "/absent")] == [
        42,
        31,
        None,
        None,
        None,
        None,
    ]
    assert tree.binary("/binary") == b"\0\xff"
    assert [tree.binary(p) for p in ("/broken", "/link", "/error", "/odd", "/absent")] == [None] * 5
    assert (tree.link("/link"), tree.link("/text"), tree.link("/odd")) == ("../x", None, None)
    assert (tree.error("/error"), tree.error("/text"), tree.error("/absent")) == ("EIO", None, None)
    evidence = Evidence("tree", "", tree.encode(), "/*", "")
    assert evidence.tree().files == tree.files


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_evidence_may_hold_anything(data):
    evidence = Evidence("x", "", data, "", "")
    evidence.text()
    assert isinstance(evidence.tree().files, dict)
