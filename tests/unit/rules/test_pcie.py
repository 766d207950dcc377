"""From sysfs files to findings about PCIe links."""

from __future__ import annotations

import pytest

from agent.model import Evidence, Finding, Reading, Readings, Severity, Tree, Verdict
from agent.probes.pcie import PROBE
from agent.rules import apply

BUS = "/sys/bus/pci/devices"
PORT, DEVICE = "0000:00:1c.0", "0000:01:00.0"
NVME, GRAPHICS, WIFI = "0x010802", "0x030000", "0x028000"
HOUR = 3600


def link(speed: str, max_speed: str, width: int, max_width: int) -> dict[str, str]:
    return {
        "current_link_speed": f"{speed} GT/s PCIe" if speed != "Unknown" else speed,
        "max_link_speed": f"{max_speed} GT/s PCIe",
        "current_link_width": str(width),
        "max_link_width": str(max_width),
    }


FULL = link("8.0", "8.0", 4, 4)


def judge(
    device: dict[str, str], port: dict[str, str] | None = None, kind: str = NVME, uptime: float = 10 * HOUR
) -> list[Finding]:
    files: dict[str, object] = {
        f"{BUS}/{PORT}": {"link": f"../../../devices/pci0000:00/{PORT}"},
        f"{BUS}/{DEVICE}": {"link": f"../../../devices/pci0000:00/{PORT}/{DEVICE}"},
        f"{BUS}/{PORT}/class": "0x060400",
        f"{BUS}/{DEVICE}/class": kind,
        f"{BUS}/{DEVICE}/vendor": "0x144d",
        f"{BUS}/{DEVICE}/device": "0xa808",
        "/proc/uptime": f"{uptime} 0",
    }
    for address, more in ((DEVICE, device), (PORT, port or {})):
        files |= {f"{BUS}/{address}/{name}": text for name, text in more.items()}
    evidence = Evidence("tree", "", Tree(files).encode(), "test", "2026-01-01T00:00:00Z")
    found = list(apply(Readings(i for i in PROBE.interpret([evidence]) if isinstance(i, Reading))))
    assert all(finding.verdict is Verdict.UNKNOWN for finding in found)
    return found


def codes(found: list[Finding]) -> list[str]:
    return sorted(finding.code for finding in found)


@pytest.mark.parametrize(
    ("device", "port", "expected"),
    [
        (FULL, FULL, []),
        # either end may be the narrower or slower one: no fault
        (link("8.0", "8.0", 2, 4), link("8.0", "8.0", 2, 2), []),
        (link("8.0", "8.0", 2, 2), link("8.0", "16.0", 2, 4), []),
        (link("8.0", "16.0", 4, 4), link("8.0", "8.0", 4, 4), []),
        # lanes or speed were lost
        (link("8.0", "8.0", 2, 4), link("8.0", "8.0", 2, 4), ["BUS-7003"]),
        (link("8.0", "8.0", 1, 4), link("8.0", "8.0", 1, 2), ["BUS-7003"]),
        (link("2.5", "8.0", 4, 4), link("2.5", "8.0", 4, 4), ["BUS-7016"]),
        (link("2.5", "8.0", 1, 4), link("2.5", "8.0", 1, 4), ["BUS-7003", "BUS-7016"]),
        # one end is emulated, or shows nothing that can be
        (link("8.0", "8.0", 2, 4), link("16.0", "16.0", 32, 32), []),
        (link("Unknown", "16.0", 0, 32), link("Unknown", "16.0", 0, 32), []),
        (link("8.0", "8.0", 63, 4), link("8.0", "8.0", 4, 4), []),
        (link("8.0", "8.0", 2, 4), {}, []),
        # asleep
        (link("2.5", "8.0", 1, 4) | {"power_state": "D3hot"}, link("2.5", "8.0", 1, 4), []),
    ],
)
def test_links_of_drives(device: dict[str, str], port: dict[str, str], expected: list[str]) -> None:
    assert codes(judge(device, port)) == expected


def test_what_a_narrow_link_says() -> None:
    [finding] = judge(link("8.0", "8.0", 2, 4), link("8.0", "8.0", 2, 4))
    assert (finding.subject, finding.severity) == (DEVICE, Severity.WARNING)
    assert finding.values == {"device": "144d:a808", "lanes": 2, "possible": 4}
    assert {r.subject for r in finding.evidence} == {DEVICE, PORT}


def test_what_a_slow_link_says() -> None:
    [finding] = judge(link("2.5", "8.0", 4, 4), link("2.5", "16.0", 4, 4))
    assert finding.severity is Severity.INFO
    assert finding.values == {"device": "144d:a808", "percent": 31}


@pytest.mark.parametrize("kind", [GRAPHICS, WIFI])
def test_links_of_other_devices_are_not_judged(kind: str) -> None:
    half = link("2.5", "16.0", 8, 16)
    assert judge(half, half, kind) == []


def test_a_drive_on_the_root_of_the_bus_has_no_other_end() -> None:
    half = link("2.5", "8.0", 1, 4)
    files = {f"{BUS}/{DEVICE}/class": NVME} | {f"{BUS}/{DEVICE}/{name}": text for name, text in half.items()}
    evidence = Evidence("tree", "", Tree(files).encode(), "test", "2026-01-01T00:00:00Z")
    assert list(apply(Readings(i for i in PROBE.interpret([evidence]) if isinstance(i, Reading)))) == []


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        ({"aer_dev_fatal": "TOTAL_ERR_FATAL 0", "aer_dev_nonfatal": "TOTAL_ERR_NONFATAL 0"}, {}),
        ({"aer_dev_fatal": "DLP 1\nTOTAL_ERR_FATAL 1"}, {"BUS-7027": 1}),
        ({"aer_dev_fatal": "TOTAL_ERR_FATAL 2"}, {"BUS-7027": 2}),
        ({"aer_dev_nonfatal": "CmpltTO 3\nUnsupReq 4\nTOTAL_ERR_NONFATAL 7"}, {"BUS-7034": 3}),
        ({"aer_dev_nonfatal": "UnsupReq 4\nACSViol 1\nTOTAL_ERR_NONFATAL 5"}, {}),
    ],
)
def test_uncorrected_errors(counters: dict[str, str], expected: dict[str, int]) -> None:
    assert {f.code: f.values["errors"] for f in judge(FULL | counters, FULL)} == expected


def test_a_fatal_error_is_serious_and_told_once_for_both_ends() -> None:
    device = FULL | {"aer_dev_fatal": "DLP 1\nTOTAL_ERR_FATAL 1"}
    port = FULL | {"aer_dev_fatal": "SDES 4\nTOTAL_ERR_FATAL 4"}
    [finding] = judge(device, port)
    assert (finding.code, finding.subject, finding.values["errors"]) == ("BUS-7027", PORT, 4)
    assert finding.severity is Severity.CRITICAL
    assert {r.subject for r in finding.evidence} == {DEVICE, PORT}


@pytest.mark.parametrize(
    ("errors", "uptime", "expected"),
    [
        ("RxErr 11520", 10 * HOUR, []),
        ("RxErr 11521", 10 * HOUR, ["BUS-7042"]),
        ("RxErr 1152", 60, []),  # judged as if for an hour
        ("RxErr 1153", 60, ["BUS-7042"]),
        ("RxErr 6000\nBadTLP 6000\nTimeout 6000", 10 * HOUR, []),  # one wrong bit counts as several kinds
        ("NonFatalErr 1000000", 10 * HOUR, []),
        ("CorrIntErr 1000000", 10 * HOUR, []),
    ],
)
def test_corrected_errors(errors: str, uptime: float, expected: list[str]) -> None:
    device = FULL | {"aer_dev_correctable": f"{errors}\nTOTAL_ERR_COR 1"}
    assert codes(judge(device, FULL, WIFI, uptime)) == expected


def test_a_slower_link_may_have_fewer_errors() -> None:
    wifi = link("2.5", "2.5", 1, 1) | {"aer_dev_correctable": "BadDLLP 1000\nTOTAL_ERR_COR 1000"}
    [finding] = judge(wifi, link("2.5", "8.0", 1, 1), WIFI)
    assert (finding.code, finding.values["errors"]) == ("BUS-7042", 1000)
    assert {"pcie.link.width", "pcie.uptime"} <= {r.name for r in finding.evidence}


def test_errors_on_a_link_that_is_not_known_are_not_judged() -> None:
    assert judge({"aer_dev_correctable": "RxErr 1000000\nTOTAL_ERR_COR 1000000"}) == []
