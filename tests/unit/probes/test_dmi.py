from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.probes._dmi import parse_dmidecode
from agent.probes._structure import Structure

NOW = """# dmidecode 3.6
Getting SMBIOS data from sysfs.
SMBIOS 3.0.0 present.

Handle 0x0040, DMI type 17, 40 bytes
Memory Device
\tArray Handle: 0x003F
\tSize: 8 GB
\tLocator: ChannelA-DIMM0
\tPart Number: M471A1K43CB1-CRC
\tAsset Tag:

Handle 0x0001, DMI type 13, 22 bytes
BIOS Language Information
\tInstallable Languages: 2
\t\ten|US|iso8859-1
\t\tzh|TW|unicode
\tCurrently Installed Language: en|US|iso8859-1
"""
OLD = """# dmidecode 2.6
Handle 0x0011
        DMI type 17, 21 bytes.
        Memory Device
                Size: 128 MB
                Characteristics:
                        Parity
"""


def test_fields_are_text_and_lists() -> None:
    module, language = parse_dmidecode(NOW)
    assert (module.handle, module.type, module.title) == (0x40, 17, "Memory Device")
    assert module.text("Part Number") == "M471A1K43CB1-CRC"
    assert module.text("Asset Tag") == module.text("Voltage") == ""
    assert language.lines("Installable Languages") == ["en|US|iso8859-1", "zh|TW|unicode"]
    assert language.lines("Currently Installed Language") == []
    assert language.text("Installable Languages") == ""


def test_the_layout_of_old_versions() -> None:
    assert parse_dmidecode(OLD) == (
        Structure(0x11, 17, "Memory Device", {"Size": "128 MB", "Characteristics": ["Parity"]}),
    )


def test_text_that_was_cut_keeps_what_it_had() -> None:
    cut = NOW[: NOW.index("8 GB") + 3]
    assert parse_dmidecode(cut)[0].text("Size") == "8 G"
    assert parse_dmidecode("/dev/mem: Permission denied\n") == ()


def test_every_structure_of_every_capture_is_found(shared: Path) -> None:
    files = sorted((shared / "corpora/dmi").glob("*.txt"))
    assert len(files) > 80
    for file in files:
        text = file.read_text("utf-8", errors="replace")
        found = parse_dmidecode(text)
        assert [f"0x{s.handle:04X}" for s in found] == re.findall(r"^\s*Handle (0x[0-9A-F]+)", text, re.MULTILINE)
        assert all(s.title for s in found), file.name
        devices = re.findall(r"^\s*Memory Device$", text, re.MULTILINE)
        assert len([s for s in found if s.type == 17]) == len(devices), file.name


@given(st.text() | st.text("Handle 0x1,DMItype7bs:\n\t ").map(lambda t: "Handle 0x1, DMI type 17, 4 bytes\n" + t))
def test_no_text_breaks_it(text: str) -> None:
    for structure in parse_dmidecode(text):
        assert 0 <= structure.type <= 999
        for name in structure.fields:
            assert bool(structure.text(name)) + bool(structure.lines(name)) <= 1


def test_quiet_output_has_no_handles() -> None:
    quiet = "# dmidecode 3.4\nSystem Information\n\tManufacturer: HP\n\tSerial Number: 5CD1234XYZ\n\n"
    quiet += "OEM Strings\n\tString 1: x\n\nMemory Device\n\tSize: 8 GB\n\tLocator: DIMM1\n"
    system, module = parse_dmidecode(quiet)
    assert (system.type, system.text("Serial Number")) == (1, "5CD1234XYZ")
    assert (module.type, module.text("Size")) == (17, "8 GB")


def test_lines_ended_by_windows_and_a_byte_order_mark() -> None:
    assert parse_dmidecode("\ufeff" + NOW.replace("\n", "\r\n")) == parse_dmidecode(NOW)
