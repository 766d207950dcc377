from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading, Readings, Tree, Verdict
from agent.probes.firmware import DMI, EFI, LOCKDOWN, PROBE, SECURE_BOOT, SHIM_VALIDATION
from agent.rules.firmware import no_tpm

NOW = "2026-01-02T03:04:05.000Z"
TPM = "/sys/class/tpm/tpm0/"


def variable(value: int) -> dict[str, str]:
    return {"base64": base64.b64encode(bytes([6, 0, 0, 0, value])).decode()}


AIO: dict[str, object] = {
    DMI + "bios_vendor": "American Megatrends Inc.\n",
    DMI + "bios_version": "E11.107\n",
    DMI + "bios_date": "07/28/2023\n",
    EFI: "64\n",
    SECURE_BOOT: variable(1),
    SHIM_VALIDATION: variable(0),
    TPM + "tpm_version_major": "2\n",
    TPM + "device/description": "TPM 2.0 Device\n",
    LOCKDOWN: "none [integrity] confidentiality\n",
}


def tree(files: dict[str, object]) -> Evidence:
    return Evidence("tree", "", Tree(files).encode(), "files", NOW)


def read(files: dict[str, object]) -> Readings:
    return Readings(r for r in PROBE.interpret([tree(files)]) if isinstance(r, Reading))


def test_an_aio() -> None:
    assert {r.name.removeprefix("firmware."): r.value for r in read(AIO)} == {
        "vendor": "American Megatrends Inc.",
        "version": "E11.107",
        "date": "2023-07-28",
        "lockdown": "integrity",
        "boot_mode": "uefi",
        "secure_boot": True,
        "shim_validation": True,
        "tpm": True,
        "tpm_version": 2,
        "tpm_description": "TPM 2.0 Device",
    }
    assert not list(no_tpm(read(AIO)))


def test_secure_boot_switched_off() -> None:
    secure = read({**AIO, SECURE_BOOT: variable(0)}).get("firmware.secure_boot")
    assert secure is not None
    assert secure.value is False


def test_legacy_bios_without_a_tpm() -> None:
    readings = read({DMI + "bios_version": "1.0", DMI + "bios_date": "02/11/99"})
    mode = readings.get("firmware.boot_mode")
    assert mode is not None
    assert mode.value == "bios"
    assert readings.get("firmware.secure_boot") is None
    (finding,) = no_tpm(readings)
    assert (finding.code, finding.verdict) == ("FW-8005", Verdict.UNKNOWN)


@pytest.mark.parametrize("text", ["", "13/40/2023", "2023-07-28", "7/28/2023", "00/00/0000"])
def test_a_date_that_is_none(text: str) -> None:
    assert read({**AIO, DMI + "bios_date": text}).get("firmware.date") is None


def test_a_container_shows_nothing() -> None:
    for evidence in ([], [tree({}), tree({LOCKDOWN: "[none] integrity"})]):
        items = list(PROBE.interpret(evidence))
        (gap,) = (i for i in items if isinstance(i, Gap))
        assert (gap.outcome, gap.essential) == (Outcome.UNSUPPORTED, True)
        assert not list(no_tpm(Readings(i for i in items if isinstance(i, Reading))))


def test_gather_reads_efi_variables_as_bytes(tmp_path: Path) -> None:
    (tmp_path / SECURE_BOOT[1:]).parent.mkdir(parents=True)
    (tmp_path / SECURE_BOOT[1:]).write_bytes(b"\x06\0\0\0\1")
    evidence = [e for e in PROBE.gather(Host(str(tmp_path))) if isinstance(e, Evidence)]
    secure = Readings(r for r in PROBE.interpret(evidence) if isinstance(r, Reading)).get("firmware.secure_boot")
    assert secure is not None
    assert secure.value is True


@given(
    st.binary(max_size=100)
    | st.dictionaries(
        st.sampled_from([*AIO, "/sys/class/tpm/tpm9/tpm_version_major"]),
        st.sampled_from(["", "99", "-1", "02/30/2020", {"base64": "!"}, {"base64": ""}, {"error": "EIO"}, None])
        | st.text("0129/[]none \n\x07", max_size=40),
    ).map(lambda files: json.dumps(files).encode())
)
def test_anything_may_be_evidence(data: bytes) -> None:
    for item in PROBE.interpret([Evidence("tree", "", data, "files", NOW)]):
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
