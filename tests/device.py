"""A unit with a key, as the receiver meets it: it runs, seals and enrols with the agent's own code."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.journal import RunStore
from agent.model import Component, Evidence, Finding, Gap, Outcome, Reading, RunVerdict, ocp
from tests.pictures import picture
from uploader import dsse, strict_json
from uploader.bundle.format import Version
from uploader.bundle.seal import Binding, Sealed, SealingKey, seal
from uploader.keys import DeviceKey

TIME = "2026-11-23T14:22:33.123Z"
ENROLMENT_TYPE = "application/vnd.hibertek.aiodiag.enrolment+json"


@dataclass(frozen=True, slots=True)
class Contents:
    """What one step of a run saw."""

    findings: Sequence[Finding] = ()
    components: Sequence[Component] = ()
    readings: Sequence[Reading] = ()
    gaps: Sequence[Gap] = ()
    evidence: Sequence[Evidence] = ()
    needed: Any = ("storage",)
    raw: bytes = b""
    """Lines that no journal of ours would hold; they go to its end."""
    photograph: int = 0
    """Bytes of a picture that does not compress; none for 0."""


EMPTY = Contents()


class Device:
    """``serial`` is what its firmware says; its state lives in ``folder``."""

    def __init__(self, folder: Path, serial: str, key: SealingKey | None = None) -> None:
        self.folder = folder
        self.serial = serial
        self.key: SealingKey = key or DeviceKey.load_or_create(folder / "key")

    def enrolment(self, rma: str, rotation: bytes | None = None) -> bytes:
        payload = {
            "rma": rma,
            "serial": self.serial,
            "key": self.key.public.to_json(),
            "key_protection": self.key.protection,
            "time": TIME,
        }
        if rotation is not None:
            payload["rotation"] = rotation.decode()
        return dsse.sign(strict_json.canonical(payload), ENROLMENT_TYPE, self.key)

    def bundle(
        self, rma: str | None, nonce: str | None = None, contents: Contents = EMPTY, *, model: str = "AIO 27"
    ) -> Sealed:
        store = RunStore(self.folder)
        run_id, journal = store.new()
        with journal:
            journal.append(
                ocp.run_start(
                    version="0.1.0",
                    command_line="aiodiag selfcheck",
                    parameters={"plan": "quick", "needed": contents.needed},
                    unit={"serial": self.serial, "serial_source": "typed", "model": model},
                    components=[],
                    metadata={"boot_id": "0d5c2a3e-9a55-4f0c-8f57-1f4f5b0c2a10"},
                )
            )
            journal.append(ocp.step_start("storage", "storage"))
            for evidence in contents.evidence:
                journal.attach("storage", evidence)
            for part in contents.components:
                journal.append(ocp.component("storage", part))
            records = [journal.append(ocp.measurement("storage", reading))[0] for reading in contents.readings]
            for gap in contents.gaps:
                journal.append(ocp.gap("storage", gap))
            for finding in contents.findings:
                journal.append(*ocp.finding("storage", finding, finding.code, records))
            journal.append(*ocp.step_end("storage", Outcome.PASS, None, 12.0, 0.42))
            journal.append(ocp.run_end(RunVerdict.PASS, complete=True))
        with (store.path(run_id) / "journal.jsonl").open("ab") as file:
            file.write(contents.raw)
        if contents.photograph:
            (store.path(run_id) / "attachments").mkdir(exist_ok=True)
            (store.path(run_id) / "attachments" / "camera.png").write_bytes(picture(contents.photograph))
        binding = Binding(
            rma=rma,
            serial=self.serial,
            serial_source="typed",
            model=model,
            nonce=nonce,
            run_id=run_id,
            boot_id="0d5c2a3e-9a55-4f0c-8f57-1f4f5b0c2a10",
            tool=Version("aiodiag", "0.1.0"),
            plan=Version("quick", "1"),
            verdict=RunVerdict.PASS,
        )
        return seal(store.path(run_id), self.folder / "bundles", self.key, binding)


def metadata(rma: str, serial: str, content: bytes, digest: str | None = None) -> dict[str, str]:
    """What tus is told of a bundle."""
    sha256 = digest or hashlib.sha256(content).hexdigest()
    return {"rma": rma, "serial": serial, "sha256": sha256, "filename": "a.aiodiag.zip"}


def encode_metadata(pairs: dict[str, str]) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def checksum(content: bytes) -> str:
    return "sha256 " + base64.b64encode(hashlib.sha256(content).digest()).decode()
