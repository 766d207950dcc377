"""From sysfs files to findings about USB."""

from __future__ import annotations

import pytest

from agent.model import ComponentKind, Evidence, Finding, Reading, Readings, Severity, Tree, Verdict
from agent.probes.usb import PROBE
from agent.rules import apply

BUS = "/sys/bus/usb/devices"


def judge(files: dict[str, object]) -> list[Finding]:
    evidence = Evidence("tree", "", Tree(files).encode(), "test", "2026-01-01T00:00:00Z")
    found = list(apply(Readings(i for i in PROBE.interpret([evidence]) if isinstance(i, Reading))))
    assert all(finding.verdict is Verdict.UNKNOWN for finding in found)
    return found


def port(name: str, count: int, connection: str = "hotplug") -> dict[str, object]:
    path = f"{BUS}/1-0:1.0/{name}"
    return {f"{path}/over_current_count": str(count), f"{path}/connect_type": connection}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (port("usb1-port1", 0), []),
        (port("usb1-port1", 1), ["USB-7205"]),
        (port("usb1-port1", 1, "unknown"), ["USB-7205"]),
        (port("usb1-port1", 9, "not used"), []),
        (port("usb1-port6", 1, "hardwired"), ["USB-7218"]),
        (port("usb1-port6", 0, "hardwired") | port("usb1-port1", 1), ["USB-7205"]),
        (port("usb1-port6", 1, "hardwired") | port("usb1-port1", 1), ["USB-7205"]),  # boards sense them together
        ({f"{BUS}/1-0:1.0/usb1-port6/over_current_count": "1"}, ["USB-7205"]),
        # ports of a customer's own hub are no part of the unit; those of a built-in one are
        (port("1-2-port1", 5) | {f"{BUS}/1-2/removable": "removable"}, []),
        (port("1-2-port1", 5) | {f"{BUS}/1-2/removable": "fixed"}, ["USB-7205"]),
        (port("1-2-port1", 5) | {f"{BUS}/1-2/removable": "unknown"}, ["USB-7205"]),
    ],
)
def test_overloads(files: dict[str, object], expected: list[str]) -> None:
    assert [finding.code for finding in judge(files)] == expected


def test_one_finding_for_all_ports() -> None:
    [finding] = judge(port("usb1-port1", 2) | port("usb2-port1", 3) | port("usb1-port2", 0))
    assert (finding.subject, finding.severity) == ("usb2-port1", Severity.WARNING)
    assert finding.values == {"ports": "usb1-port1, usb2-port1", "count": 3}
    assert {r.subject for r in finding.evidence} == {"usb1-port1", "usb2-port1"}


def test_an_overload_by_what_is_built_in_is_serious() -> None:
    [finding] = judge(port("usb1-port6", 1, "hardwired"))
    assert finding.severity is Severity.CRITICAL


def device(version: str, speed: str, ports: str = "0") -> dict[str, object]:
    path = f"{BUS}/1-2"
    return {
        f"{path}/version": version,
        f"{path}/speed": speed,
        f"{path}/maxchild": ports,
        f"{path}/idVendor": "0781",
        f"{path}/idProduct": "5581",
        f"{BUS}/1-0:1.0/usb1-port2/over_current_count": "0",
        f"{BUS}/1-0:1.0/usb1-port2/peer": {"link": "../../../usb2/2-0:1.0/usb2-port2"},
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (device("3.20", "5000"), []),
        (device("3.00", "480"), ["USB-7226"]),
        (device("3.00", "12"), ["USB-7226"]),
        (device("2.10", "480"), []),
        (device("3.00", "unknown"), []),
        (device("3.00", "480", ports="4"), []),
        # the connector is one for USB 2 only
        (device("3.00", "480") | {f"{BUS}/1-0:1.0/usb1-port2/peer": None}, []),
    ],
)
def test_devices_below_their_speed(files: dict[str, object], expected: list[str]) -> None:
    found = judge(files)
    assert [finding.code for finding in found] == expected
    assert all(f.values == {"device": "0781:5581"} and f.severity is Severity.INFO for f in found)


def drops(device: str, count: int, first_s: float = 100, last_s: float = 160) -> list[Reading]:
    values = {"count": count, "first_s": first_s, "last_s": last_s}
    named = {f"kernel_log.usb_disconnect.{name}": value for name, value in values.items()}
    return [Reading(name, value, "s", ComponentKind.USB_PORT, device, "dmesg", "") for name, value in named.items()]


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        (drops("1-2", 5), []),
        (drops("1-2", 6), ["1-2"]),
        (drops("1-2", 6, 100, 100), ["1-2"]),
        (drops("1-2", 6, 0, 1501), []),  # a plug that is pulled and put in now and then
        (drops("1-2", 6, 0, 1500), ["1-2"]),
        (drops("1-2", 6, 160, 100), []),  # a clock that went back says nothing
        (drops("1-2", 6)[:1], []),  # a log without times neither
        (drops("", 6), []),
        (drops("1-1", 6) + drops("1-1.4", 6) + drops("1-1.4.1", 6), ["1-1"]),
        (drops("1-1", 1) + drops("1-1.4", 6), ["1-1.4"]),
        (drops("1-1", 6) + drops("1-10", 7), ["1-1", "1-10"]),
    ],
)
def test_devices_that_keep_dropping_out(readings: list[Reading], expected: list[str]) -> None:
    assert [(f.code, f.subject) for f in apply(Readings(readings))] == [("USB-7239", device) for device in expected]


@pytest.mark.parametrize(("connection", "confidence"), [("hardwired", 0.5), ("hotplug", 0.3), (None, 0.3)])
def test_what_is_built_in_is_not_pulled_out_by_a_person(connection: str | None, confidence: float) -> None:
    hangs = [
        Reading("usb.device.port", "usb1-port2", "", ComponentKind.USB_PORT, "1-2", "sysfs", ""),
        Reading("usb.port.connection", connection or "unknown", "", ComponentKind.USB_PORT, "usb1-port2", "sysfs", ""),
    ]
    [finding] = apply(Readings(drops("1-2", 8, 10, 160) + (hangs if connection else [])))
    assert (finding.confidence, finding.verdict) == (confidence, Verdict.UNKNOWN)
    assert finding.values == {"count": 8, "minutes": 3}
