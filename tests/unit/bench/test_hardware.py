"""The tables and encoders of the virtual hardware, against tools that are not ours."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bench import personality
from tests.bench.hardware.identity import ALL_IN_ONE, Identity, chassis_structure, module_structure
from tests.bench.hardware.panel import another_panel
from tests.bench.image import panel_module
from tests.bench.machine import Ram


def test_the_chassis_is_an_all_in_one() -> None:
    data = chassis_structure({"manufacturer": "Hibertek", "serial": "CH1"})
    assert (data[0], data[1], data[5]) == (3, 22, ALL_IN_ONE)
    formatted, strings = data[: data[1]], data[data[1] :]
    assert strings == b"Hibertek\0CH1\0\0"
    assert (formatted[4], formatted[6], formatted[7]) == (1, 0, 2)  # manufacturer, no version, serial


def test_a_chassis_without_any_text_ends_as_the_standard_wants() -> None:
    assert chassis_structure({})[22:] == b"\0\0"


def test_a_module_says_what_it_is() -> None:
    fields = {"mib": 1024, "speed": 3200, "locator": "DIMM A", "part": "M471"}
    data = module_structure(1, fields)
    formatted, strings = data[: data[1]], data[data[1] :]
    assert (data[0], data[1], strings) == (17, 40, b"DIMM A\0M471\0\0")
    size, speed, configured = (int.from_bytes(formatted[at : at + 2], "little") for at in (0x0C, 0x15, 0x20))
    assert (size, speed, configured) == (1024, 3200, 3200)
    assert (formatted[0x10], formatted[0x11], formatted[0x1A]) == (1, 0, 2)  # locator, no bank, part number


def test_commas_in_a_text_are_doubled_for_qemu(tmp_path: Path) -> None:
    words = Identity({"system": {"product": "AIO, 24"}}, tmp_path).arguments()
    assert "type=1,product=AIO,, 24" in words


def test_the_other_panel_is_sound(tmp_path: Path) -> None:
    program = shutil.which("edid-decode")
    if program is None:
        pytest.skip("edid-decode is not installed")
    (tmp_path / "edid").write_bytes(another_panel())
    done = subprocess.run(
        [program, "--check", str(tmp_path / "edid")], check=False, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0
    assert "Manufacturer: AUO" in done.stdout
    assert "EDID conformity: PASS" in done.stdout


def module(constants: int) -> bytes:
    signature = b"s" * 40
    info = b"\1\0\2\0\0\0\0\0" + len(signature).to_bytes(4, "big")
    code = b"\x90" * 8 + b"\xb9\x0f\0\0\0" * constants
    return code + signature + info + b"~Module signature appended~\n"


def test_the_connector_becomes_edp_and_the_signature_goes(tmp_path: Path) -> None:
    file = tmp_path / "bochs.ko"
    file.write_bytes(module(1))
    panel_module.patch(file)
    assert file.read_bytes() == b"\x90" * 8 + b"\xb9\x0e\0\0\0"


@pytest.mark.parametrize("constants", [0, 2])
def test_a_module_that_is_not_understood_is_left_alone(tmp_path: Path, constants: int) -> None:
    file = tmp_path / "bochs.ko"
    file.write_bytes(module(constants))
    with pytest.raises(ValueError, match="not once"):
        panel_module.patch(file)
    assert file.read_bytes() == module(constants)


def test_the_guests_memory_is_a_file(tmp_path: Path) -> None:
    ram = Ram(tmp_path / "ram", 1 << 20)
    ram.write_u32(0x100, 3031)
    assert ram.read_u32(0x100) == 3031
    assert ram.find((3031).to_bytes(4, "little")) == [0x100]
    ram.close()
    assert (tmp_path / "ram").read_bytes()[0x100:0x104] == (3031).to_bytes(4, "little")


@pytest.mark.parametrize("name", personality.names())
def test_every_personality_is_understood(name: str) -> None:
    loaded = personality.load(name)
    assert loaded.title
    assert loaded.parts["identity"]["system"]["product"]


def test_changes_reach_two_levels_and_leave_the_rest() -> None:
    before = personality.load("aio-24")
    after = before.with_changes({"identity": {"system": {"serial": "X"}}, "clock": {"base": "2001-01-01"}})
    assert after.parts["identity"]["system"] == {**before.parts["identity"]["system"], "serial": "X"}
    assert after.parts["clock"] == {"base": "2001-01-01"}
    assert before == personality.load("aio-24")


def test_an_unknown_personality_is_a_key_error() -> None:
    with pytest.raises(KeyError, match=re.escape("aio-25")):
        personality.load("aio-25")
