from __future__ import annotations

from pathlib import Path

import pytest

from agent.catalogue.entry import LANGUAGES, entry
from agent.model import Evidence, Finding, Reading, Readings, Tree, Verdict
from agent.probes.memory import PROBE
from agent.rules import memory

EDAC = "/sys/devices/system/edac/mc/mc0"


def findings(files: dict[str, str], *sizes: str) -> list[Finding]:
    dmi = "".join(
        f"Handle 0x{n:04X}, DMI type 17, 40 bytes\nMemory Device\n\tSize: {size}\n\tLocator: DIMM{n}\n"
        for n, size in enumerate(sizes)
    )
    evidence = [
        Evidence("tree", "", Tree(files).encode(), "", "2026-01-02T03:04:05Z"),
        Evidence("dmidecode", "", dmi.encode(), "", "2026-01-02T03:04:05Z"),
    ]
    readings = Readings(s for s in PROBE.interpret(evidence) if isinstance(s, Reading))
    rules = (memory.uncorrected, memory.corrected, memory.given_up, memory.not_seen)
    found = [finding for rule in rules for finding in rule(readings)]
    for finding in found:
        assert finding.evidence
        for language in LANGUAGES:
            text = entry(finding.code).text("message", language, {"subject": finding.subject, **finding.values})
            assert "{" not in text
    return found


def meminfo(gib: float, corrupted: int = 0) -> dict[str, str]:
    return {"/proc/meminfo": f"MemTotal: {round(gib * (1 << 20))} kB\nHardwareCorrupted: {corrupted} kB\n"}


def test_errors_blame_the_module_where_one_is_named() -> None:
    counters = {f"{EDAC}/ce_count": "3", f"{EDAC}/ue_count": "1", f"{EDAC}/dimm0/dimm_ce_count": "3"}
    counters |= {f"{EDAC}/dimm0/dimm_label": "DIMM_A1", f"{EDAC}/dimm0/dimm_ue_count": "0"}
    found = [(f.code, f.subject, f.verdict, f.values["count"]) for f in findings(counters)]
    assert found == [("MEM-3009", "mc0", Verdict.FAIL, 1), ("MEM-3014", "mc0/DIMM_A1", Verdict.UNKNOWN, 3)]


def test_counters_at_zero_say_nothing() -> None:
    assert findings({f"{EDAC}/ce_count": "0", f"{EDAC}/ue_count": "0", **meminfo(15.5)}, "8 GB", "8 GB") == []


def test_pages_given_up() -> None:
    assert [(f.code, f.values) for f in findings(meminfo(15.5, 8))] == [("MEM-3023", {"kib": 8})]


@pytest.mark.parametrize(
    ("seen", "sizes", "found"),
    [
        (15.5, ["8 GB", "8 GB"], False),
        (13.5, ["8 GB", "8 GB"], False),
        (7.6, ["8 GB", "8 GB"], True),
        (3.5, ["8 GB"], False),
        (11.5, ["4 GB", "4 GB", "4 GB", "4 GB"], True),
        (7.6, ["8 GB", "Unknown"], False),
        (23.4, ["8 GB", "16 GB"], False),
    ],
)
def test_a_module_that_is_not_seen(seen: float, sizes: list[str], found: bool) -> None:
    assert [f.code for f in findings(meminfo(seen), *sizes)] == (["MEM-3038"] if found else [])


@pytest.mark.parametrize(("speed", "found"), [(2400, False), (1867, True), (0, False)])
def test_memory_that_is_held_back(speed: int, found: bool) -> None:
    module = f"Size: 8 GB\n\tLocator: DIMM0\n\tSpeed: 3200 MT/s\n\tConfigured Memory Speed: {speed} MT/s\n"
    dmi = Evidence("dmidecode", "", f"Handle 0x0001, DMI type 17, 40 bytes\nMemory Device\n\t{module}".encode(), "", "")
    judged = list(memory.slow(Readings(s for s in PROBE.interpret([dmi]) if isinstance(s, Reading))))
    expected = {"speed": speed, "rated": 3200}
    assert [(f.code, f.subject, f.values) for f in judged] == ([("MEM-3051", "DIMM0", expected)] if found else [])


def test_real_units_run_near_the_rating_of_their_memory(shared: Path) -> None:
    slow: list[object] = []
    for file in sorted((shared / "corpora/dmi").glob("*.txt")):
        evidence = Evidence("dmidecode", "", file.read_bytes(), file.name, "2026-01-02T03:04:05Z")
        readings = Readings(s for s in PROBE.interpret([evidence]) if isinstance(s, Reading))
        slow += [finding.values for finding in memory.slow(readings)]
    assert slow == [{"speed": 800, "rated": 1600}]
