from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Readings, Tree
from agent.probes._probe import Seen
from agent.probes.unit import PROBE, identity, usable_serial, usable_uuid
from agent.rules.unit import no_serial, serial_of_a_part

NOW = "2026-01-02T03:04:05.000Z"
DMI = "/sys/class/dmi/id/"
AIO = {
    DMI + "sys_vendor": "Hibertek\n",
    DMI + "product_name": "AIO 24\n",
    DMI + "product_serial": "HB24-000123\n",
    DMI + "product_uuid": "4C4C4544-0042-3510-8052-B3C04F4B4E32\n",
    DMI + "board_vendor": "MSI\n",
    DMI + "board_name": "MS-AE11\n",
    DMI + "board_serial": "07AE11_J91E000001\n",
    DMI + "chassis_type": "13\n",
    DMI + "chassis_serial": "Default string\n",
    "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu vme aes\n",
}

SERIALS = {
    # The serial that a person reads out of each capture that is not masked by its publisher; None is "holds none".
    "checkbox-LENOVO_SYSTEMX.txt": ("06EEEAR", "system"),
    "glpi-S3000AHLX.txt": ("AZAX63801455", "board"),
    "glpi-S5000VSA.txt": ("QSSA64700622", "board"),
    "glpi-hp-dl360-gen7_2.txt": ("CZJ1280RMQ", "system"),
    "glpi-openbsd-3.8.txt": ("2K1012J", "system"),
    "glpi-rhel-2.1.txt": ("KBKGW40", "system"),
    "glpi-windows-xp.txt": ("HLG964J", "system"),
    "u-root-testdata_SuperMicro-X9DBL.orig.txt": ("9000116105", "system"),
}


def tree(files: dict[str, object]) -> Evidence:
    return Evidence("tree", "", Tree(files).encode(), "", NOW)


def dmidecode(data: bytes) -> Evidence:
    return Evidence("dmidecode", "", data, "dmidecode -t 1 -t 2 -t 3", NOW, exit_status=0)


def seen(*evidence: Evidence) -> list[Seen]:
    return list(PROBE.interpret(evidence))


def values(items: Sequence[Seen]) -> dict[str, object]:
    return {r.name: r.value for r in items if isinstance(r, Reading)}


def readings(items: Sequence[Seen]) -> Readings:
    return Readings(r for r in items if isinstance(r, Reading))


def test_identity_of_an_aio() -> None:
    items = seen(tree(dict(AIO)))
    found = values(items)
    assert found["unit.serial"] == "HB24-000123"
    assert found["unit.serial_source"] == DMI + "product_serial"
    assert (found["unit.chassis_type_number"], found["unit.chassis_type"]) == (13, "All In One")
    assert found["unit.virtual"] is False
    board, chassis = (i for i in items if isinstance(i, Component))
    assert (board.kind, board.manufacturer, board.model) == (ComponentKind.MOTHERBOARD, "MSI", "MS-AE11")
    assert (chassis.kind, chassis.serial, chassis.description) == (ComponentKind.CHASSIS, "", "All In One")
    assert identity(readings(items), [board, chassis]) == {
        "serial": "HB24-000123",
        "serial_source": DMI + "product_serial",
        "manufacturer": "Hibertek",
        "model": "AIO 24",
        "uuid": "4c4c4544-0042-3510-8052-b3c04f4b4e32",
        "board": "MS-AE11",
        "board_manufacturer": "MSI",
        "board_serial": "07AE11_J91E000001",
    }
    assert not [i for i in items if isinstance(i, Gap)]
    assert not [*no_serial(readings(items)), *serial_of_a_part(readings(items))]


def test_board_serial_stands_in_for_a_placeholder() -> None:
    items = seen(tree({**AIO, DMI + "product_serial": "To be filled by O.E.M."}))
    assert values(items)["unit.serial"] == "07AE11_J91E000001"
    assert values(items)["unit.serial_source"] == DMI + "board_serial"
    (finding,) = serial_of_a_part(readings(items))
    assert finding.values == {"serial": "07AE11_J91E000001"}
    assert not list(no_serial(readings(items)))


def test_only_placeholders() -> None:
    nothing = {DMI + "product_serial": "Default string", DMI + "board_serial": "0123456789"}
    items = seen(tree({**AIO, **nothing}))
    assert "unit.serial" not in values(items)
    (finding,) = no_serial(readings(items))
    assert finding.values == {"text": "Default string"}
    assert "serial" not in identity(readings(items), [])


def test_without_root_the_model_is_known_and_the_serial_is_a_gap() -> None:
    hidden = {DMI + n: {"error": "EACCES"} for n in ("product_serial", "board_serial", "chassis_serial")}
    items = seen(tree({**AIO, **hidden}))
    assert values(items)["unit.model"] == "AIO 24"
    (gap,) = (i for i in items if isinstance(i, Gap))
    assert (str(gap.reason), gap.remedy, gap.essential) == ("needs root", "sudo aiodiag unit", False)
    assert not list(no_serial(readings(items))), "what was not read is no finding"


def test_a_serial_that_cannot_be_read_is_an_error() -> None:
    items = seen(tree({**AIO, DMI + "product_serial": {"error": "EIO"}, DMI + "board_serial": "0"}))
    (gap,) = (i for i in items if isinstance(i, Gap))
    assert gap.outcome is Outcome.ERROR


def test_no_dmi_is_an_essential_gap() -> None:
    items = seen(tree({"/proc/cpuinfo": "flags\t\t: fpu hypervisor\n"}))
    (gap,) = (i for i in items if isinstance(i, Gap))
    assert (gap.outcome, gap.essential) == (Outcome.UNSUPPORTED, True)
    assert values(items) == {"unit.virtual": True}


def test_a_hypervisor_is_told_by_its_vendor() -> None:
    assert values(seen(tree({DMI + "sys_vendor": "QEMU"})))["unit.virtual"] is True


def test_dmidecode_fills_what_sysfs_lacks() -> None:
    text = b"Handle 0x0001, DMI type 1, 27 bytes\nSystem Information\n\tManufacturer: Acme\n\tSerial Number: AC-99\n"
    found = values(seen(tree({DMI + "sys_vendor": "Hibertek", DMI + "product_serial": "None"}), dmidecode(text)))
    assert found["unit.serial"] == "AC-99"
    assert found["unit.serial_source"] == "dmidecode -t 1 -t 2 -t 3: System Information, Serial Number"
    assert found["unit.manufacturer"] == "Hibertek", "the kernel's word goes first"


def test_every_captured_dmi_gives_its_serial_or_none(shared: Path) -> None:
    captures = sorted((shared / "corpora" / "dmi").glob("*.txt"))
    assert len(captures) > 80
    for capture in captures:
        found = values(seen(dmidecode(capture.read_bytes())))
        serial = (found.get("unit.serial"), found.get("unit.serial_of"))
        assert serial == SERIALS.get(capture.name, (None, None)), capture.name


def test_captured_aios_say_that_they_are_all_in_ones(shared: Path) -> None:
    captures = [p for p in (shared / "corpora" / "dmi").glob("linuxhw-*.txt") if "\tType: All In One" in p.read_text()]
    assert captures
    for capture in captures:
        assert values(seen(dmidecode(capture.read_bytes())))["unit.chassis_type_number"] == 13, capture.name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "--",
        "To be filled by O.E.M.",
        "TO BE FILLED BY O.E.M",
        "Default string",
        "System Serial Number",
        "Not Specified",
        "None",
        "N/A",
        "0123456789",
        "123456789",
        "1234567890123",
        "Not Applicable",
        "INVALID",
        "xxxxxxx",
        "........",
        "0",
        "0000000000",
        "FFFFFFFF",
        "[Empty]",
        "<BAD INDEX>",
        "Chassis Serial Number",
        "MB-1234567890",
        "EVAL",
        "TBD by ODM",
        "BSN12345678901234567",
        "EeePC-0123456789",
        "123456789ABCDEF",
        "987654321",
        "0x00000000",
        "Type2 - Board Serial Number",
        "Default string001",
        "Unknow",
        "S/N",
        "a\x07b123",
        "\u200b12x4",
    ],
)
def test_placeholders_are_refused(text: str) -> None:
    assert usable_serial(text) is None


@pytest.mark.parametrize(
    "text", ["06EEEAR", " .HLG964J.CN129618C52450. ", "AB12", "5WBXU0ALL875XW", "9000116105", "12-34-57", "SN00012345"]
)
def test_real_serials_are_kept(text: str) -> None:
    assert usable_serial(text) == text.strip()


def test_a_serial_has_its_limits() -> None:
    assert usable_serial("AB" * 32) == "AB" * 32
    assert usable_serial("AB" * 32 + "C") is None


def test_a_product_name_is_no_serial() -> None:
    assert usable_serial("AIO 24", ["Hibertek", "aio-24"]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Not Settable",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "03000200-0400-0500-0006-000700080009",
        "032e02b4-0499-0533-a106-940700080009",
    ],
)
def test_bogus_uuids_are_refused(text: str) -> None:
    assert usable_uuid(text) is None


def test_gather_reads_a_machine_as_copied(tmp_path: Path) -> None:
    for path, text in AIO.items():
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_text(text)
    evidence = [e for e in PROBE.gather(Host(str(tmp_path))) if isinstance(e, Evidence)]
    assert values(seen(*evidence))["unit.serial"] == "HB24-000123"


@given(
    st.lists(
        st.builds(
            lambda kind, data: Evidence(kind, "", data, "x", NOW),
            st.sampled_from(["tree", "dmidecode", "other"]),
            st.binary(max_size=200)
            | st.dictionaries(
                st.sampled_from([*AIO, DMI + "chassis_version", DMI + "product_sku"]),
                st.none()
                | st.integers()
                | st.text("0123abc: -\n\x07\u5e8f", max_size=80)
                | st.just({"error": "EIO"})
                | st.just({"link": 3}),
            ).map(lambda files: json.dumps(files).encode()),
        ),
        max_size=4,
    )
)
def test_anything_may_be_evidence(evidence: list[Evidence]) -> None:
    for item in seen(*evidence):
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
