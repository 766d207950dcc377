"""A record of a journal: its own words stay, what it quotes of the device is redacted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agent.model.run_view import Record
from agent.redaction.redactor import Reading, Redactor

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Unfit(ValueError):
    """A line that is no record."""


_OWN_WORDS = frozenset(
    {
        "boot_id", "code", "component", "contentType", "isSnapshot", "kind", "language", "outcome", "plan",
        "plan_version", "result", "rma", "schemaVersion", "sequenceNumber", "serial_source", "severity", "sha256",
        "status", "symptom", "testStepId", "text", "time", "timestamp", "type", "unit", "verdict",
    }
)  # fmt: skip
"""Members whose values are words of ours (:mod:`agent.model.ocp`)."""
_NAMED_BY_US = frozenset({"testRunStart", "testStepStart", "measurement", "extension", "evidence"})
"""Objects whose ``name`` is one."""
_SERIALS = frozenset({"serial", "serialNumber", "dutInfoId", "board_serial", "chassis_serial"})
_VERSIONS = frozenset({"firmware", "version", "bios", "model", "part_number", "partNumber"})
_PARTS_OWN = frozenset({*_SERIALS, "part_number", "partNumber", "model", "firmware", "manufacturer"})
_FILE_NAMES = frozenset({"displayName", "uri"})
_LISTS_OF_OURS = frozenset({"needed", "records"})


def redact_record(line: bytes, redactor: Redactor, files: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A line of the journal with pseudonyms. ``files`` says what became of the files of the run: by its ``uri``, the
    members of its record that changed. Raises :class:`Unfit`.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as e:
        raise Unfit(str(e)) from e
    if not isinstance(record, dict):
        raise Unfit("not an object")
    file = _file(record)
    made = _redacted(record, "", redactor)
    if file is not None and file.get("uri") in files:
        changed, target = files[file["uri"]], _file(made) or {}
        target["uri"] = changed["uri"]
        if isinstance(target.get("metadata"), dict):
            target["metadata"] |= {key: changed[key] for key in ("sha256", "size")}
    if made == record:
        return line
    return _encode(made).encode("utf-8", "surrogatepass") + (b"\n" if line.endswith(b"\n") else b"")


def serials(records: Iterable[Record]) -> Iterator[str]:
    """What the unit and its parts call themselves: serial and part numbers, models, firmware, makers."""
    for record in records:
        yield from _own(record, "")


def _own(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _own(member, _PART if name == "value" and _is_of_part(value) else name)
    elif isinstance(value, list):
        for member in value:
            yield from _own(member, key)
    elif isinstance(value, str) and key in _PARTS_OWN:
        yield value.strip()


_PART = "serial"


def _is_of_part(reading: Mapping[str, Any]) -> bool:
    """Whether a reading tells a number of the unit or a part: ``unit.serial``, ``inventory.panel.part_number``."""
    return str(reading.get("name", "")).endswith((".serial", ".part_number"))


def _file(record: Mapping[str, Any]) -> dict[str, Any] | None:
    artifact = record.get("testStepArtifact")
    file = artifact.get("file") if isinstance(artifact, dict) else None
    return file if isinstance(file, dict) else None


def _redacted(value: Any, parent: str, redactor: Redactor) -> Any:
    """``parent`` is the member of which ``value`` is."""
    if isinstance(value, dict):
        kept = "value" if _is_of_part(value) else ""
        return {k: m if k == kept else _member(k, m, parent, redactor) for k, m in value.items()}
    if isinstance(value, list):
        return [_redacted(member, parent, redactor) for member in value]
    if isinstance(value, str):
        return redactor.text(value, Reading(versions=parent in _VERSIONS))
    return value


def _member(key: str, value: Any, parent: str, redactor: Redactor) -> Any:
    if isinstance(value, str) and (key in _OWN_WORDS or key in _SERIALS or (key == "name" and parent in _NAMED_BY_US)):
        return value
    if key in _LISTS_OF_OURS:
        return value
    if parent == "file" and key in _FILE_NAMES and isinstance(value, str):
        folder, slash, name = value.rpartition("/")
        return folder + slash + redactor.file_name(name)
    return _redacted(value, key, redactor)
