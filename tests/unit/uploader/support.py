"""A run directory and what it is bound to."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from agent.model import Evidence, Outcome, RunVerdict, ocp
from uploader.bundle.format import Version
from uploader.bundle.seal import Binding

ROOT = Path(__file__).resolve().parents[3]
EDID = bytes(range(256))


BINDING = Binding(
    rma="HB26-483920-5",
    serial="HB-AIO-0001",
    serial_source="dmi:product_serial",
    model="AIO 24",
    nonce="n0nce",
    run_id="20260101T000000Z-abc",
    boot_id="4e6f0a6c-1111-4222-8333-444455556666",
    tool=Version("aiodiag", "0.1.0"),
    plan=Version("quick", "1"),
    verdict=RunVerdict.PASS,
)


def write_run(folder: Path) -> Path:
    """A small run: one step that passed, one that could not see anything, two attachments."""
    attachments = folder / "attachments"
    attachments.mkdir(parents=True)
    (attachments / "edid-card0.bin").write_bytes(EDID)
    (attachments / "kernel-log.txt.gz").write_bytes(gzip.compress(b"usb 1-1: reset\n" * 400, mtime=0))
    evidence = Evidence("edid", "card0", EDID, "/sys/class/drm/card0/edid", "2026-01-01T00:00:00Z")
    artifacts = [
        ocp.SCHEMA_VERSION,
        ocp.step_start("probe.panel", "panel"),
        ocp.attachment("probe.panel", evidence, "attachments/edid-card0.bin", "0" * 64, len(EDID)),
        *ocp.step_end("probe.panel", Outcome.PASS, None, 1.0, 0.1),
        ocp.step_start("probe.camera", "camera"),
        *ocp.step_end("probe.camera", Outcome.UNSUPPORTED, None, 2.0, 0.1),
    ]
    lines = [
        json.dumps({**artifact, "sequenceNumber": number, "timestamp": "2026-01-01T00:00:00Z"})
        for number, artifact in enumerate(artifacts)
    ]
    (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
    return folder
