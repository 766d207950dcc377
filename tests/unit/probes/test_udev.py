"""The names that udev knows, from this machine's database."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from agent.host import Host
from agent.model import Evidence, Gap, Outcome
from agent.probes import _udev

PCI = Path("/sys/bus/pci/devices")


@pytest.mark.skipif(not PCI.is_dir(), reason="no PCI bus")
def test_the_devices_of_this_machine_with_nothing_private() -> None:
    evidence = _udev.gather(Host(), "pci")
    if isinstance(evidence, Gap):
        pytest.skip(str(evidence.reason))
    loaded = evidence.json()
    assert set(loaded) == set(os.listdir(PCI))
    assert {key for properties in loaded.values() for key in properties} <= set(_udev.PROPERTIES)
    assert _udev.names([evidence]) == loaded


def test_only_what_is_asked_for_besides_the_names() -> None:
    """The kernel itself gives every network interface its name; with udevd there are addresses beside it."""
    evidence = _udev.gather(Host(), "net", ("INTERFACE",))
    if isinstance(evidence, Gap):
        pytest.skip(str(evidence.reason))
    loaded = evidence.json()
    assert {device: properties["INTERFACE"] for device, properties in loaded.items()} == {d: d for d in loaded}
    assert "lo" in loaded
    assert {key for properties in loaded.values() for key in properties} <= {*_udev.PROPERTIES, "INTERFACE"}


def test_without_libudev_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    gap = _udev.gather(Host(), "pci")
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential, gap.remedy) == (
        Outcome.UNSUPPORTED,
        False,
        "sudo apt-get install libudev1",
    )


def test_a_copy_of_another_machine_is_not_asked_about_here(tmp_path: Path) -> None:
    assert isinstance(_udev.gather(Host(str(tmp_path)), "pci"), Gap)


@pytest.mark.parametrize("data", [b"[1]", b'"x"', b"{", b'{"a": [], "b": null}', b"\xff"])
def test_what_is_no_database_has_no_names(data: bytes) -> None:
    assert _udev.names([Evidence("udev", "pci", data, "test", "")]) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, ""), ("", ""), ("  Hub\x00\x1b[31m ", "Hub  [31m"), ("é" * 200, "é" * 128), ("\ud800", "")],
)
def test_text_that_can_be_shown(text: str | None, expected: str) -> None:
    assert _udev.printable(text) == expected
