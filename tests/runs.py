"""A realistic run, artifact by artifact, for tests of the journal and of its readers."""

from __future__ import annotations

from collections.abc import Iterator

from agent.journal import Journal
from agent.model import (
    Component,
    ComponentKind,
    Evidence,
    Finding,
    Gap,
    Outcome,
    Reading,
    RunVerdict,
    Severity,
    Text,
    Verdict,
    ocp,
)
from agent.model.ocp import Artifact

TIME = "2026-11-23T14:22:33.123Z"

DISK = Component(ComponentKind.STORAGE_DEVICE, "nvme0", "三星", "SSD 980", "S64DNX0R", firmware="1B4QFXO7")

SMART = Evidence(
    kind="smartctl-json",
    subject="nvme0",
    data='{"model_name": "SSD 980 — 三星"}'.encode(),
    source="smartctl -j -a /dev/nvme0",
    time=TIME,
    exit_status=4,
    duration_s=0.25,
)


def media_errors(value: int) -> Reading:
    source = "smartctl -j -a /dev/nvme0"
    return Reading("storage.nvme.media_errors", value, "count", ComponentKind.STORAGE_DEVICE, "nvme0", source, TIME)


def temperature(value: float) -> Reading:
    source = "/sys/class/thermal/thermal_zone0/temp"
    return Reading("thermals.zone.temperature", value, "°C", ComponentKind.CPU, "thermal_zone0", source, TIME)


def run_start() -> Artifact:
    return ocp.run_start(
        version="0.1.0",
        command_line="aiodiag selfcheck --lang es",
        parameters={"plan": "quick", "needed": ["storage", "thermals"]},
        unit={"serial": "HB24A0017", "model": "AIO 27 “Plata”", "serial_source": "/sys/class/dmi/id/product_serial"},
        components=[DISK],
        metadata={"boot_id": "0d5c2a3e-9a55-4f0c-8f57-1f4f5b0c2a10", "monotonic_s": 12.345},
    )


def write(journal: Journal) -> Iterator[list[int]]:
    """Write a run with two steps into ``journal``; gives the new sequence numbers after each piece."""
    yield journal.append(run_start())
    yield journal.append(ocp.step_start("storage", "Almacenamiento 儲存裝置"))
    yield [journal.attach("storage", SMART)]
    evidence = journal.append(
        ocp.component("storage", DISK),
        ocp.measurement("storage", media_errors(17)),
        ocp.measurement("storage", media_errors(18)),
    )
    yield evidence
    found = Finding(
        code="DISK-1117",
        component=ComponentKind.STORAGE_DEVICE,
        subject="nvme0",
        severity=Severity.CRITICAL,
        verdict=Verdict.FAIL,
        confidence=0.77,
        values={"count": 18},
        evidence=(media_errors(17), media_errors(18)),
    )
    yield journal.append(*ocp.finding("storage", found, "El disco perdió datos: 18 errores\n(媒體錯誤)", evidence[1:]))
    yield journal.append(*ocp.step_end("storage", Outcome.PASS, None, 14.5, 2.25))
    yield journal.append(ocp.step_start("thermals", "Temperaturas 溫度"))
    yield journal.append(ocp.measurement("thermals", temperature(63.5)))
    yield journal.append(
        ocp.gap("thermals", Gap("fan1", Outcome.UNSUPPORTED, Text("the kernel shows no such sensor"), True))
    )
    reason = Text("the kernel shows no such sensor")
    yield journal.append(*ocp.step_end("thermals", Outcome.UNSUPPORTED, reason, 14.5, 2.25))
    yield journal.append(ocp.run_log("INFO", "tab\there, NUL \0 and U+2028 \u2028 too"))
    yield journal.append(ocp.run_end(RunVerdict.FAIL, complete=True))
