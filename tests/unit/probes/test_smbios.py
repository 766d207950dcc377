"""The firmware's tables as bytes, against dmidecode where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.probes._dmi import parse_dmidecode
from agent.probes._modules import modules
from agent.probes._smbios import is_smbios, parse_smbios
from tests import smbios

DMIDECODE = shutil.which("dmidecode", path="/usr/sbin:/usr/bin")
needs_dmidecode = pytest.mark.skipif(DMIDECODE is None, reason="dmidecode is not installed")

SYSTEM = smbios.structure(
    1, 1, bytes([1, 2, 0, 9]) + bytes.fromhex("33221100554477668899aabbccddeeff") + b"\x06", "Hibertek", "AIO 24"
)
MODULE = smbios.structure(
    17,
    2,
    bytes.fromhex("0300 feff 4000 4000 ff7f 0d 00 01 02 22 8000 e015 03 04 00 05 01 00400000 c012 0000 0000 0000"),
    "DIMM A1",
    "BANK 0",
    "Samsung",
    "13579BDF",
    "M425R2GA3BB0-CQKOL",
)


def test_fields_are_named_like_those_of_dmidecode() -> None:
    system, module = parse_smbios(smbios.dump(SYSTEM, MODULE))
    assert (system.handle, system.type, system.title) == (1, 1, "System Information")
    assert system.text("Product Name") == "AIO 24"
    assert system.text("Version") == "Not Specified"
    assert system.text("Serial Number") == "<BAD INDEX>"
    assert system.text("UUID") == "00112233-4455-6677-8899-aabbccddeeff"
    (found,) = modules([module])
    assert (found.name, found.size, found.type) == ("DIMM A1", 16 << 30, "DDR5")
    assert (found.rated_speed, found.speed) == (5_600_000_000, 4_800_000_000)
    assert (found.manufacturer, found.part_number, found.serial) == ("Samsung", "M425R2GA3BB0-CQKOL", "13579BDF")


def test_a_table_without_its_entry_point() -> None:
    whole = smbios.dump(smbios.structure(0, 0, bytes(20)), SYSTEM, MODULE)
    assert is_smbios(whole)
    assert is_smbios(whole[32:])
    assert parse_smbios(whole[32:]) == parse_smbios(whole)


def test_what_was_cut_off_ends_with_what_it_had() -> None:
    whole = smbios.dump(SYSTEM, MODULE)
    assert [s.type for s in parse_smbios(whole[: 32 + len(SYSTEM) + 20])] == [1]


@needs_dmidecode
@pytest.mark.parametrize("options", [(), ("-q",)])
def test_real_dumps_agree_with_dmidecode(shared: Path, options: tuple[str, ...]) -> None:
    assert DMIDECODE
    dumps = sorted((shared / "corpora/dmi").glob("*.bin"))
    assert dumps
    for file in dumps:
        run = subprocess.run([DMIDECODE, *options, "--from-dump", str(file)], capture_output=True, check=True)
        theirs = parse_dmidecode(run.stdout.decode("utf-8", "replace"))
        ours = parse_smbios(file.read_bytes())
        assert list(modules(ours)) == list(modules(theirs))
        named = ("Vendor", "Version", "Release Date", "Manufacturer", "Product Name", "Serial Number", "UUID")
        for type_ in (0, 1, 2, 3):
            pairs = zip((s for s in ours if s.type == type_), (s for s in theirs if s.type == type_), strict=True)
            for mine, other in pairs:
                assert {n: mine.text(n) for n in named} == {n: other.text(n) for n in named}, file.name


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda data: smbios.dump(SYSTEM, data, MODULE)))
def test_never_raises(data: bytes) -> None:
    is_smbios(data)
    for found in parse_smbios(data):
        assert all(isinstance(value, str) for value in found.fields.values())
    list(modules(parse_smbios(data)))
