from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, Evidence, Gap, Outcome, Reading, Readings, Text, Tree
from agent.probes._dmi import parse_dmidecode
from agent.probes._modules import modules
from agent.probes.memory import PROBE

TIME = "2026-01-02T03:04:05.000Z"
EDAC = "/sys/devices/system/edac/mc/mc0"
MEMINFO = (
    "MemTotal:       16284096 kB\nMemAvailable:   9000000 kB\nHardwareCorrupted:     4 kB\nHugePages_Total:       0\n"
)
DMIDECODE = """# dmidecode 3.4
Handle 0x0010, DMI type 16, 23 bytes
Physical Memory Array
\tUse: System Memory

Handle 0x0011, DMI type 17, 40 bytes
Memory Device
\tArray Handle: 0x0010
\tSize: 8 GB
\tLocator: DIMM 0
\tBank Locator: P0 CHANNEL A
\tType: DDR4
\tSpeed: 3200 MT/s
\tManufacturer: Samsung
\tSerial Number: 15C774EF
\tPart Number: M471A1K43EB1-CWE
\tConfigured Memory Speed: 2933 MT/s

Handle 0x0012, DMI type 17, 40 bytes
Memory Device
\tArray Handle: 0x0010
\tSize: 16384 MB
\tLocator: DIMM 0
\tBank Locator: P0 CHANNEL B
\tType: DDR4
\tSpeed: 1600 MHz
\tManufacturer: Array1_Manufacturer1
\tSerial Number: 00000000
\tPart Number: 0x4D34373142353637334648302D4348392020
\tConfigured Clock Speed: Unknown

Handle 0x0013, DMI type 17, 40 bytes
Memory Device
\tArray Handle: 0x0010
\tSize: No Module Installed
\tLocator: DIMM 1

Handle 0x0020, DMI type 16, 23 bytes
Physical Memory Array
\tUse: Flash Memory

Handle 0x0021, DMI type 17, 40 bytes
Memory Device
\tArray Handle: 0x0020
\tSize: 16 MB
\tLocator: BIOS
"""


def tree(files: dict[str, object]) -> Evidence:
    return Evidence("tree", "", Tree(files).encode(), "sysfs", TIME)


def dmi(text: str, problem: Text | None = None) -> Evidence:
    return Evidence("dmidecode", "", text.encode(), "dmidecode -t 16,17", TIME, problem=problem)


def test_modules_and_amounts() -> None:
    seen = list(PROBE.interpret([tree({"/proc/meminfo": MEMINFO}), dmi(DMIDECODE)]))
    found = Readings(s for s in seen if isinstance(s, Reading))
    assert found.number("memory.total") == 16284096 * 1024
    assert found.number("memory.hardware_corrupted") == 4096
    assert (found.number("memory.slots"), found.number("memory.installed")) == (3, 24 << 30)
    assert found.number("memory.module.speed", "P0 CHANNEL A DIMM 0") == 2_933_000_000
    assert found.number("memory.module.rated_speed", "P0 CHANNEL B DIMM 0") == 1_600_000_000
    assert found.get("memory.module.speed", "P0 CHANNEL B DIMM 0") is None
    first, second = [s for s in seen if isinstance(s, Component)]
    assert (first.manufacturer, first.part_number, first.serial) == ("Samsung", "M471A1K43EB1-CWE", "15C774EF")
    assert (second.manufacturer, second.part_number, second.serial) == ("", "M471B5673FH0-CH9", "")


def test_error_counters_by_module_else_by_row() -> None:
    files: dict[str, object] = {"/proc/meminfo": MEMINFO, f"{EDAC}/ce_count": "5\n", f"{EDAC}/ue_count": "0\n"}
    module = {f"{EDAC}/dimm0/dimm_ce_count": "3\n", f"{EDAC}/dimm0/dimm_label": "CPU_SrcID#0_DIMM#0\n"}
    row = {f"{EDAC}/csrow2/ce_count": "5\n"}
    by_module = Readings(s for s in PROBE.interpret([tree(files | module | row)]) if isinstance(s, Reading))
    assert [(r.subject, r.value) for r in by_module.all("memory.edac.corrected")] == [("mc0/CPU_SrcID#0_DIMM#0", 3)]
    assert by_module.number("memory.edac.controller.corrected", "mc0") == 5
    by_row = Readings(s for s in PROBE.interpret([tree(files | row)]) if isinstance(s, Reading))
    assert [(r.subject, r.value) for r in by_row.all("memory.edac.corrected")] == [("mc0/csrow2", 5)]


def test_gaps() -> None:
    def gaps(*evidence: Evidence) -> dict[str, tuple[Outcome, bool]]:
        return {s.subject: (s.outcome, s.essential) for s in PROBE.interpret(evidence) if isinstance(s, Gap)}

    errors = {"errors": (Outcome.UNSUPPORTED, False)}
    assert gaps() == errors | {"total": (Outcome.ERROR, True)}
    assert gaps(tree({"/proc/meminfo": MEMINFO})) == errors
    assert gaps(tree({"/proc/meminfo": MEMINFO, f"{EDAC}/ce_count": "0"})) == {}
    missing = gaps(
        tree({"/proc/meminfo": MEMINFO}), dmi("", Text("{program} is not installed", {"program": "dmidecode"}))
    )
    assert missing == errors | {"modules": (Outcome.UNSUPPORTED, False)}
    assert gaps(tree({"/proc/meminfo": MEMINFO}), dmi("# No SMBIOS nor DMI entry point found, sorry.\n")) == missing


def test_without_root_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    host = Host(str(tmp_path))
    host.is_root = False
    gathered = list(PROBE.gather(host))
    assert [(g.subject, str(g.reason), g.remedy) for g in gathered if isinstance(g, Gap)] == [
        ("modules", "needs root", "sudo aiodiag probe memory")
    ]
    readings = Readings(
        s for s in PROBE.interpret([e for e in gathered if isinstance(e, Evidence)]) if isinstance(s, Reading)
    )
    assert readings.number("memory.total") == 16284096 * 1024


def test_this_machine_has_the_memory_that_its_kernel_says() -> None:
    if not Path("/proc/meminfo").exists():
        pytest.skip("no /proc")
    evidence = [e for e in PROBE.gather(Host()) if isinstance(e, Evidence)]
    total = Readings(s for s in PROBE.interpret(evidence) if isinstance(s, Reading)).number("memory.total")
    import psutil

    assert total == psutil.virtual_memory().total


def test_every_fitted_module_of_every_capture(shared: Path) -> None:
    count = 0
    for file in sorted((shared / "corpora/dmi").glob("*.txt")):
        text = file.read_text("utf-8", errors="replace")
        if "Use: Flash Memory" in text:
            continue
        devices = re.split(r"^\s*Memory Device$", text, flags=re.MULTILINE)[1:]
        sizes = [
            s[1]
            for d in devices
            if (s := re.search(r"^\s*Size: ([0-9]+ .B)$", d.partition("\nHandle")[0], re.MULTILINE))
        ]
        found = list(modules(parse_dmidecode(text)))
        assert len(found) == len(sizes), file.name
        assert len({m.name for m in found}) == len(found), file.name
        assert all(m.size and m.size >= 1 << 29 for m in found), file.name
        for module in found:
            for word in (module.manufacturer, module.part_number, module.serial):
                assert not re.search(
                    r"not spec|unknown|empty|PartNum|Manufacturer|NO DIMM|undefined|--|^0+$", word, re.IGNORECASE
                )
        count += len(found)
    assert count > 120


@given(
    st.builds(
        Evidence,
        st.sampled_from(["tree", "dmidecode", "dmidecode-text"]),
        st.just(""),
        st.binary()
        | st.text("Handle 0x1,DMItype7bsSGize:\n\t ").map(lambda t: (DMIDECODE + t).encode())
        | st.dictionaries(
            st.sampled_from(
                ["/proc/meminfo", f"{EDAC}/ce_count", f"{EDAC}/dimm0/dimm_ce_count", f"{EDAC}/dimm0/dimm_label"]
            ),
            st.text()
            | st.integers().map(str)
            | st.just("MemTotal: 99999999999999999999 kB")
            | st.just({"error": "EIO"}),
        ).map(lambda files: Tree(files).encode()),
        st.just(""),
        st.just(TIME),
    )
)
def test_no_evidence_breaks_it(evidence: Evidence) -> None:
    for thing in PROBE.interpret([evidence]):
        assert type(thing).from_json(json.loads(json.dumps(thing.to_json()))) == thing
