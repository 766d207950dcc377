"""The words as OCP Test & Validation output 2.0 artifacts.

Each function gives the ``artifact`` part of one record; the journal adds sequence number and time. What OCP has no
field for (a gap, a component, our finer outcomes) goes into its ``extension`` artifact.
Source: opencomputeproject/ocp-diag-core, json_spec/output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.model.component import Component
from agent.model.evidence import Evidence
from agent.model.finding import Finding
from agent.model.gap import Gap
from agent.model.heartbeat import Heartbeat
from agent.model.outcome import Outcome, RunVerdict, Verdict
from agent.model.reading import Reading
from agent.model.text import Text

Artifact = dict[str, Any]

SCHEMA_VERSION: Artifact = {"schemaVersion": {"major": 2, "minor": 0}}

_STEP_STATUS = {
    Outcome.PASS: "COMPLETE",
    Outcome.FAIL: "COMPLETE",
    Outcome.UNSUPPORTED: "SKIP",
    Outcome.SKIPPED: "SKIP",
    Outcome.ERROR: "ERROR",
    Outcome.INTERRUPTED: "ERROR",
}
_RUN_RESULT = {RunVerdict.PASS: "PASS", RunVerdict.FAIL: "FAIL", RunVerdict.INCOMPLETE: "NOT_APPLICABLE"}
_DIAGNOSIS_TYPE = {Verdict.PASS: "PASS", Verdict.FAIL: "FAIL", Verdict.UNKNOWN: "UNKNOWN"}


def run_start(
    *,
    version: str,
    command_line: str,
    parameters: Mapping[str, Any],
    unit: Mapping[str, str],
    components: list[Component],
    metadata: Mapping[str, Any],
) -> Artifact:
    """The run begins. ``unit`` is ``{serial, serial_source, manufacturer, model, ...}``; ``parameters`` say what was
    asked for and what is needed; ``metadata`` holds boot id, monotonic time and versions.
    """
    dut = {
        "dutInfoId": unit.get("serial") or "unknown",
        "name": unit.get("model", ""),
        "hardwareInfos": [_hardware(c) for c in components],
        "metadata": dict(unit),
    }
    start = {
        "name": "aiodiag",
        "version": version,
        "commandLine": command_line,
        "parameters": dict(parameters),
        "dutInfo": dut,
        "metadata": dict(metadata),
    }
    return {"testRunArtifact": {"testRunStart": start}}


def run_end(verdict: RunVerdict, *, complete: bool) -> Artifact:
    """The run ends. ``complete`` is false when it was stopped."""
    end = {"status": "COMPLETE" if complete else "ERROR", "result": _RUN_RESULT[verdict]}
    return {"testRunArtifact": {"testRunEnd": end}}


def run_log(severity: str, message: str) -> Artifact:
    """A line for the reader of the journal. ``severity`` is one of OCP's INFO, DEBUG, WARNING, ERROR, FATAL."""
    return {"testRunArtifact": {"log": {"severity": severity, "message": message}}}


def run_error(symptom: str, message: str) -> Artifact:
    """Something of ours went wrong outside any step."""
    return {"testRunArtifact": {"error": {"symptom": symptom, "message": message}}}


def step_start(step: str, name: str) -> Artifact:
    """A step begins."""
    return _step(step, {"testStepStart": {"name": name}})


def step_end(
    step: str, outcome: Outcome, reason: Text | None, monotonic_s: float, duration_s: float
) -> tuple[Artifact, Artifact]:
    """A step ends: what came of it in our finer words, then in those of OCP. The first alone does not end it."""
    content = {
        "outcome": outcome.value,
        "reason": reason.to_json() if reason else None,
        "monotonic_s": round(monotonic_s, 3),
        "duration_s": round(duration_s, 3),
    }
    end = _step(step, {"testStepEnd": {"status": _STEP_STATUS[outcome]}})
    return extension(step, "outcome", content), end


def step_error(step: str, symptom: str, message: str) -> Artifact:
    """A tool broke during a step. ``symptom`` is a short kebab-case word."""
    return _step(step, {"error": {"symptom": symptom, "message": message}})


def measurement(step: str, reading: Reading) -> Artifact:
    """A reading."""
    content: dict[str, Any] = {"name": reading.name, "value": reading.value}
    if reading.unit:
        content["unit"] = reading.unit
    content["subcomponent"] = {"name": reading.subject}
    content["metadata"] = {"component": reading.component.value, "source": reading.source, "time": reading.time}
    return _step(step, {"measurement": content})


def component(step: str, part: Component) -> Artifact:
    """A part found during the run (OCP's own list is closed when the run starts)."""
    return extension(step, "component", part.to_json())


def gap(step: str, missing: Gap) -> Artifact:
    """Something that was not looked at."""
    return extension(step, "gap", missing.to_json())


def gathered(step: str) -> Artifact:
    """The step has all its evidence: what it records from here on, it concluded from that."""
    return extension(step, "gathered", {})


def heartbeat(step: str, beat: Heartbeat) -> Artifact:
    """The unit is still there."""
    return extension(step, "heartbeat", beat.to_json())


def finding(step: str, found: Finding, message: str, evidence: list[int]) -> list[Artifact]:
    """A finding: OCP's diagnosis for any tool, then ours; ``evidence`` are the sequence numbers of the measurements."""
    diagnosis = {
        "verdict": found.code,
        "type": _DIAGNOSIS_TYPE[found.verdict],
        "message": message,
        "subcomponent": {"name": found.subject},
    }
    content = {**found.to_json(), "records": evidence}
    return [_step(step, {"diagnosis": diagnosis}), extension(step, "finding", content)]


def attachment(step: str, evidence: Evidence, uri: str, sha256: str, size: int) -> Artifact:
    """Raw evidence, stored as the file ``uri`` of the run directory; digest and size are those of the stored file."""
    content_type = "application/json" if evidence.file_name.endswith(".json") else "text/plain"
    content = {
        "displayName": evidence.file_name,
        "uri": uri,
        "contentType": content_type,
        "isSnapshot": True,
        "metadata": {**evidence.header(), "sha256": sha256, "size": size},
    }
    return _step(step, {"file": content})


def extension(step: str, name: str, content: Mapping[str, Any]) -> Artifact:
    """A record of ours in a step."""
    return _step(step, {"extension": {"name": name, "content": dict(content)}})


def _step(step: str, body: Mapping[str, Any]) -> Artifact:
    return {"testStepArtifact": {"testStepId": step, **body}}


def _hardware(part: Component) -> dict[str, str]:
    info = {
        "hardwareInfoId": f"{part.kind.value}:{part.name}",
        "name": part.description or part.model or part.kind.value,
        "serialNumber": part.serial,
        "partNumber": part.part_number,
        "manufacturer": part.manufacturer,
        "version": part.firmware,
        "location": part.location,
    }
    return {k: v for k, v in info.items() if v or k in ("hardwareInfoId", "name")}
