"""The camera probe, from a copy of sysfs and udev's properties to cameras and readings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, Evidence, Gap, Outcome, Reading, Readings, Tree
from agent.probes.camera import PROBE, UDEV_PROPERTIES

TIME = "2026-01-01T00:00:00Z"
NODES = "/sys/class/video4linux"
USB = {
    "manufacturer": "Chicony Electronics Co.,Ltd.",
    "product": "Integrated Camera",
    "idVendor": "04f2",
    "idProduct": "b7e5",
    "bcdDevice": "2790",
    "speed": "480",
    "removable": "fixed",
    "serial": "SN-PLANTED",
}


def add(root: Path, node: str, *, index: str = "0", usb: dict[str, str] | None = None, device: str = "1-8") -> Host:
    """A node, and unless it is virtual the USB device that it belongs to."""
    base = root / f"sys/class/video4linux/{node}"
    base.mkdir(parents=True)
    (base / "name").write_text(f"{(usb or {}).get('product', 'Dummy video device')}: x\n")
    (base / "index").write_text(f"{index}\n")
    if usb is not None:
        interface = root / f"sys/devices/usb1/{device}/{device}:1.0"
        interface.mkdir(parents=True, exist_ok=True)
        for file, text in usb.items():
            (interface.parent / file).write_text(f"{text}\n")
        (base / "device").symlink_to(os.path.relpath(interface, base))
    return Host(str(root))


def udev(**nodes: dict[str, str]) -> Evidence:
    return Evidence("udev", "", json.dumps(nodes).encode(), "pyudev video4linux", TIME)


def look(host: Host, *more: Evidence) -> tuple[Readings, list[Component], list[Gap]]:
    items = list(PROBE.gather(host))
    seen = list(PROBE.interpret([*(i for i in items if isinstance(i, Evidence)), *more]))
    # a copy has no udev database of its own
    gaps = [item for item in (*items, *seen) if isinstance(item, Gap) and item.subject != "names"]
    readings = Readings(item for item in seen if isinstance(item, Reading))
    return readings, [item for item in seen if isinstance(item, Component)], gaps


def values(readings: Readings, subject: str) -> dict[str, object]:
    return {r.name.removeprefix("camera."): r.value for r in readings if r.subject == subject}


def test_a_built_in_camera_with_its_metadata_node(tmp_path: Path) -> None:
    add(tmp_path, "video0", usb=USB)
    readings, (camera,), gaps = look(add(tmp_path, "video1", index="1", usb=USB))
    assert gaps == []
    assert values(readings, "") == {"count": 1}
    assert values(readings, "video0") == {"capture": True, "built_in": True, "speed": 480_000_000}
    assert values(readings, "video1") == {"capture": False}
    assert camera == Component(
        kind=camera.kind,
        name="video0",
        manufacturer="Chicony Electronics Co.,Ltd.",
        model="Integrated Camera",
        serial="SN-PLANTED",
        firmware="2790",
        location="1-8:1.0",
        description="04f2:b7e5",
        source=f"{NODES}/video0",
    )
    assert camera.kind == "camera"


@pytest.mark.parametrize("removable", ["removable", "unknown", ""])
def test_no_serial_number_of_a_camera_that_may_have_been_plugged_in(tmp_path: Path, removable: str) -> None:
    host = add(tmp_path, "video0", usb=USB | {"removable": removable})
    items = list(PROBE.gather(host))
    assert not [i for i in items if isinstance(i, Evidence) and b"PLANTED" in i.data]
    readings, (camera,), _ = look(host)
    assert camera.serial == ""
    assert values(readings, "video0").get("built_in") == (False if removable == "removable" else None)


def test_a_serial_number_that_should_not_have_been_captured_is_not_passed_on() -> None:
    files = {f"{NODES}/video0/{file}": text for file, text in (("index", "0"), ("device/../serial", "SN-PLANTED"))}
    files[f"{NODES}/video0/device/../removable"] = "removable"
    tree = Tree({f"{NODES}/video0/device": {"link": "../../../1-8:1.0"}} | files)
    seen = list(PROBE.interpret([Evidence("tree", "", tree.encode(), "", TIME)]))
    assert [item.serial for item in seen if isinstance(item, Component)] == [""]
    assert "PLANTED" not in json.dumps([item.to_json() for item in seen])


def test_a_serial_number_that_nobody_wrote_is_none(tmp_path: Path) -> None:
    _, (camera,), _ = look(add(tmp_path, "video0", usb=USB | {"serial": "0000"}))
    assert camera.serial == ""


def test_udev_knows_better_which_node_gives_pictures(tmp_path: Path) -> None:
    add(tmp_path, "video0", usb=USB | {"removable": "unknown"})
    host = add(tmp_path, "video1", index="1", usb=USB | {"removable": "unknown"})
    known = {"ID_V4L_CAPABILITIES": ":capture:", "ID_INTEGRATION": "internal"}
    readings, cameras, _ = look(host, udev(video0={"ID_V4L_CAPABILITIES": ":"}, video1=known))
    assert [c.name for c in cameras] == ["video1"]
    assert values(readings, "video0") == {"capture": False}
    assert values(readings, "video1") == {"capture": True, "built_in": True, "speed": 480_000_000}


def test_a_camera_that_is_not_on_usb(tmp_path: Path) -> None:
    host = add(tmp_path, "video0", usb={}, device="0000:00:05.0")
    readings, (camera,), _ = look(host, udev(video0={"ID_V4L_PRODUCT": "ipu6"}))
    assert (camera.model, camera.manufacturer, camera.serial) == ("ipu6", "", "")
    assert values(readings, "video0") == {"capture": True}


def test_what_is_no_hardware_is_no_camera(tmp_path: Path) -> None:
    readings, cameras, gaps = look(add(tmp_path, "video0"))
    assert (list(readings), cameras) == ([], [])
    assert [(g.outcome, g.essential) for g in gaps] == [(Outcome.UNSUPPORTED, True)]


def test_a_node_that_did_not_answer_is_an_error(tmp_path: Path) -> None:
    first = next(iter(PROBE.gather(add(tmp_path, "video0", usb=USB))))
    assert isinstance(first, Evidence)
    (gap,) = PROBE.interpret([first])
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential) == (Outcome.ERROR, True)


@pytest.mark.parametrize("speed", ["", "0", "-1", "unknown", "9" * 30, "1e3", "nan"])
def test_a_speed_that_is_none(tmp_path: Path, speed: str) -> None:
    assert look(add(tmp_path, "video0", usb=USB | {"speed": speed}))[0].get("camera.speed", "video0") is None


CONTENT = st.one_of(
    st.sampled_from(["0", "1", "480", "1.5", "fixed", "removable", "9" * 5000, "nan", ""]),
    st.text("0x1af9-: .\n\0é\ud800", max_size=20),
    st.integers(),
    st.none(),
    st.fixed_dictionaries({"error": st.sampled_from(["EIO", ""])}),
    st.fixed_dictionaries({"link": st.text(max_size=3)}),
)
FILES = ("device", "name", "index", *(f"device/../{file}" for file in USB))
PATHS = st.sampled_from([f"{NODES}/{node}/{file}" for node in ("video0", "videox") for file in FILES])
UDEV = st.dictionaries(
    st.sampled_from(["video0", "x"]),
    st.dictionaries(st.sampled_from(UDEV_PROPERTIES), st.sampled_from([":capture:", "internal", "", None, 1]))
    | st.none(),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["tree", "udev", "other"]),
            (st.dictionaries(PATHS, CONTENT) | UDEV).map(lambda data: json.dumps(data).encode())
            | st.binary(max_size=100),
        ),
        max_size=3,
    )
)
def test_any_evidence_is_interpreted(pieces: list[tuple[str, bytes]]) -> None:
    for item in PROBE.interpret([Evidence(kind, "x", data, "test", TIME) for kind, data in pieces]):
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
