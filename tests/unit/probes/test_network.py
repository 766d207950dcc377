"""The network probe, from a copy of sysfs and what iw prints to readings, and nothing that names a person."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, Evidence, Gap, Outcome, Reading, Readings
from agent.probes.network import PROBE
from agent.tools import PROGRAMS, Program, Result, run

TIME = "2026-01-01T00:00:00Z"
NET = "/sys/class/net"
WIRED = {
    "type": "1",
    "uevent": "INTERFACE=eth0\nIFINDEX=2",
    "flags": "0x1003",
    "operstate": "up",
    "carrier": "1",
    "carrier_changes": "4",
    "carrier_down_count": "2",
    "speed": "1000",
    "duplex": "full",
    "mtu": "1500",
    "address": "00:11:22:33:44:55",
    "statistics/rx_packets": "120000",
    "statistics/rx_errors": "3",
    "statistics/tx_errors": "0",
    "statistics/rx_crc_errors": "2",
    "statistics/rx_dropped": "7",
    "statistics/collisions": "0",
}
WIRELESS = {
    "type": "1",
    "uevent": "DEVTYPE=wlan\nINTERFACE=wlan0\nIFINDEX=3",
    "flags": "0x1003",
    "operstate": "up",
    "carrier": "1",
    "address": "66:77:88:99:aa:bb",
}
# iw 5.19 and 6.9; addresses and names planted
IW_LINK = """Connected to 12:34:56:78:9a:bc (on wlan0)
\tSSID: Garcia Family
\tfreq: 5220
\tRX: 696983281 bytes (260653 packets)
\tTX: 8706230 bytes (65289 packets)
\tsignal: -57 dBm
\trx bitrate: 585.0 MBit/s VHT-MCS 7 80MHz VHT-NSS 2
\ttx bitrate: 866.7 MBit/s VHT-MCS 9 80MHz short GI VHT-NSS 2

\tbss flags: short-slot-time
\tdtim period: 1
\tbeacon int: 100
"""
PLANTED = ("Garcia", "12:34:56", "66:77:88", "00:11:22", "001122334455", "66778899aabb")


class Copied(Host):
    """A copy of sysfs with programs of this machine."""

    def run(self, program: str, *args: str, timeout_s: float) -> Result:
        return run(program, args, timeout_s=timeout_s)


def add(root: Path, name: str, files: dict[str, str], device: str = "../../../0000:01:00.0") -> None:
    base = root / f"sys/class/net/{name}"
    for path, text in files.items():
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_text(text.replace("eth0", name).replace("wlan0", name) + "\n")
    if device:
        target = root / "sys/devices" / device.rpartition("/")[2]
        target.mkdir(parents=True, exist_ok=True)
        (target / "vendor").write_text("0x10ec\n")
        (target / "device").write_text("0x8168\n")
        if not (target / "driver").is_symlink():
            (target / "driver").symlink_to("../../../../bus/pci/drivers/r8169")
        (base / "device").symlink_to(os.path.relpath(target, base))
    if "DEVTYPE=wlan" in files.get("uevent", ""):
        (base / "phy80211").symlink_to("../../ieee80211/phy0")


def add_switch(root: Path, name: str, **files: str) -> None:
    folder = root / "sys/class/rfkill" / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text + "\n")


def gather(host: Host) -> tuple[list[Evidence], list[Gap]]:
    items = list(PROBE.gather(host))
    return [i for i in items if isinstance(i, Evidence)], [i for i in items if isinstance(i, Gap)]


def look(host: Host) -> tuple[Readings, list[Component], list[Gap]]:
    evidence, gaps = gather(host)
    seen = list(PROBE.interpret(evidence))
    readings = Readings(item for item in seen if isinstance(item, Reading))
    gaps += [item for item in seen if isinstance(item, Gap)]
    return readings, [item for item in seen if isinstance(item, Component)], gaps


def values(readings: Readings, subject: str) -> dict[str, object]:
    return {r.name.removeprefix("network."): r.value for r in readings if r.subject == subject}


@pytest.fixture
def iw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that prints what the file beside it holds, in place of iw."""
    output, program = tmp_path / "iw.txt", tmp_path / "iw"
    output.write_text(IW_LINK)
    program.write_text(f"#!/bin/sh\ncat {output}\n")
    program.chmod(0o755)
    monkeypatch.setitem(PROGRAMS, "iw", Program((str(program),), "iw", "Wi-Fi link"))
    return program


def test_a_wired_interface(tmp_path: Path) -> None:
    add(tmp_path, "eth0", WIRED)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/uptime").write_text("7200.50 100.00\n")
    readings, components, gaps = look(Host(str(tmp_path)))
    assert gaps == []
    assert values(readings, "eth0") == {
        "up": True,
        "carrier": True,
        "operstate": "up",
        "duplex": "full",
        "speed": 1_000_000_000,
        "mtu": 1500,
        "carrier_changes": 4,
        "carrier_down": 2,
        "packets.rx": 120000,
        "errors.rx": 3,
        "errors.tx": 0,
        "errors.crc": 2,
        "errors.dropped": 7,
        "errors.collisions": 0,
    }
    assert values(readings, "") == {"uptime": 7200.5}
    assert [(c.kind, c.name, c.model, c.location, c.description) for c in components] == [
        ("ethernet", "eth0", "10ec:8168", "0000:01:00.0", "r8169")
    ]


def test_an_unplugged_cable_and_an_interface_that_is_down(tmp_path: Path) -> None:
    add(tmp_path, "eth0", WIRED | {"carrier": "0", "operstate": "down", "speed": "-1", "duplex": "unknown"})
    add(tmp_path, "eth1", {"type": "1", "flags": "0x1002", "operstate": "down"})
    readings, _, gaps = look(Host(str(tmp_path)))
    assert gaps == []
    assert values(readings, "eth0").items() >= {"up": True, "carrier": False, "operstate": "down"}.items()
    assert not {"speed", "duplex"} & set(values(readings, "eth0"))
    assert values(readings, "eth1") == {"up": False, "operstate": "down"}


@pytest.mark.parametrize("speed", ["-1", "0", "65535", "4294967295", "1000000", "fast", ""])
def test_a_speed_that_is_none(tmp_path: Path, speed: str) -> None:
    add(tmp_path, "eth0", WIRED | {"speed": speed})
    assert look(Host(str(tmp_path)))[0].get("network.speed", "eth0") is None


def test_what_is_no_hardware_or_no_network_card_is_passed_over(tmp_path: Path) -> None:
    add(tmp_path, "lo", {"type": "772"}, device="")
    add(tmp_path, "docker0", {"type": "1", "uevent": "DEVTYPE=bridge"}, device="")
    add(tmp_path, "wwan0", {"type": "1", "uevent": "DEVTYPE=wwan"}, device="../../2-4:1.12")
    add(tmp_path, "can0", {"type": "280"}, device="../../2-5:1.0")
    readings, components, gaps = look(Host(str(tmp_path)))
    assert (list(readings), components) == ([], [])
    assert [(g.outcome, g.essential) for g in gaps] == [(Outcome.UNSUPPORTED, True)]


def test_an_interface_that_did_not_answer_is_an_error(tmp_path: Path) -> None:
    add(tmp_path, "eth0", WIRED)
    first = next(iter(PROBE.gather(Host(str(tmp_path)))))
    assert isinstance(first, Evidence)
    (gap,) = PROBE.interpret([first])
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)


def test_wifi_and_its_link(tmp_path: Path, iw: Path) -> None:
    add(tmp_path, "wlan0", WIRELESS, device="../../0000:00:14.3")
    readings, components, gaps = look(Copied(str(tmp_path)))
    assert gaps == []
    assert [(c.kind, c.name) for c in components] == [("wifi", "wlan0")]
    assert values(readings, "wlan0") == {
        "up": True,
        "carrier": True,
        "operstate": "up",
        "wifi.signal": -57,
        "wifi.frequency": 5_220_000_000,
        "wifi.rx_rate": 585_000_000,
        "wifi.tx_rate": 866_700_000,
    }
    signal = readings.get("network.wifi.signal", "wlan0")
    assert signal is not None
    assert signal.unit == "dBm"


def test_no_address_and_no_name_of_a_network_leaves_gather(tmp_path: Path, iw: Path) -> None:
    add(tmp_path, "enx001122334455", WIRED, device="../../2-1:1.0")
    add(tmp_path, "wlx66778899aabb", WIRELESS, device="../../2-2:1.0")
    host = Copied(str(tmp_path))
    evidence, gaps = gather(host)
    items = [*evidence, *gaps]
    kept = json.dumps([i.to_json() if isinstance(i, Gap) else [i.header(), i.text()] for i in items])
    kept += json.dumps([seen.to_json() for seen in PROBE.interpret(evidence)])
    assert not [planted for planted in PLANTED if planted in kept]
    readings, components, _ = look(host)
    assert [c.name for c in components] == ["enx-1", "wlx-2"]
    assert values(readings, "enx-1")["speed"] == 1_000_000_000
    assert values(readings, "wlx-2")["wifi.signal"] == -57


def test_wifi_that_is_not_connected(tmp_path: Path, iw: Path) -> None:
    iw.with_suffix(".txt").write_text("Not connected.\n")
    add(tmp_path, "wlan0", WIRELESS)
    readings, _, gaps = look(Copied(str(tmp_path)))
    assert gaps == []
    assert readings.matching("network.wifi.") == []


def test_iw_is_not_asked_while_wifi_is_down(tmp_path: Path, iw: Path) -> None:
    add(tmp_path, "wlan0", WIRELESS | {"operstate": "down"})
    assert {e.kind for e in gather(Copied(str(tmp_path)))[0]} == {"tree"}


def test_iw_that_is_missing_or_fails_is_a_gap(tmp_path: Path, iw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, "wlan0", WIRELESS)
    iw.write_text("#!/bin/sh\necho 'command failed: No such device (-19)' >&2\nexit 237\n")
    _, _, gaps = look(Copied(str(tmp_path)))
    assert [(g.subject, g.outcome, g.essential) for g in gaps] == [("wlan0", Outcome.ERROR, False)]
    assert "No such device" in str(gaps[0].reason)
    monkeypatch.setitem(PROGRAMS, "iw", Program((str(tmp_path / "none"),), "iw", "Wi-Fi link"))
    _, _, gaps = look(Copied(str(tmp_path)))
    assert [(g.outcome, g.remedy) for g in gaps] == [(Outcome.UNSUPPORTED, "sudo apt-get install iw")]


def test_radio_switches(tmp_path: Path) -> None:
    add(tmp_path, "wlan0", WIRELESS | {"operstate": "down"})
    add_switch(tmp_path, "rfkill0", type="wlan", soft="0", hard="1")
    add_switch(tmp_path, "rfkill1", type="bluetooth", soft="1", hard="0")
    add_switch(tmp_path, "rfkill2", type="nfc", soft="1", hard="0")
    readings, _, _ = look(Host(str(tmp_path)))
    assert values(readings, "rfkill0") == {"blocked.type": "wlan", "blocked.soft": False, "blocked.hard": True}
    assert values(readings, "rfkill1") == {"blocked.type": "bluetooth", "blocked.soft": True, "blocked.hard": False}
    assert values(readings, "rfkill2") == {}


CONTENT = st.one_of(
    st.sampled_from(["1", "0", "-1", "0x1003", "up", "wlan", "DEVTYPE=wlan", "9" * 5000, "1e999", "nan", ""]),
    st.text("ab09-+. ,\n\0é\ud800", max_size=12),
    st.integers(),
    st.none(),
    st.fixed_dictionaries({"error": st.sampled_from(["EIO", ""])}),
    st.fixed_dictionaries({"link": st.sampled_from(["../../../0000:00:14.3", "", "x"])}),
)
PATHS = st.sampled_from(
    [
        f"{NET}/eth0/device",
        f"{NET}/eth0/phy80211",
        *(f"{NET}/eth0/{file}" for file in (*WIRED, "device/driver", "device/vendor")),
        *(f"/sys/class/rfkill/rfkill0/{file}" for file in ("type", "soft", "hard")),
        "/proc/uptime",
    ]
)
LINES = st.lists(st.sampled_from(IW_LINK.splitlines()) | st.text("signal: -1.9dBm\té", max_size=20), max_size=6)


@given(
    st.one_of(
        st.dictionaries(PATHS, CONTENT, min_size=4).map(
            lambda files: json.dumps({f"{NET}/eth0/device": {"link": "x"}, f"{NET}/eth0/type": "1"} | files).encode()
        ),
        LINES.map(lambda lines: "\n".join(lines).encode()),
        st.binary(max_size=100),
    ),
    st.sampled_from(["tree", "iw-link", "other"]),
    st.sampled_from([0, 1, None]),
)
def test_any_evidence_is_interpreted(data: bytes, kind: str, exit_status: int | None) -> None:
    for item in PROBE.interpret([Evidence(kind, "x", data, "test", TIME, exit_status)]):
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
