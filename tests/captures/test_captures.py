"""Cases that were diagnosed right once, and must stay so: each ``NAME.capture.json`` is judged as its
``NAME.expected.json`` says. ``docs/rd.md`` tells how to add one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.diagnose.capture_file import FILE_SUFFIX, decode, encode
from agent.diagnose.diagnosis import diagnose

FOLDER = Path(__file__).parent
CAPTURES = sorted(FOLDER.glob(f"*{FILE_SUFFIX}"))
EXPECTED = ".expected.json"
SIZE_MOST = 256 * 1024
"""Bytes: what a person can review."""


def expectation(capture: Path) -> dict[str, Any]:
    document = json.loads(capture.with_name(capture.name.removesuffix(FILE_SUFFIX) + EXPECTED).read_text("utf-8"))
    assert set(document) == {"verdict", "findings"}
    return dict(document)


@pytest.mark.parametrize("capture", CAPTURES, ids=[c.name.removesuffix(FILE_SUFFIX) for c in CAPTURES])
class TestCapture:
    def test_it_is_diagnosed_as_expected(self, capture: Path) -> None:
        view = diagnose(str(capture)).view
        found = [
            {"code": f.finding.code, "subject": f.finding.subject, "severity": f.finding.severity.value}
            for f in view.findings
        ]
        assert {"verdict": view.verdict.value, "findings": found} == expectation(capture)

    def test_it_is_as_it_would_be_written_today(self, capture: Path) -> None:
        data = capture.read_bytes()
        assert encode(decode(data)) == data

    def test_it_is_small_and_says_what_it_shows(self, capture: Path) -> None:
        assert capture.stat().st_size <= SIZE_MOST
        assert decode(capture.read_bytes()).description


def test_every_expectation_has_its_capture() -> None:
    expected = {file.name.removesuffix(EXPECTED) for file in FOLDER.glob(f"*{EXPECTED}")}
    assert expected == {capture.name.removesuffix(FILE_SUFFIX) for capture in CAPTURES}
    assert expected
