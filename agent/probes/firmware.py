"""The firmware: BIOS version and date, UEFI, Secure Boot, TPM, kernel lockdown.

Readings: ``firmware.vendor``, ``firmware.version``, ``firmware.release`` (text); ``firmware.date`` (ISO 8601);
``firmware.boot_mode`` (``uefi`` or ``bios``); ``firmware.secure_boot`` (yes/no, UEFI only);
``firmware.shim_validation`` (yes/no, where shim says); ``firmware.tpm`` (yes/no); ``firmware.tpm_version`` (unit ``1``,
the subject is the TPM) and ``firmware.tpm_description`` (text); ``firmware.lockdown`` (text).
Sources: /sys/class/dmi/id (SMBIOS type 0), efivarfs (Documentation/filesystems/efivarfs.rst: four bytes of attributes
before the value; UEFI 2.10 section 3.3 SecureBoot), /sys/class/tpm (Documentation/ABI/stable/sysfs-class-tpm),
/sys/kernel/security/lockdown. Of tables that were captured elsewhere (:mod:`agent.probes._dmi`) the BIOS (type 0) and
a TPM (type 43) are read; that none is listed says nothing, as the listing is optional.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import ClassVar

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes._dmi import tables
from agent.probes._identity import meaningful
from agent.probes._probe import Probe, Seen

DMI = "/sys/class/dmi/id/"
EFI = "/sys/firmware/efi/fw_platform_size"
EFI_VARIABLES = "/sys/firmware/efi/efivars/"
SECURE_BOOT = EFI_VARIABLES + "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
SHIM_VALIDATION = EFI_VARIABLES + "MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23"
TPM = "/sys/class/tpm/tpm*/"
LOCKDOWN = "/sys/kernel/security/lockdown"


class FirmwareProbe(Probe):
    """BIOS or UEFI, and the TPM."""

    area: ClassVar[str] = "firmware"
    timeout_s: ClassVar[float] = 10.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Only files; all of them may be read by anyone but the lockdown state, which needs securityfs."""
        yield host.tree(
            *(DMI + name for name in ("bios_vendor", "bios_version", "bios_date", "bios_release")),
            EFI,
            SECURE_BOOT,
            SHIM_VALIDATION,
            TPM + "tpm_version_major",
            TPM + "device/description",
            LOCKDOWN,
        )

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Readings ``firmware.*``. The TPM is a part of the motherboard, no component of its own."""
        trees = [(item.tree(), item.time) for item in evidence if item.kind == "tree"]
        seen = [reading for tree, time in trees for reading in _readings(tree, time)]
        seen += [reading for item in evidence for reading in _captured(item)]
        yield from seen
        if not any(reading.name in ("firmware.version", "firmware.boot_mode") for reading in seen):
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)


def _readings(tree: Tree, time: str) -> Iterator[Reading]:
    bios = list(_bios(tree, time))
    yield from bios
    uefi = EFI in tree.files or SECURE_BOOT in tree.files
    lockdown = re.search(r"\[(none|integrity|confidentiality)\]", tree.text(LOCKDOWN) or "")
    if lockdown:
        yield _reading("firmware.lockdown", lockdown[1], LOCKDOWN, time)
    # A container shows neither, and then nothing follows from a file that is not there.
    if bios or uefi:
        yield _reading("firmware.boot_mode", "uefi" if uefi else "bios", EFI, time)
        yield from _secure_boot(tree, time)
        yield from _tpm(tree, time)


def _bios(tree: Tree, time: str) -> Iterator[Reading]:
    for name, file in (
        ("firmware.vendor", "bios_vendor"),
        ("firmware.version", "bios_version"),
        ("firmware.release", "bios_release"),
    ):
        text = meaningful(tree.text(DMI + file))
        if text:
            yield _reading(name, text[:200], DMI + file, time)
    day = _date(tree.text(DMI + "bios_date") or "")
    if day:
        yield _reading("firmware.date", day, DMI + "bios_date", time)


def _captured(item: Evidence) -> Iterator[Reading]:
    """What captured tables say: the first BIOS, and every TPM."""
    structures = tables(item)
    for bios in [structure for structure in structures if structure.type == 0][:1]:
        for name, field in (
            ("firmware.vendor", "Vendor"),
            ("firmware.version", "Version"),
            ("firmware.release", "BIOS Revision"),
        ):
            text = meaningful(bios.text(field))
            if text:
                yield _reading(name, text[:200], item.source, item.time)
        day = _date(bios.text("Release Date") or bios.text("Release"))
        if day:
            yield _reading("firmware.date", day, item.source, item.time)
    for tpm in (structure for structure in structures if structure.type == 43):
        yield _reading("firmware.tpm", True, item.source, item.time)
        version = re.match(r"([12])\.", tpm.text("Specification Version"))
        if version:
            part = ComponentKind.MOTHERBOARD
            yield Reading("firmware.tpm_version", int(version[1]), "1", part, "", item.source, item.time)


def _date(text: str) -> str | None:
    """``mm/dd/yyyy``, as SMBIOS has it (3.7 section 7.1). A year of two digits cannot be before 1996, when there was no
    SMBIOS yet (Linux drivers/firmware/dmi_scan.c, ``dmi_get_date``).
    """
    match = re.fullmatch(r"(\d{2})/(\d{2})/(\d{4}|\d{2})", text, re.ASCII)
    if match is None:
        return None
    year = int(match[3])
    if len(match[3]) == 2:
        year += 1900 if year >= 96 else 2000
    try:
        return date(year, int(match[1]), int(match[2])).isoformat()
    except ValueError:
        return None


def _secure_boot(tree: Tree, time: str) -> Iterator[Reading]:
    secure = _efi_byte(tree, SECURE_BOOT)
    if secure is not None:
        yield _reading("firmware.secure_boot", secure == 1, SECURE_BOOT, time)
    # shim sets it to 1 where the person switched the validation off (mokutil --disable-validation).
    switched_off = _efi_byte(tree, SHIM_VALIDATION)
    if switched_off is not None:
        yield _reading("firmware.shim_validation", switched_off != 1, SHIM_VALIDATION, time)


def _efi_byte(tree: Tree, path: str) -> int | None:
    data = tree.binary(path)
    return data[4] if data is not None and len(data) == 5 else None


def _tpm(tree: Tree, time: str) -> Iterator[Reading]:
    versions = tree.paths(TPM + "tpm_version_major")
    yield _reading("firmware.tpm", bool(versions), "/sys/class/tpm", time)
    for path in versions:
        name = path.split("/")[4]
        major = tree.integer(path)
        if major in (1, 2):
            yield Reading("firmware.tpm_version", major, "1", ComponentKind.MOTHERBOARD, name, path, time)
        described = path.replace("tpm_version_major", "device/description")
        text = "".join(c if c.isprintable() else "?" for c in (tree.text(described) or "")[:100])
        if text:
            yield Reading("firmware.tpm_description", text, "", ComponentKind.MOTHERBOARD, name, described, time)


def _reading(name: str, value: Value, source: str, time: str) -> Reading:
    return Reading(name, value, "", ComponentKind.MOTHERBOARD, "", source, time)


PROBE = FirmwareProbe()
