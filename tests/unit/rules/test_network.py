"""What the network's readings mean."""

from __future__ import annotations

import pytest

from agent.catalogue.entry import LANGUAGES, message
from agent.model import Evidence, Finding, Reading, Readings, Severity, Tree, Verdict
from agent.probes.network import PROBE
from agent.rules.network import damaged_packets, drops, switched_off

NET = "/sys/class/net"
WIRED = {f"{NET}/eth0/device": {"link": "../../../0000:01:00.0"}, f"{NET}/eth0/type": "1", f"{NET}/eth0/carrier": "1"}
WIRELESS = {
    f"{NET}/wlan0/device": {"link": "../../../0000:00:14.3"},
    f"{NET}/wlan0/phy80211": {"link": "../../ieee80211/phy0"},
}


def judged(*files: dict[str, object], uptime: float | None = 36000) -> list[Finding]:
    tree: dict[str, object] = {} if uptime is None else {"/proc/uptime": f"{uptime:.2f} 1.00\n"}
    for part in files:
        tree |= part
    evidence = Evidence("tree", "", Tree(tree).encode(), "", "2026-01-01T00:00:00Z")
    readings = Readings(r for r in PROBE.interpret([evidence]) if isinstance(r, Reading))
    return [f for rule in (damaged_packets, drops, switched_off) for f in rule(readings)]


def counted(interface: str, **counts: int) -> dict[str, object]:
    names = {"packets": "statistics/rx_packets", "crc": "statistics/rx_crc_errors", "down": "carrier_down_count"}
    return {f"{NET}/{interface}/{names[what]}": f"{count}\n" for what, count in counts.items()}


def test_healthy_and_unplugged() -> None:
    assert judged(WIRED, counted("eth0", packets=10**7, crc=0, down=2)) == []
    assert judged(WIRED, {f"{NET}/eth0/carrier": "0"}, counted("eth0", packets=0, crc=0, down=3)) == []


@pytest.mark.parametrize(("packets", "crc"), [(0, 100), (10**5, 100), (10**6, 5000)])
def test_damaged_packets(packets: int, crc: int) -> None:
    (finding,) = judged(WIRED, counted("eth0", packets=packets, crc=crc))
    assert (finding.code, finding.subject, finding.component) == ("NET-7408", "eth0", "ethernet")
    assert (finding.verdict, finding.severity) == (Verdict.UNKNOWN, Severity.WARNING)
    assert {r.name for r in finding.evidence} == {"network.errors.crc", "network.packets.rx"}
    for language in LANGUAGES:
        assert str(crc) in message(finding, language)
        assert str(packets + crc) in message(finding, language)


@pytest.mark.parametrize(("packets", "crc"), [(0, 99), (10**5, 99), (10**7, 1000), (2 * 10**6, 200)])
def test_few_damaged_packets_are_no_fault(packets: int, crc: int) -> None:
    assert judged(WIRED, counted("eth0", packets=packets, crc=crc)) == []


def test_damaged_packets_need_their_number_and_a_cable() -> None:
    assert judged(WIRED, counted("eth0", crc=10**6)) == []
    assert judged(WIRELESS, counted("wlan0", packets=10, crc=10**6)) == []


@pytest.mark.parametrize(
    ("interface", "code", "severity"),
    [("eth0", "NET-7419", Severity.WARNING), ("wlan0", "NET-7424", Severity.INFO)],
)
def test_drops(interface: str, code: str, severity: Severity) -> None:
    (finding,) = judged(WIRED, WIRELESS, counted(interface, down=61))
    assert (finding.code, finding.subject, finding.severity) == (code, interface, severity)
    assert finding.verdict is Verdict.UNKNOWN
    assert {r.name for r in finding.evidence} == {"network.carrier_down", "network.uptime"}
    for language in LANGUAGES:
        assert "61" in message(finding, language)


@pytest.mark.parametrize(
    ("down", "uptime", "found"),
    [
        (60, 36000, False),
        (11, 60, False),
        (12, 60, True),
        (12, 3600, True),
        (12, 7201, False),
        (10**6, None, False),
        (10**6, 0, False),
    ],
)
def test_how_often_is_often(down: int, uptime: float | None, found: bool) -> None:
    assert bool(judged(WIRED, counted("eth0", down=down), uptime=uptime)) is found


def switch(name: str, kind: str, *, hard: str, soft: str = "0") -> dict[str, object]:
    return {f"/sys/class/rfkill/{name}/{file}": text for file, text in (("type", kind), ("hard", hard), ("soft", soft))}


def test_switched_off_is_told_once() -> None:
    both = switch("rfkill0", "wlan", hard="1"), switch("rfkill1", "wlan", hard="1")
    (finding,) = judged(WIRELESS, *both)
    assert (finding.code, finding.component, finding.severity) == ("NET-7435", "wifi", Severity.INFO)
    assert finding.verdict is Verdict.UNKNOWN


def test_flight_mode_and_bluetooth_are_nobodys_business() -> None:
    assert judged(WIRELESS, switch("rfkill0", "wlan", hard="0", soft="1")) == []
    assert judged(WIRELESS, switch("rfkill0", "bluetooth", hard="1")) == []
