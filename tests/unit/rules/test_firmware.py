"""Old firmware, by the tables of real units."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model import Evidence, Finding, Reading, Readings, Verdict
from agent.probes import load
from agent.rules import firmware


def judged(text: str, time: str = "2026-01-02T03:04:05Z") -> list[Finding]:
    evidence = [Evidence("dmidecode", "", text.encode(), "dmi.txt", time)]
    seen = [item for area in ("firmware", "unit") for item in load(area).interpret(evidence)]
    return list(firmware.old(Readings(item for item in seen if isinstance(item, Reading))))


def bios(date: str, maker: str = "Hibertek") -> str:
    return (
        f"Handle 0x0000, DMI type 0, 26 bytes\nBIOS Information\n\tVersion: 1.2\n\tRelease Date: {date}\n\n"
        f"Handle 0x0001, DMI type 1, 27 bytes\nSystem Information\n\tManufacturer: {maker}\n"
    )


@pytest.mark.parametrize(
    ("date", "found"),
    [
        ("01/04/2021", []),
        ("01/02/2021", ["2021-01-02"]),
        ("02/09/08", ["2008-02-09"]),
        ("02/11/99", ["1999-02-11"]),
        ("05/05/2031", []),
        ("13/13/2011", []),
    ],
)
def test_five_years(date: str, found: list[str]) -> None:
    findings = judged(bios(date))
    assert [f.values["date"] for f in findings] == found
    assert all((f.code, f.verdict) == ("FW-8018", Verdict.UNKNOWN) for f in findings)


def test_a_virtual_machine_says_nothing_of_it() -> None:
    assert judged(bios("04/01/2014", "QEMU")) == []


def test_a_time_that_is_none_says_nothing_of_it() -> None:
    assert judged(bios("04/01/2014"), "yesterday") == []


def test_every_real_table_has_its_date(shared: Path) -> None:
    files = sorted((shared / "corpora/dmi").glob("linuxhw-*.txt"))
    assert len(files) > 60
    for file in files:
        text = file.read_text("utf-8", "replace")
        written = text.partition("Release Date: ")[2].split("\n")[0]
        (finding,) = judged(text, "2049-01-01T00:00:00Z")
        assert str(finding.values["date"])[2:4] == written[-2:], file.name
