"""Personalities that are made of real captures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import corpus, personality

TEXT = """# dmidecode 3.3

Handle 0x0000, DMI type 0, 24 bytes
BIOS Information
\tVendor: American Megatrends Inc.
\tRelease Date: 09/18/2012

Handle 0x0001, DMI type 1, 27 bytes
System Information
\tManufacturer: Acme
\tProduct Name: One
\tSerial Number: --
\tSKU Number: Not Specified
"""


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIODIAG_SHARED", str(tmp_path))
    for kind in ("dmi", "edid"):
        (tmp_path / "corpora" / kind).mkdir(parents=True)
    (tmp_path / "corpora/dmi/one.txt").write_text(TEXT)
    (tmp_path / "corpora/edid/panel.bin").write_bytes(b"\0")
    return tmp_path


def test_dmi_is_taken_and_what_is_given_comes_before_it(shared: Path) -> None:
    found = personality.with_captures({"identity": {"dmi": "corpus:one", "system": {"product": "Two", "serial": "S1"}}})
    assert found["identity"] == {
        "bios": {"vendor": "American Megatrends Inc.", "date": "09/18/2012"},
        "system": {"manufacturer": "Acme", "product": "Two", "serial": "S1"},
    }


def test_a_masked_serial_number_is_none(shared: Path) -> None:
    assert corpus.dmi("one")["system"] == {"manufacturer": "Acme", "product": "One"}


def test_an_edid_becomes_the_path_of_its_bytes(shared: Path) -> None:
    found = personality.with_captures({"panel": {"edid": "corpus:panel"}})
    assert found == {"panel": {"edid": str(shared / "corpora/edid/panel.bin")}}


def test_without_captures_nothing_changes() -> None:
    parts = {"identity": {"system": {"product": "One"}}, "panel": {"edid": "00ff"}, "tpm": {"version": "2.0"}}
    assert personality.with_captures(parts) == parts


@pytest.mark.parametrize("parts", [{"identity": {"dmi": "corpus:two"}}, {"panel": {"edid": "corpus:two"}}])
def test_a_capture_that_is_not_there_is_said_in_one_line(shared: Path, parts: dict[str, dict[str, str]]) -> None:
    with pytest.raises(corpus.NotHere, match=r"^no capture at .*two.*AIODIAG_SHARED[^\n]*$"):
        personality.with_captures(parts)


def test_a_source_that_is_none(shared: Path) -> None:
    with pytest.raises(ValueError, match="does not begin with"):
        personality.with_captures({"identity": {"dmi": "one"}})
