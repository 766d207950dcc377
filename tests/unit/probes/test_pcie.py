"""The PCIe probe, from a copy of sysfs to readings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading, Readings, Tree
from agent.probes.pcie import PROBE

TIME = "2026-01-01T00:00:00Z"
BUS = "/sys/bus/pci/devices"
PORT, DRIVE = "0000:00:1c.0", "0000:01:00.0"
LINK = {
    "current_link_speed": "8.0 GT/s PCIe",
    "max_link_speed": "16.0 GT/s PCIe",
    "current_link_width": "4",
    "max_link_width": "4",
}


def add(root: Path, above: str, address: str, files: dict[str, str]) -> None:
    """A device as sysfs has it: a folder below its port, and a link to it from the bus."""
    folder = root / "sys/devices/pci0000:00" / above / address
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    bus = root / BUS.lstrip("/")
    bus.mkdir(parents=True, exist_ok=True)
    (bus / address).symlink_to(Path("../../../devices/pci0000:00") / above / address)


def look(root: Path) -> tuple[Readings, list[Gap], list[Evidence]]:
    evidence: list[Evidence] = []
    gaps: list[Gap] = []
    for item in PROBE.gather(Host(str(root))):
        (gaps if isinstance(item, Gap) else evidence).append(item)
    readings, more = interpret(evidence)
    return readings, gaps + more, evidence


def interpret(evidence: list[Evidence]) -> tuple[Readings, list[Gap]]:
    seen = list(PROBE.interpret(evidence))
    return Readings(i for i in seen if isinstance(i, Reading)), [i for i in seen if isinstance(i, Gap)]


def values(readings: Readings, subject: str) -> dict[str, object]:
    return {r.name.removeprefix("pcie."): r.value for r in readings if r.subject == subject}


def tree(files: dict[str, object]) -> Evidence:
    return Evidence("tree", "", Tree(files).encode(), "test", TIME)


def test_a_drive_and_its_port(tmp_path: Path) -> None:
    add(tmp_path, "", PORT, {"vendor": "0x8086", "device": "0xa33c", "class": "0x060400"} | LINK)
    drive = {"vendor": "0x144d", "device": "0xa808", "class": "0x010802", "enable": "1", "power_state": "D0"}
    add(tmp_path, PORT, DRIVE, drive | LINK)
    (tmp_path / "sys/devices/pci0000:00" / PORT / DRIVE / "driver").symlink_to("../../../../bus/pci/drivers/nvme")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/uptime").write_text("7200.50 100.00\n")
    readings, gaps, _ = look(tmp_path)
    assert values(readings, DRIVE) == {
        "id": "144d:a808",
        "class": "0x010802",
        "driver": "nvme",
        "enabled": True,
        "power_state": "D0",
        "parent": PORT,
        "link.speed": 8e9,
        "link.max_speed": 16e9,
        "link.width": 4,
        "link.max_width": 4,
    }
    assert "parent" not in values(readings, PORT)
    assert readings.number("pcie.uptime") == 7200.5
    units = {r.name: r.unit for r in readings if r.subject == DRIVE}
    assert (units["pcie.link.speed"], units["pcie.link.width"]) == ("transfers/s", "count")
    assert [(g.subject, g.outcome, g.essential) for g in gaps] == [
        ("names", Outcome.UNSUPPORTED, False),
        ("counters", Outcome.UNSUPPORTED, False),
    ]


def test_a_sleeping_device_is_not_asked_for_its_link(tmp_path: Path) -> None:
    add(tmp_path, "", PORT, {"vendor": "0x8086", "device": "0xa33c", "power_state": "D3cold"} | LINK)
    readings, gaps, evidence = look(tmp_path)
    assert not any("link_" in path for e in evidence for path in e.tree().files)
    assert values(readings, PORT) == {"id": "8086:a33c", "power_state": "D3cold"}
    assert [g.essential for g in gaps if g.subject == ""] == [True]


def test_names_are_those_of_udev() -> None:
    names = {DRIVE: {"ID_VENDOR_FROM_DATABASE": "Samsung", "ID_MODEL_FROM_DATABASE": "SM981\nNVMe"}, "x": 1}
    udev = Evidence("udev", "pci", json.dumps(names).encode(), "pyudev", TIME)
    files = tree({f"{BUS}/{DRIVE}/vendor": "0x144d\n", f"{BUS}/{DRIVE}/device": "0xa808\n"})
    readings, _ = interpret([files, udev])
    assert values(readings, DRIVE) == {"id": "144d:a808", "name": "Samsung SM981 NVMe"}


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("current_link_speed", "2.5 GT/s PCIe", {"link.speed": 2.5e9}),
        ("current_link_speed", "8 GT/s", {"link.speed": 8e9}),
        ("current_link_speed", "64.0 GT/s PCIe", {"link.speed": 64e9}),
        ("current_link_speed", "Unknown", {}),
        ("current_link_speed", "Unknown speed", {}),
        ("current_link_speed", "66 MHz PCI", {}),
        ("current_link_speed", "9.9 GT/s PCIe", {}),
        ("current_link_width", "32", {"link.width": 32}),
        ("current_link_width", "0", {}),
        ("current_link_width", "63", {}),
        ("max_link_width", "255", {}),
        ("max_link_width", "9" * 5000, {}),
        ("enable", "0", {"enabled": False}),
        ("class", "garbage", {}),
        ("vendor", "-1", {}),
    ],
)
def test_what_cannot_be_is_no_reading(file: str, text: str, expected: dict[str, object]) -> None:
    readings, _ = interpret([tree({f"{BUS}/{DRIVE}/{file}": text, f"{BUS}/{DRIVE}/device": "0xa808"})])
    assert values(readings, DRIVE) == expected


def test_error_counters_in_both_spellings_of_the_kernel() -> None:
    new = "RxErr 2\nBadTLP 0\nTimeout 5\nTOTAL_ERR_COR 4\n"
    old = "Receiver Error 2\nBad TLP 0\nReplay Timer Timeout 5\nTOTAL_ERR_COR 4\n"
    expected = {"aer.correctable": 4, "aer.correctable.receiver_error": 2, "aer.correctable.replay_timer_timeout": 5}
    for text in (new, old):
        readings, _ = interpret([tree({f"{BUS}/{PORT}/aer_dev_correctable": text})])
        assert values(readings, PORT) == expected


def test_error_counters_of_all_severities() -> None:
    files: dict[str, object] = {
        f"{BUS}/{PORT}/aer_dev_fatal": "SDES 1\nECRC 3\ndev_fatal_errs_bit[27] 7\nTOTAL_ERR_FATAL 1\n",
        f"{BUS}/{PORT}/aer_dev_nonfatal": "UnsupReq 9\nTOTAL_ERR_NONFATAL 9\n",
        f"{BUS}/{PORT}/aer_rootport_total_err_cor": "12\n",
        f"{BUS}/{PORT}/aer_rootport_total_err_fatal": "0\n",
        f"{BUS}/{PORT}/aer_rootport_total_err_nonfatal": "cut",
    }
    assert values(interpret([tree(files)])[0], PORT) == {
        "aer.fatal": 1,
        "aer.fatal.surprise_down_error": 1,
        "aer.fatal.ecrc": 3,
        "aer.fatal.dev_fatal_errs_bit_27": 7,
        "aer.nonfatal": 9,
        "aer.nonfatal.unsupported_request": 9,
        "aer.port.correctable": 12,
        "aer.port.fatal": 0,
    }


def test_captured_counters_and_link(shared: Path) -> None:
    """A graphics card, from the fixture of prometheus/procfs."""
    folder = shared / "corpora/sensors/procfs-sysfs/fixtures/sys/class/drm/card0/device"
    files = {f"{BUS}/{DRIVE}/{file.name}": file.read_text() for file in folder.iterdir() if file.is_file()}
    readings, gaps = interpret([tree(dict(files))])
    found = values(readings, DRIVE)
    assert (found["link.speed"], found["link.width"], found["link.max_width"]) == (8e9, 16, 16)
    assert (found["aer.correctable"], found["aer.nonfatal"], found["aer.fatal"]) == (0, 0, 0)
    assert gaps == []


def test_nothing_at_all_is_unsupported(tmp_path: Path) -> None:
    readings, gaps, _ = look(tmp_path)
    assert list(readings) == []
    assert [(g.outcome, g.essential, str(g.reason)) for g in gaps] == [
        (Outcome.UNSUPPORTED, True, "no such hardware"),
    ]


def test_a_bus_without_links_is_unsupported() -> None:
    """As in a virtual machine, where the devices are parts of the root complex."""
    _, gaps = interpret([tree({f"{BUS}/{PORT}/vendor": "0x1af4", f"{BUS}/{PORT}/device": "0x1041"})])
    assert [(g.outcome, g.essential) for g in gaps] == [(Outcome.UNSUPPORTED, True)]


CONTENT = st.one_of(
    st.sampled_from(["0x8086", "8.0 GT/s PCIe", "4", "D0", "RxErr 5\nTOTAL_ERR_COR 5", "TLP " + "9" * 19, "9" * 5000]),
    st.text("ab09-+. ,\n\0é\ud800", max_size=12),
    st.integers(),
    st.none(),
    st.fixed_dictionaries({"link": st.sampled_from([f"../{PORT}/{DRIVE}", "/", "", "\ud800/x"])}),
    st.fixed_dictionaries({"error": st.sampled_from(["EIO", ""])}),
)
FILES = ["vendor", "device", "class", "enable", "power_state", "driver", *LINK, "aer_dev_correctable", "aer_dev_fatal"]
PATHS = st.sampled_from([f"{BUS}/{DRIVE}", "/proc/uptime", *(f"{BUS}/{DRIVE}/{file}" for file in FILES)])
NAMES = st.dictionaries(
    st.sampled_from([DRIVE, "x"]),
    st.dictionaries(st.sampled_from(["ID_MODEL_FROM_DATABASE", "y"]), CONTENT) | st.none() | st.text(max_size=3),
)


@given(
    st.one_of(st.dictionaries(PATHS, CONTENT), NAMES).map(lambda data: json.dumps(data).encode())
    | st.binary(max_size=100),
    st.sampled_from(["tree", "udev", "other"]),
)
def test_any_evidence_is_interpreted(data: bytes, kind: str) -> None:
    alone = Evidence(kind, "x", data, "test", TIME)
    known = tree({f"{BUS}/{DRIVE}/vendor": "0x144d", f"{BUS}/{DRIVE}/device": "0xa808"})
    for item in [*PROBE.interpret([alone]), *PROBE.interpret([known, alone])]:
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
