"""EDIDs out of every layout in which people's programs print bytes, over real EDIDs."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.probes.panel.hex_text import edids, from_hex, has_edid


def lines(data: bytes, each: int, separator: str = " ", prefix: str = "") -> list[str]:
    rows = [data[at : at + each] for at in range(0, len(data), each)]
    return [prefix + separator.join(f"{byte:02x}" for byte in row) for row in rows]


def i2cdump(data: bytes) -> str:
    rows = ["     0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f    0123456789abcdef"]
    for at, row in zip(range(0, len(data), 16), lines(data, 16), strict=True):
        rows.append(f"{at:02x}: {row}    " + "".join(chr(c) if 32 <= c < 127 else "?" for c in data[at : at + 16]))
    return "\n".join(rows)


LAYOUTS: dict[str, Callable[[bytes], str]] = {
    "plain": lambda data: data.hex(),
    "lines": lambda data: "\n".join(lines(data, 16)),
    "edid-decode": lambda data: "edid-decode (hex):\n\n" + "\n".join(lines(data, 16)) + "\n\n-----\n\nBlock 0\n",
    "linuxhw": lambda data: f"\nEDID (hex):\n{data.hex()}\n\nedid-decode (hex):\n\n" + "\n".join(lines(data, 16)),
    "colons": lambda data: "\n".join(lines(data, 16, ":")),
    "windows": lambda data: "\ufeff" + "\r\n".join(lines(data, 16)),
    "C": lambda data: "unsigned char edid[] = {\n  " + ",\n  ".join(lines(data, 8, ", 0x", "0x")) + "\n};\n",
    "Python": lambda data: "edid = (\n    '" + "'\n    '".join(lines(data, 16, "")) + "'\n)\n",
    "registry": lambda data: '[HKEY]\r\n"EDID"=hex:' + ",\\\r\n  ".join(lines(data, 20, ",")) + "\r\n",
    "Xorg": lambda data: "[ 7.1] (II) modeset(0): EDID (in hex):\n" + "\n".join(
        lines(data, 16, "", "[     7.123] (II) modeset(0): \t")
    ) + "\n[ 7.1] (II) modeset(0): Printing probed modes\n",
    "xrandr": lambda data: "eDP-1 connected primary 1920x1080+0+0\n\tEDID: \n" + "\n".join(lines(data, 16, "", "\t\t"))
    + "\n\tBroadcast RGB: Automatic\n",
    "ioreg": lambda data: f'  | "IODisplayEDID" = <{data.hex()}>\n',
    "i2cdump": i2cdump,
}  # fmt: skip
PROGRAMS = {
    "xxd": ("xxd",),
    "xxd -p": ("xxd", "-p"),
    "xxd -i": ("xxd", "-i"),
    "hexdump": ("hexdump",),
    "hexdump -C": ("hexdump", "-C"),
    "od": ("od", "-t", "x1"),
    "od -Ax": ("od", "-A", "x", "-t", "x1z"),
}


@pytest.fixture(scope="module")
def real(shared: Path) -> list[Path]:
    files = sorted((shared / "corpora/edid").glob("*.bin"))
    assert len(files) > 300
    return files


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(real: list[Path], layout: str) -> None:
    for file in real:
        data = file.read_bytes()
        assert from_hex(LAYOUTS[layout](data)) == data, file.name


@pytest.mark.parametrize("program", PROGRAMS)
def test_output_of_programs(real: list[Path], program: str) -> None:
    if shutil.which(PROGRAMS[program][0]) is None:
        pytest.skip(f"{program} is not installed")
    for file in real[::10]:
        printed = subprocess.run([*PROGRAMS[program], str(file)], capture_output=True, check=True, text=True).stdout
        assert from_hex(printed) == file.read_bytes(), file.name


def test_several_displays_are_named_by_their_outputs(real: list[Path]) -> None:
    first, second = (file.read_bytes() for file in real[:2])
    text = LAYOUTS["xrandr"](first) + LAYOUTS["xrandr"](second).replace("eDP-1", "HDMI-2") + "DP-1 disconnected\n"
    assert edids(text) == [("eDP-1", first), ("HDMI-2", second)]
    assert has_edid(text)


def test_a_block_that_was_cut_off(real: list[Path]) -> None:
    data = real[0].read_bytes()[:77]
    assert all(from_hex(layout(data)) == data for layout in LAYOUTS.values() if layout(data).count("\n") > 1)


def test_a_damaged_header_is_no_reason_to_see_nothing() -> None:
    data = bytes([0, 0, 0, 0]) + bytes(range(60, 184))
    assert from_hex("dead beef\n\n----\n" + "\n".join(lines(data, 16))) == data
    assert edids("\n".join(lines(data, 16))) == []
    assert not has_edid("\n".join(lines(data, 16)))


def test_what_the_kernel_says_of_a_bad_block_is_no_dump() -> None:
    assert edids("[    3.2] \t[00] BAD  00 ff ff ff ff ff ff 00 06 af 3d 57 00 00 00 00\n") == []


@given(st.text(max_size=300) | st.text(alphabet="0123456789abcdefX: \n\t*x,\\", max_size=300))
def test_never_raises(text: str) -> None:
    from_hex(text)
    assert has_edid(text) == bool(edids(text))


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_001, "0 " * 500_000, "00ffffffffffff00\n*\nffffff:\n" * 40_000, "edid" * 250_000, "00\n" * 300_000],
    ids=["odd", "digits", "alike", "labels", "short"],
)
def test_a_megabyte_of_nonsense_is_read_in_seconds(text: str) -> None:
    began = time.process_time()
    edids(text)
    assert time.process_time() - began < 5
