"""A unit whose key is in a TPM, as it proves that to a receiver: step by step, for whoever wants to do one wrongly."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from server_stub.cases import find
from server_stub.db import DeviceKey
from server_stub.key_levels import level_of
from server_stub.settings import API
from tests.device import Device
from tests.swtpm import Swtpm
from tests.unit.server.conftest import Bench
from uploader import dsse, strict_json
from uploader.bundle.seal import SealingKey
from uploader.device_key import TpmKey, device_key
from uploader.endorsement import Endorsement, activated, endorsement
from uploader.keys import PublicKey
from uploader.receiver import ANSWER_TYPE, CHALLENGE_TYPE


@dataclass(frozen=True)
class Proving:
    """A device with a case, and what its TPM shows."""

    bench: Bench
    device: Device
    rma: str
    shown: Endorsement

    def but(self, **changes: bytes) -> Proving:
        """Showing something else."""
        return replace(self, shown=replace(self.shown, **changes))

    def said(self, call: str, kind: str, key: SealingKey | None = None, /, **said: str) -> Any:
        """The answer to a call that says ``said``, signed by ``key``."""
        return self.bench.http.post(f"{API}/cases/{self.rma}/{call}", data=self.envelope(kind, key, **said))

    def envelope(self, kind: str, key: SealingKey | None = None, /, **said: str) -> bytes:
        """What such a call takes."""
        payload = {"rma": self.rma, "serial": self.device.serial, **said}
        return dsse.sign(strict_json.canonical(payload), kind, key or self.device.key)

    def challenge(self, nonce: str | None = None, key: SealingKey | None = None, /, **changed: str) -> Any:
        """The answer to what is shown."""
        return self.said("tpm-challenge", CHALLENGE_TYPE, key, **{**self.showing(nonce), **changed})

    def showing(self, nonce: str | None = None) -> dict[str, str]:
        """What is said of the TPM."""
        return {
            "nonce": nonce if nonce is not None else self.bench.nonce(self.device, self.rma),
            "ek_certificate": coded(self.shown.certificate),
            "ek_public": coded(self.shown.public),
            "key_public": coded(self.shown.key_public),
        }

    def secret(self, given: Any) -> str:
        """What the TPM reads in a challenge."""
        assert isinstance(self.device.key, TpmKey)
        assert given.status_code == 200, given.text
        credential, seed = (base64.b64decode(given.json()[name]) for name in ("credential", "seed"))
        return coded(activated(self.device.key.tpm, self.device.key.public, self.shown, credential, seed))

    def answer(self, given: Any, secret: str, key: SealingKey | None = None) -> Any:
        """The answer to a secret."""
        return self.said("tpm-answer", ANSWER_TYPE, key, challenge=str(given.json()["challenge"]), secret=secret)

    def prove(self) -> Any:
        """All of it, rightly."""
        given = self.challenge()
        return self.answer(given, self.secret(given))

    @property
    def known(self) -> tuple[str, str, str]:
        """State of the key, how well it is known, and why not better."""
        with self.bench.receiver.db.read() as session:
            keys = session.scalars(select(DeviceKey).where(DeviceKey.keyid == self.device.key.public.keyid)).all()
            [row] = [key for key in keys if key.unit_id == self._unit]
            return row.state.value, level_of(session, row).value, row.unproven

    @property
    def _unit(self) -> int:
        with self.bench.receiver.db.read() as session:
            case = find(session, self.rma)
            assert case is not None
            return case.unit_id


@dataclass(frozen=True)
class Board:
    """A mainboard: a key in its TPM, and what that shows."""

    key: TpmKey
    shown: Endorsement

    @classmethod
    def of(cls, swtpm: Swtpm, folder: Path) -> Board:
        tpm = swtpm.tpm(folder / "key" / "tpm")
        key = device_key(folder / "key", "any", tpm, lambda text: pytest.fail(str(text)))
        assert isinstance(key, TpmKey)
        return cls(key, endorsement(tpm, key.public))

    def unit(self, bench: Bench, folder: Path, serial: str) -> Proving:
        """It in a unit with a case."""
        rma = bench.open_case(serial).case.rma
        return Proving(bench, Device(folder, serial, self.key), rma, self.shown)


def of_software(key: PublicKey, ek: EllipticCurvePrivateKey, certificate: bytes) -> Endorsement:
    """What a TPM would show that held both; for what need not know where a key lives."""
    point = ek.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()
    policy = "0020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
    ek_area = f"007a0023000b000300b2{policy}00060080004300100003" + f"00100020{point[2:66]}0020{point[66:]}"
    key_area = "00580023000b00040472000000100018000b00030010" + f"0020{key.raw_hex[2:66]}0020{key.raw_hex[66:]}"
    return Endorsement(certificate, bytes.fromhex(ek_area), bytes.fromhex(key_area))


def coded(content: bytes) -> str:
    """Base64."""
    return base64.b64encode(content).decode()
