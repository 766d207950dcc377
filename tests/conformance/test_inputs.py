"""Every kind of input keeps the contract of ``agent.diagnose.inputs._input.Input``."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.diagnose.capture import Capture
from agent.diagnose.capture_file import encode
from agent.diagnose.files import InputRefused
from agent.diagnose.inputs import kinds, load, read
from tests import smbios
from tests.device import Device


def bundle(folder: Path) -> bytes:
    return Device(folder, "AIO24-0001").bundle(None).path.read_bytes()


def capture(folder: Path) -> bytes:
    return encode(Capture({}, (), ()))


def smartctl_text(folder: Path) -> bytes:
    return (
        b"smartctl 7.3 2022-02-28 r5338 [x86_64-linux-6.1.0] (local build)\n\n"
        b"=== START OF INFORMATION SECTION ===\nDevice Model:     ST1000LM035-1RK172\n\n"
        b"=== START OF READ SMART DATA SECTION ===\n"
        b"SMART overall-health self-assessment test result: PASSED\n"
    )


def smartctl_json(folder: Path) -> bytes:
    head = {"json_format_version": [1, 0], "smartctl": {"version": [7, 3], "exit_status": 0}}
    return json.dumps(head | {"device": {"name": "/dev/sda"}, "smart_status": {"passed": True}}).encode()


def kernel_log(folder: Path) -> bytes:
    return (
        b"[    1.5] ata1: SATA link down (SStatus 0 SControl 300)\n[   12.5] critical medium error, dev sda, sector 8\n"
    )


def edid(folder: Path) -> bytes:
    block = bytes.fromhex("00ffffffffffff00 0dae4027 78563412 0c21 0104 a5351e78").ljust(127, b"\x01")
    return block + bytes([-sum(block) % 256])


def dmidecode(folder: Path) -> bytes:
    return b"""# dmidecode 3.4
Getting SMBIOS data from sysfs.
SMBIOS 3.3.0 present.

Handle 0x0001, DMI type 1, 27 bytes
System Information
\tManufacturer: Hibertek
\tProduct Name: AIO 24
\tSerial Number: HB24B1206000093
"""


def smbios_dump(folder: Path) -> bytes:
    return smbios.dump(
        smbios.structure(0, 0, bytes([1, 2, 0, 0, 3, 0]) + bytes(12), "AMI", "1.2", "03/14/2026"),
        smbios.structure(1, 1, bytes([1, 2, 0, 3]) + bytes(16), "Hibertek", "AIO 24", "HB24B1206000093"),
    )


def sensors_text(folder: Path) -> bytes:
    return "coretemp-isa-0000\nAdapter: ISA adapter\nCore 0:  +45.0°C  (crit = +100.0°C)\n".encode()


def sensors_json(folder: Path) -> bytes:
    return b"""{
   "coretemp-isa-0000":{
      "Adapter": "ISA adapter",
      "Core 0":{
         "temp2_input": 45.000,
         "temp2_crit": 100.000,
      }
   }
}
"""


SAMPLES: dict[str, Callable[[Path], bytes]] = {
    "bundle": bundle,
    "capture": capture,
    "dmidecode": dmidecode,
    "edid": edid,
    "kernel-log": kernel_log,
    "sensors-json": sensors_json,
    "sensors-text": sensors_text,
    "smartctl-json": smartctl_json,
    "smartctl-text": smartctl_text,
    "smbios-dump": smbios_dump,
}
"""A good one of each kind; a new kind brings one."""


def test_every_kind_has_a_sample() -> None:
    assert set(SAMPLES) == set(kinds())


def test_no_other_kind_is_one() -> None:
    with pytest.raises(KeyError):
        load("_input")


@pytest.mark.parametrize("kind", kinds())
def test_it_says_who_it_is(kind: str) -> None:
    assert load(kind).name == kind


@pytest.mark.parametrize("kind", kinds())
def test_its_sample_is_of_its_kind_and_of_no_other(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(SAMPLES[kind](tmp_path))
    assert [other for other in kinds() if load(other).recognises(file.read_bytes())] == [kind]
    found, given_capture = read(file)
    assert found == kind
    assert isinstance(given_capture, Capture)


@pytest.mark.parametrize("kind", kinds())
def test_no_content_makes_it_raise_anything_but_a_refusal(kind: str, tmp_path: Path) -> None:
    sample, file = SAMPLES[kind](tmp_path), tmp_path / "file"

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.binary(max_size=200), at=st.floats(0, 1), cut=st.integers(0, 50))
    def check(data: bytes, at: float, cut: int) -> None:
        middle = int(at * len(sample))
        for content in (data, sample[:middle], sample[:middle] + data + sample[middle + cut :]):
            load(kind).recognises(content)
            file.write_bytes(content)
            with contextlib.suppress(InputRefused):
                assert isinstance(load(kind).read(file), Capture)

    check()


@pytest.mark.parametrize("kind", [None, *kinds()])
@pytest.mark.parametrize("what", ["nowhere", ".", "pipe", "empty"])
def test_what_is_no_plain_file(what: str, kind: str | None, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(InputRefused):
        read(tmp_path / what, kind)
