"""The tables of the virtual drives, and QEMU's own memory, tried on this process's."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from tests.bench import personality
from tests.bench.hardware.medium import Medium
from tests.bench.hardware.sata import SataDrive
from tests.bench.hardware.sata_smart import READ_FAILURE, ROW, Attribute, AttributeTable, SelfTest
from tests.bench.machine.bus import ECAM, places
from tests.bench.machine.innards import Innards


def test_an_attribute_is_a_row_of_qemus_table() -> None:
    row = Attribute(190, value=69, worst=68, raw=0x1F001F, threshold=50).row()
    assert len(row) == ROW
    numbers = [int.from_bytes(row[at : at + 4], "little") for at in range(0, ROW, 4)]
    assert numbers == [190, 3, 0, 69, 68, 0x1F, 0, 0x1F, 0, 0, 0, 50]


def test_a_self_test_is_an_entry_of_the_drives_log() -> None:
    assert SelfTest(1).entry() == bytes([1, 0, 0x34, 0x12]).ljust(24, b"\0")
    failed = SelfTest(2, READ_FAILURE, hours=300, lba=0x01020304).entry()
    assert failed == bytes([2, 0x79, 44, 1, 0, 4, 3, 2, 1]).ljust(24, b"\0")


def test_the_memory_of_a_process_is_found_read_and_written() -> None:
    mark = os.urandom(32)
    held = ctypes.create_string_buffer(mark + b"before", 64)
    innards = Innards(os.getpid())
    address = ctypes.addressof(held)
    assert address in innards.find(mark)
    innards.write(address + len(mark), b"after!")
    assert innards.read(address, len(mark) + 6) == mark + b"after!" == held.raw[: len(mark) + 6]


def test_a_table_that_is_not_there_is_said() -> None:
    with pytest.raises(LookupError, match="another version"):
        AttributeTable(Innards(os.getpid()))


def test_the_configuration_space_of_each_device() -> None:
    behind = {"bus": 1, "slot": 0, "function": 0, "qdev_id": "nv0"}
    bridge = {"bus": 0, "slot": 16, "function": 0, "qdev_id": "rp0", "pci_bridge": {"devices": [behind]}}
    built_in = {"bus": 0, "slot": 31, "function": 2, "qdev_id": ""}
    assert dict(places([{"devices": [bridge, built_in]}])) == {
        "rp0": ECAM + 0x80000,
        "nv0": ECAM + 0x100000,
        "00:1f.2": ECAM + 0xFA000,
    }


def test_a_medium_is_sparse_and_two_nodes(tmp_path: Path) -> None:
    file, raw = Medium("sata0", tmp_path, size_mib=64).nodes()
    assert (raw["node-name"], raw["file"]) == ("sata0", file["node-name"])
    status = Path(file["filename"]).stat()
    assert status.st_size == 64 << 20
    assert status.st_blocks < 100


def test_a_drive_says_what_its_table_says(tmp_path: Path) -> None:
    words = SataDrive(1, {"model": "WDC X", "serial": "WX1", "rotation_rate": 5400}, tmp_path).arguments()
    assert words[-1] == "ide-hd,bus=ide.1,id=sd1,drive=sata1,model=WDC X,serial=WX1,rotation_rate=5400"


def test_a_personality_can_be_another_one_with_changes() -> None:
    other, plain = personality.load("aio-24-sata"), personality.load("aio-24")
    assert (other.name, other.parts["identity"]) == ("aio-24-sata", plain.parts["identity"])
    assert other.parts["storage"]["nvme"] == plain.parts["storage"]["nvme"]
    assert "sata" in other.parts["storage"]
    assert other.title != plain.title
