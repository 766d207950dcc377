"""The heat model, the ACPI tables and the monitoring chip's registers of the virtual all-in-one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bench.hardware import acpi, dme1737, registers
from tests.bench.hardware.heat_model import FULL_RPM, IDLE_W, HeatModel

SWITCHED_OFF_C = 105.0
"""The critical trip point of ``asl/cooling.asl``."""


def plateau(load: float, rpm: float, blocked: float = 1.0) -> float:
    model = HeatModel(25.0, 36.0)
    for _ in range(2000):
        model.step(0.05, load, rpm, blocked)
    return model.temperature


@pytest.mark.parametrize(
    ("load", "rpm", "blocked", "between"),
    [
        (0, 1200, 1, (34, 38)),
        (1, 2400, 1, (56, 60)),
        (0, 1200, 2.6, (50, 56)),
        (1, 2400, 2.6, (97, 101)),
        (0, 0, 1, (52, 58)),
        (1, 0, 1, (99, 104)),
    ],
)
def test_where_it_settles(load: float, rpm: float, blocked: float, between: tuple[float, float]) -> None:
    assert between[0] < plateau(load, rpm, blocked) < between[1]


@pytest.mark.parametrize(("rpm", "blocked"), [(1200, 1.0), (0, 1.0), (2400, 2.6), (2400, 10.0)])
def test_the_processor_protects_itself_before_the_board_switches_off(rpm: float, blocked: float) -> None:
    model = HeatModel(25.0, 36.0)
    assert max(model.step(0.05, 1.0, rpm, blocked) for _ in range(2000)) < SWITCHED_OFF_C


def test_without_load_it_gives_off_its_idle_power() -> None:
    assert (plateau(0.0, FULL_RPM) - 25.0) * 0.9 == pytest.approx(IDLE_W, abs=0.01)


def test_a_load_beyond_all_processors_is_full_load() -> None:
    assert plateau(3.0, FULL_RPM) == plateau(1.0, FULL_RPM)


@pytest.mark.parametrize(("celsius", "tenths"), [(0.0, 2732), (105.0, 3782), (-60.0, 2132), (41.0, 3142)])
def test_temperatures_as_acpi_has_them(celsius: float, tenths: int) -> None:
    assert acpi.decikelvin(celsius) == tenths


@pytest.mark.parametrize(("name", "address"), [("cooling", registers.COOLING), ("backlight", registers.BACKLIGHT)])
def test_the_tables_compile_with_their_registers_in_them(name: str, address: int, tmp_path: Path) -> None:
    if shutil.which("iasl") is None:
        pytest.skip("iasl is not installed")
    words = acpi.table(name, tmp_path, REGISTERS=address)
    compiled = (tmp_path / f"{name}.aml").read_bytes()
    assert words == ["-acpitable", f"file={tmp_path / name}.aml"]
    assert compiled.startswith(b"SSDT")
    assert b"\x0c" + address.to_bytes(4, "little") in compiled  # a dword constant (ACPI 6.5, 20.2.3)


def test_a_table_with_a_mistake_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("iasl") is None:
        pytest.skip("iasl is not installed")
    (tmp_path / "asl").mkdir()
    (tmp_path / "asl" / "wrong.asl").write_text('DefinitionBlock ("", "SSDT", 2, "A", "B", 1) { Nonsense }')
    monkeypatch.setattr(acpi, "SOURCES", tmp_path / "asl")
    with pytest.raises(RuntimeError, match=r"wrong\.asl"):
        acpi.table("wrong", tmp_path)


def test_registers_lie_apart_in_what_the_kernel_leaves_alone() -> None:
    assert registers.RESERVED == "memmap=1024K$0x30000000"
    assert registers.COOLING + 12 <= registers.BACKLIGHT < registers.BASE + registers.SIZE


def read_back(name: str, volts: float) -> float:
    """As the driver computes it (drivers/hwmon/dme1737.c, ``IN_FROM_REG`` with the low byte 0)."""
    ((register, value),) = dme1737.voltage(name, volts).items()
    assert register == dme1737.INPUTS[name][0]
    return (value << 8) * dme1737.INPUTS[name][1] / (3 << 14)


@pytest.mark.parametrize(("name", "volts"), [("+12V", 10.4), ("+12V", 12.06), ("Vbat", 2.1), ("5VSB", 0.0)])
def test_a_voltage_is_read_as_it_was_put(name: str, volts: float) -> None:
    assert read_back(name, volts) == pytest.approx(volts, abs=dme1737.INPUTS[name][1] / 384)


def test_a_voltage_beyond_the_scale_is_its_end() -> None:
    assert dme1737.voltage("+5V", 99.0) == {0x23: 255}


@pytest.mark.parametrize(("rpm", "shown"), [(1200, 1200), (2400, 2400), (83, 83), (0, 0)])
def test_a_fan_is_read_as_it_was_put(rpm: int, shown: int) -> None:
    low, high = dme1737.fan(1, rpm).values()
    count = low | high << 8
    assert (0 if count == 0xFFFF else 90000 * 60 // count) == shown
    assert list(dme1737.fan(2, rpm)) == [0x2A, 0x2B]
