"""What the mutations begin with: bundles that two real units sealed for cases of a real receiver."""

from __future__ import annotations

import os
from pathlib import Path

from agent.model import ComponentKind, Evidence, Finding, Reading, Severity, Verdict
from server_stub import enrolment
from server_stub.cases import open_case
from server_stub.receiver import Receiver
from tests.device import TIME, Contents, Device
from tests.fuzz.mutant import Seed
from tests.p256_key import P256Key
from uploader.keys import DeviceKey

_DISK = ComponentKind.STORAGE_DEVICE
_FAULT = Finding(
    code="LOG-8400",
    component=_DISK,
    subject="sda",
    severity=Severity.CRITICAL,
    verdict=Verdict.FAIL,
    confidence=0.77,
    values={"count": 3},
)
_READING = Reading("storage.ata.pending", 3, "count", _DISK, "sda", "smartctl -j -a /dev/sda", TIME)


def _evidence(size: int) -> Evidence:
    return Evidence("dmesg", "", os.urandom(size // 2).hex().encode(), "dmesg", TIME)


SMALL = Contents(findings=[_FAULT], readings=[_READING], evidence=[_evidence(2000)])
PACKED = Contents(readings=[_READING], evidence=[_evidence(70_000), _evidence(300)])
LARGE = Contents(evidence=[_evidence(6 << 20)])


def seal_all(receiver: Receiver, folder: Path) -> tuple[list[Seed], Seed]:
    """The small seeds, and a large one that is to be used now and then."""
    file_unit = Device(folder / "file", "HB24A0017")
    tpm_unit = Device(folder / "tpm", "HB24A0018", P256Key())
    strangers = (DeviceKey.load_or_create(folder / "stranger"), P256Key())
    seeds = []
    for number, (device, contents, bound) in enumerate(
        ((file_unit, SMALL, True), (file_unit, SMALL, False), (tpm_unit, SMALL, True), (tpm_unit, PACKED, True)), 1
    ):
        seeds.append(_seal(receiver, device, contents, f"bundle {number}", strangers[number % 2], bound=bound))
    return seeds, _seal(receiver, file_unit, LARGE, "large bundle", strangers[0], bound=True)


def _seal(
    receiver: Receiver, device: Device, contents: Contents, name: str, stranger: DeviceKey | P256Key, *, bound: bool
) -> Seed:
    with receiver.db.write() as session:
        rma = open_case(session, serial=device.serial, model="AIO 27").case.rma
    wanted = enrolment.Request.verify(device.enrolment(rma))
    with receiver.db.write() as session:
        nonce = enrolment.enrol(session, rma, wanted).nonce
    sealed = device.bundle(rma if bound else None, nonce if bound else None, contents)
    return Seed(name, sealed.path.read_bytes(), rma, device.serial, device.key, stranger)
