"""What the hardware counts while a test runs, over trees of files as the kernel makes them, which change meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Reading, Severity, Tree, Verdict
from agent.rules import apply
from agent.watch import for_seconds
from agent.watch.counters import WATCHER

TIME = "2026-01-01T00:00:00.000Z"
PORT = "/sys/bus/pci/devices/0000:00:10.0"
# As the kernel prints it (drivers/pci/pcie/aer.c, aer_dev_correctable).
NONE_CORRECTED = "RxErr 0\nBadTLP 0\nBadDLLP 0\nRollover 0\nTimeout 0\nNonFatalErr 0\nCorrIntErr 0\nHeaderOF 0\n"
ONE_CORRECTED = NONE_CORRECTED.replace("RxErr 0", "RxErr 1")
TOTAL = "TOTAL_ERR_COR {}\n"
INTERRUPTS = "            CPU0       CPU1\nMCE:          0          {}   Machine check exceptions\nMCP:  3  3   Polls\n"


def put(root: Path, path: str, text: str) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name("fresh")
    fresh.write_text(text)
    fresh.rename(file)


def healthy(root: Path) -> Path:
    put(root, f"{PORT}/class", "0x060400\n")
    put(root, f"{PORT}/aer_dev_correctable", NONE_CORRECTED + TOTAL.format(0))
    put(root, "/proc/interrupts", INTERRUPTS.format(0))
    put(root, "/sys/devices/system/edac/mc/mc0/ce_count", "4\n")
    put(root, "/sys/devices/system/edac/mc/mc0/dimm0/dimm_ce_count", "4\n")
    put(root, "/sys/devices/system/edac/mc/mc0/dimm0/dimm_label", "DIMM A1\n")
    put(root, "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "2\n")
    put(root, "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_total_time_ms", "10\n")
    put(root, "/sys/class/net/eth0/type", "1\n")
    (root / "sys/class/net/eth0/device").symlink_to("../../../0000:02:00.0")
    put(root, "/sys/class/net/eth0/statistics/rx_crc_errors", "0\n")
    put(root, "/sys/class/net/eth0/carrier_changes", "2\n")
    put(root, "/sys/bus/usb/devices/1-2/devnum", "4\n")
    put(root, "/sys/bus/usb/devices/1-3/devnum", "5\n")
    put(root, "/sys/bus/usb/devices/1-1:1.0/1-1-port2/over_current_count", "0\n")
    for disk, place in (("sda", "pci0000:00/ata1"), ("nvme0n1", "pci0000:00"), ("sdb", "pci0000:00/usb1")):
        put(root, f"/sys/devices/{place}/block/{disk}/diskseq", "9\n")
        (root / "sys/block").mkdir(exist_ok=True)
        (root / f"sys/block/{disk}").symlink_to(f"../devices/{place}/block/{disk}")
    return root


def watched(root: Path, change: Callable[[], None]) -> list[Reading]:
    evidence = []
    for piece in WATCHER.watch(Host(str(root)), for_seconds(0.1)):
        assert isinstance(piece, Evidence)
        evidence.append(piece)
        if len(evidence) == 2:  # all that is looked at before
            change()
    return [r for r in WATCHER.interpret(evidence) if isinstance(r, Reading)]


def values(readings: list[Reading]) -> dict[tuple[str, str], object]:
    return {
        (r.name.removeprefix("counters_watch."), r.subject): r.value for r in readings if not r.name.endswith("counted")
    }


def test_where_nothing_grows_nothing_is_told_but_how_much_was_looked_at(tmp_path: Path) -> None:
    seen = watched(healthy(tmp_path), lambda: None)
    assert values(seen) == {}
    (counted,) = seen
    assert isinstance(counted.value, int)
    assert counted.value >= 8


def test_what_grows_is_told_by_how_much(tmp_path: Path) -> None:
    def grow() -> None:
        put(tmp_path, f"{PORT}/aer_dev_correctable", ONE_CORRECTED + TOTAL.format(1))
        put(tmp_path, "/proc/interrupts", INTERRUPTS.format(2))
        put(tmp_path, "/sys/devices/system/edac/mc/mc0/ce_count", "7\n")
        put(tmp_path, "/sys/devices/system/edac/mc/mc0/dimm0/dimm_ce_count", "7\n")
        put(tmp_path, "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "8\n")
        put(tmp_path, "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_total_time_ms", "1510\n")
        put(tmp_path, "/sys/class/net/eth0/statistics/rx_crc_errors", "60\n")
        put(tmp_path, "/sys/class/net/eth0/carrier_changes", "6\n")
        put(tmp_path, "/sys/bus/usb/devices/1-1:1.0/1-1-port2/over_current_count", "1\n")

    assert values(watched(healthy(tmp_path), grow)) == {
        ("pcie.aer.correctable", "0000:00:10.0"): 1,
        ("pcie.aer.correctable.receiver_error", "0000:00:10.0"): 1,
        ("mce.exceptions", ""): 2,
        ("memory.edac.controller.corrected", "mc0"): 3,
        ("memory.edac.corrected", "mc0/DIMM A1"): 3,
        ("thermals.throttle.package_count", ""): 6,
        ("thermals.throttle.package_time", ""): 1.5,
        ("network.errors.crc", "eth0"): 60,
        ("network.carrier_changes", "eth0"): 4,
        ("usb.port.over_current", "1-1-port2"): 1,
    }


def test_what_went_away_is_told_even_if_it_is_back(tmp_path: Path) -> None:
    def lose() -> None:
        (tmp_path / "sys/bus/usb/devices/1-2/devnum").unlink()
        put(tmp_path, "/sys/bus/usb/devices/1-3/devnum", "6\n")
        put(tmp_path, "/sys/bus/usb/devices/1-4/devnum", "7\n")  # plugged in meanwhile
        (tmp_path / "sys/block/sda").unlink()
        (tmp_path / "sys/block/sdb").unlink()
        put(tmp_path, "/sys/devices/pci0000:00/block/nvme0n1/diskseq", "12\n")

    assert values(watched(healthy(tmp_path), lose)) == {
        ("usb.device.lost", "1-2"): 1,
        ("usb.device.lost", "1-3"): 1,
        ("storage.lost", "sda"): 1,
        ("storage.lost", "nvme0"): 1,
    }


def test_a_counter_that_began_anew_counts_from_there(tmp_path: Path) -> None:
    count = "/sys/devices/system/edac/mc/mc0/ce_count"
    seen = values(watched(healthy(tmp_path), lambda: put(tmp_path, count, "1\n")))
    assert seen == {("memory.edac.controller.corrected", "mc0"): 1}


def test_a_name_made_of_a_mac_address_does_not_leave_the_unit(tmp_path: Path) -> None:
    put(tmp_path, "/sys/class/net/enx001122334455/type", "1\n")
    (tmp_path / "sys/class/net/enx001122334455/device").symlink_to("../../../2-1:1.0")
    gathered = [item for item in WATCHER.watch(Host(str(tmp_path)), for_seconds(0.0)) if isinstance(item, Evidence)]
    assert any(b"/sys/class/net/enx-1/type" in item.data for item in gathered)
    assert not any(b"001122334455" in item.data for item in gathered)


def tree(subject: str, files: dict[str, str]) -> Evidence:
    return Evidence("tree", subject, Tree(files).encode(), "sysfs", TIME)


def test_a_unit_that_went_down_meanwhile_has_no_second_look() -> None:
    assert list(WATCHER.interpret([tree("before", {"/sys/bus/usb/devices/1-2/devnum": "4"})])) == []


numbers = st.text("0123456789-x \n", max_size=25)


@given(st.dictionaries(st.sampled_from(["/proc/interrupts", f"{PORT}/aer_dev_fatal"]), numbers), numbers, numbers)
def test_whatever_the_files_hold_what_grew_is_positive(files: dict[str, str], was: str, now: str) -> None:
    count = "/sys/devices/system/edac/mc/mc0/ce_count"
    for reading in WATCHER.interpret([tree("before", files | {count: was}), tree("after", files | {count: now})]):
        assert isinstance(reading, Reading)
        assert not isinstance(reading.value, str)
        assert reading.value >= 0


def lost(device: str, *more: Reading) -> list[Finding]:
    away = Reading("counters_watch.usb.device.lost", 1, "count", ComponentKind.USB_PORT, device, "sysfs", TIME)
    return list(apply([away, *more]))


def told(name: str, value: str | float, device: str, unit: str = "") -> Reading:
    return Reading(name, value, unit, ComponentKind.USB_PORT, device, "sysfs", TIME)


def test_a_built_in_device_that_went_away_is_a_warning() -> None:
    fixed = told("usb.device.removable", "fixed", "1-2")
    after = told("kernel_log_watch.usb_disconnect.after", 2.5, "1-2", "s")
    (found,) = lost("1-2", fixed, told("usb.device.name", "Camera", "1-2"), after)
    assert (found.code, found.severity, found.verdict) == ("USB-7247", Severity.WARNING, Verdict.UNKNOWN)
    assert found.values == {"device": "Camera"}
    assert [r.name for r in found.evidence] == ["counters_watch.usb.device.lost", after.name, fixed.name]


def test_one_that_a_person_may_have_pulled_out_is_a_note() -> None:
    (found,) = lost("1-2", told("usb.device.removable", "removable", "1-2"))
    assert (found.code, found.severity) == ("USB-7247", Severity.INFO)


@pytest.mark.parametrize(("hub", "device"), [("1-1", "1-1.4"), ("usb1", "1-4")])
def test_what_hangs_on_a_hub_goes_with_it(hub: str, device: str) -> None:
    assert [f.subject for f in lost(device, told("counters_watch.usb.device.lost", 1, hub, "count"))] == [hub]


def test_what_keeps_dropping_out_is_called_so_and_no_more() -> None:
    log = "kernel_log_watch.usb_disconnect"
    times = (told(f"{log}.first_s", 10.0, "1-2", "s"), told(f"{log}.last_s", 40.0, "1-2", "s"))
    assert [f.code for f in lost("1-2", told(f"{log}.count", 8, "1-2", "count"), *times)] == ["USB-7239"]


def test_a_drive_that_went_away_does_not_answer() -> None:
    part = ComponentKind.STORAGE_DEVICE
    away = Reading("counters_watch.storage.lost", 1, "count", part, "sda", "sysfs", TIME)
    silent = Reading("storage.responds", False, "", part, "sda", "smartctl", TIME)
    for readings in ([away], [away, silent], [silent]):
        (found,) = apply(readings)
        assert (found.code, found.subject, found.verdict) == ("DISK-1007", "sda", Verdict.FAIL)
