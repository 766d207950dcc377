"""The USB probe, from a copy of sysfs to readings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading, Readings, Tree
from agent.probes.usb import PROBE

TIME = "2026-01-01T00:00:00Z"
BUS = "/sys/bus/usb/devices"
STICK = {
    "idVendor": "0781",
    "idProduct": "5581",
    "manufacturer": "SanDisk",
    "product": "Ultra",
    "serial": "4C530001230912118034",
    "speed": "5000",
    "version": " 3.20",
    "bDeviceClass": "00",
    "bMaxPower": "896mA",
    "maxchild": "0",
    "removable": "removable",
    "authorized": "1",
    "power/runtime_status": "active",
}


def add(root: Path, folder: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / BUS.lstrip("/") / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")


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
    return {r.name.removeprefix("usb."): r.value for r in readings if r.subject == subject}


def tree(files: dict[str, str]) -> Evidence:
    return Evidence("tree", "", Tree(files).encode(), "test", TIME)


def test_a_stick(tmp_path: Path) -> None:
    add(tmp_path, "2-3", STICK)
    readings, gaps, _ = look(tmp_path)
    assert values(readings, "2-3") == {
        "speed": 5e9,
        "version": "3.20",
        "device.max_current": 0.896,
        "device.authorized": True,
        "device.id": "0781:5581",
        "device.name": "Ultra",
        "device.manufacturer": "SanDisk",
        "device.class": "0x00",
        "device.removable": "removable",
        "device.power": "active",
        "device.port": "usb2-port3",
    }
    units = {r.name: r.unit for r in readings}
    assert (units["usb.speed"], units["usb.device.max_current"]) == ("bit/s", "A")
    assert [(g.subject, g.outcome, g.essential) for g in gaps] == [
        ("names", Outcome.UNSUPPORTED, False),
        ("ports", Outcome.UNSUPPORTED, False),
    ]


@pytest.mark.parametrize("removable", ["removable", "unknown", "", None])
def test_the_serial_number_of_what_a_customer_plugs_in_is_not_even_captured(
    tmp_path: Path, removable: str | None
) -> None:
    stick = STICK | ({"removable": removable} if removable is not None else {})
    if removable is None:
        del stick["removable"]
    add(tmp_path, "2-3", stick)
    readings, _, evidence = look(tmp_path)
    assert values(readings, "2-3")["device.name"] == "Ultra"
    assert not [e for e in evidence if STICK["serial"].encode() in e.data or b"serial" in e.data]


def test_a_serial_number_in_foreign_evidence_is_passed_over() -> None:
    files = {f"{BUS}/2-3/{name}": text for name, text in STICK.items()}
    assert STICK["serial"] not in values(interpret([tree(files)])[0], "2-3").values()


@pytest.mark.parametrize(("serial", "expected"), [("JH7F2A91", "JH7F2A91"), ("0123456789", None), ("", None)])
def test_the_serial_number_of_what_is_built_in(tmp_path: Path, serial: str, expected: str | None) -> None:
    add(tmp_path, "1-5", STICK | {"removable": "fixed", "serial": serial})
    assert values(look(tmp_path)[0], "1-5").get("device.serial") == expected


def test_ports_and_hubs(tmp_path: Path) -> None:
    add(tmp_path, "usb1", {"idVendor": "1d6b", "idProduct": "0002", "maxchild": "16", "speed": "480"})
    add(tmp_path, "1-2", {"idVendor": "05e3", "idProduct": "0610", "maxchild": "4"})
    add(tmp_path, "1-2.3", {"speed": "1.5"})
    add(tmp_path, "1-2.3.1", {"speed": "12"})
    add(tmp_path, "1-0:1.0/usb1-port2", {"over_current_count": "3", "connect_type": "hotplug", "state": "configured"})
    add(tmp_path, "1-2:1.0/1-2-port3", {"over_current_count": "0", "connect_type": "unknown"})
    peer = tmp_path / BUS.lstrip("/") / "1-0:1.0/usb1-port2/peer"
    peer.symlink_to("../../../usb2/2-0:1.0/usb2-port1")
    readings, gaps, _ = look(tmp_path)
    assert values(readings, "usb1-port2") == {
        "port.over_current": 3,
        "port.connection": "hotplug",
        "port.state": "configured",
        "port.peer": "usb2-port1",
    }
    assert values(readings, "1-2-port3") == {"port.over_current": 0, "port.connection": "unknown"}
    assert {r.subject: r.value for r in readings.all("usb.device.port")} == {
        "1-2": "usb1-port2",
        "1-2.3": "1-2-port3",
        "1-2.3.1": "1-2.3-port1",
    }
    assert {r.subject: r.value for r in readings.all("usb.device.ports")} == {"usb1": 16, "1-2": 4}
    assert {r.subject: r.value for r in readings.all("usb.speed")} == {"usb1": 480e6, "1-2.3": 1.5e6, "1-2.3.1": 12e6}
    assert [g.subject for g in gaps] == ["names"]


@pytest.mark.parametrize(
    ("udev", "files", "expected"),
    [
        ({"ID_MODEL_FROM_DATABASE": "Hub", "ID_VENDOR_FROM_DATABASE": "Genesys"}, {}, ("Hub", "Genesys")),
        ({"ID_MODEL_FROM_DATABASE": "Hub"}, {"product": "USB2.0 Hub\x07", "manufacturer": "GL"}, ("USB2.0 Hub", "GL")),
        ({"ID_MODEL_FROM_DATABASE": 5}, {}, (None, None)),
        (None, {}, (None, None)),
    ],
)
def test_names(udev: object, files: dict[str, str], expected: tuple[str | None, str | None]) -> None:
    known = tree({f"{BUS}/1-2/{n}": t for n, t in ({"idVendor": "05e3", "idProduct": "0610"} | files).items()})
    names = Evidence("udev", "usb", json.dumps({"1-2": udev}).encode(), "pyudev", TIME)
    found = values(interpret([known, names])[0], "1-2")
    assert (found.get("device.name"), found.get("device.manufacturer")) == expected


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("speed", "unknown"),
        ("speed", "9e999"),
        ("version", "3"),
        ("version", "x.yz"),
        ("bMaxPower", "lots"),
        ("maxchild", "-1"),
        ("maxchild", "9" * 5000),
        ("bDeviceClass", "0x9"),
        ("authorized", "2"),
        ("idVendor", "05e3"),
    ],
)
def test_what_cannot_be_is_no_reading(file: str, text: str) -> None:
    assert set(values(interpret([tree({f"{BUS}/usb1/{file}": text})])[0], "usb1")) == set()


def test_nothing_at_all_is_unsupported(tmp_path: Path) -> None:
    readings, gaps, _ = look(tmp_path)
    assert list(readings) == []
    assert [(g.outcome, g.essential, str(g.reason)) for g in gaps] == [
        (Outcome.UNSUPPORTED, True, "no such hardware"),
    ]


CONTENT = st.one_of(
    st.sampled_from(["480", " 3.20", "500mA", "fixed", "removable", "1", "hotplug", "4294967295", "9" * 5000]),
    st.text("ab09-+. ,\n\0é\ud800", max_size=12),
    st.integers(),
    st.none(),
    st.fixed_dictionaries({"link": st.sampled_from(["../usb2-port1", "/", "", "\ud800/x"])}),
    st.fixed_dictionaries({"error": st.sampled_from(["EIO", ""])}),
)
PATHS = st.sampled_from(
    [
        *(f"{BUS}/1-2.1/{name}" for name in STICK),
        *(f"{BUS}/1-0:1.0/usb1-port2/{name}" for name in ("over_current_count", "connect_type", "state", "peer")),
    ]
)
NAMES = st.dictionaries(
    st.sampled_from(["1-2.1", "x"]),
    st.dictionaries(st.sampled_from(["ID_MODEL_FROM_DATABASE", "y"]), CONTENT) | st.none() | st.text(max_size=3),
)


@given(
    st.one_of(st.dictionaries(PATHS, CONTENT), NAMES).map(lambda data: json.dumps(data).encode())
    | st.binary(max_size=100),
    st.sampled_from(["tree", "udev", "other"]),
)
def test_any_evidence_is_interpreted(data: bytes, kind: str) -> None:
    alone = Evidence(kind, "x", data, "test", TIME)
    known = tree({f"{BUS}/1-2.1/idVendor": "05e3", f"{BUS}/1-2.1/idProduct": "0610"})
    for item in [*PROBE.interpret([alone]), *PROBE.interpret([known, alone])]:
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
