"""The evidence of a run that this agent or another one recorded: from a bundle, or from the run directory."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from agent import journal
from agent.diagnose.capture import KEPT_OUTCOMES, Capture, CapturedStep
from agent.diagnose.files import InputRefused
from agent.diagnose.strict import read_header
from agent.model import Evidence, Gap, Outcome, Text
from agent.model.run_view import JOURNAL, Record, RunView, StepView
from agent.model.step_name import concludes
from uploader.bundle.format import MAX_DECOMPRESSED
from uploader.bundle.run_directory import RunDirectory
from uploader.bundle.verify import BundleRejected, VerifiedBundle, open_bundle
from uploader.strict_json import Malformed

EVIDENCE_CAP = 256 * 1024 * 1024
"""Bytes of evidence of one run; ours, what the runner takes of a single step. All of it is in memory at once."""

Stored = Callable[[str], tuple[bytes, str]]
"""Gives the evidence in the file of that name in the run directory, and the SHA-256 of the file as it is stored. Raises
``KeyError``, ``OSError`` or ``ValueError`` where there is none.
"""


def of_bundle(path: Path) -> Capture:
    """The evidence in a bundle. Raises :class:`InputRefused` for one that is not what its key signed."""
    try:
        with open_bundle(path) as bundle:
            run = bundle.statement.run
            return captured(bundle.journal(), _in_bundle(bundle), run_id=run.run_id)
    except BundleRejected as e:
        raise InputRefused(e.reason) from e


def of_run_directory(path: Path) -> Capture:
    """The evidence in a run directory, which is named like the run. Raises :class:`InputRefused`."""
    try:
        with RunDirectory(path) as directory:
            return captured(journal.read(path / JOURNAL), _in_directory(directory), run_id=path.name)
    except journal.JournalError as e:
        raise InputRefused(e.reason) from e
    except (OSError, Malformed) as e:
        raise InputRefused(Text("could not be read: {error}", {"error": str(e)})) from e


def captured(records: Iterable[Record], stored: Stored, *, run_id: str) -> Capture:
    """The evidence that the records of a journal name. What is missing or not what was recorded becomes a gap: an area
    whose evidence is lost was not looked at. Raises :class:`InputRefused` where there is too much.
    """
    view = RunView.from_records(record for record in records if not _is_concluded(record))
    room = _Room(stored)
    steps = tuple(_step(step_id, step, room) for step_id, step in view.steps.items() if not concludes(step_id))
    return Capture(
        unit=view.unit,
        needed=tuple(view.needed),
        steps=steps,
        run_id=run_id,
        agent=view.version,
        started=view.started,
        plan=str(view.parameters.get("plan") or ""),
        symptom=str(view.parameters.get("symptom") or ""),
    )


def _is_concluded(record: Record) -> bool:
    """A reading, part or finding: it is concluded again, and there may be many."""
    artifact = record.get("testStepArtifact")
    if not isinstance(artifact, dict):
        return False
    extension = artifact.get("extension")
    concluded = isinstance(extension, dict) and extension.get("name") in ("component", "finding")
    return concluded or "measurement" in artifact or "diagnosis" in artifact


def _step(step_id: str, step: StepView, room: _Room) -> CapturedStep:
    evidence: list[Evidence] = []
    gaps = step.gaps if step.gathered is None else step.gaps[: step.gathered]
    lost: list[Gap] = []
    for file in step.files:
        try:
            evidence.append(room.evidence(file))
        except (KeyError, TypeError, ValueError, OSError) as e:
            reason = Text("could not be read: {error}", {"error": str(file.get("uri"))[:200] + f" ({e})"[:200]})
            lost.append(Gap("", Outcome.ERROR, reason, essential=True))
    outcome, reason_kept = _kept(step)
    return CapturedStep(step_id, tuple(evidence), (*gaps, *lost), outcome, reason_kept)


def _kept(step: StepView) -> tuple[Outcome | None, Text | None]:
    """What the evidence does not tell: that the unit went down, somebody stopped the step, or gathering broke. What
    broke after that, an agent of today may do better.
    """
    if step.outcome is None:
        return Outcome.INTERRUPTED, Text("the agent or the unit went down")
    broke = step.outcome is Outcome.ERROR and step.errors and step.gathered is None
    if broke or (step.outcome in KEPT_OUTCOMES and step.outcome is not Outcome.ERROR):
        return step.outcome, step.reason
    return None, None


class _Room:
    """What may still come into memory."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._left = EVIDENCE_CAP

    def evidence(self, file: dict[str, Any]) -> Evidence:
        """The evidence of a ``file`` artifact."""
        metadata = file["metadata"]
        header = read_header(metadata)
        data, sha256 = self._stored(str(file["uri"]))
        if sha256 != metadata["sha256"]:
            raise ValueError("not what was recorded")
        self._left -= len(data)
        if self._left < 0:
            raise InputRefused(Text("the evidence is larger than allowed"))
        return Evidence.from_header(header, data)


def _in_bundle(bundle: VerifiedBundle) -> Stored:
    digests = {subject.name: subject.sha256 for subject in bundle.statement.subjects}

    def stored(name: str) -> tuple[bytes, str]:
        return bundle.read_attachment(name), digests[name]

    return stored


def _in_directory(directory: RunDirectory) -> Stored:
    names = set(directory.names())

    def stored(name: str) -> tuple[bytes, str]:
        if name not in names:
            raise KeyError(name)
        data = b"".join(_capped(directory.chunks(name)))
        return (_unpacked(data) if name.endswith(".gz") else data), hashlib.sha256(data).hexdigest()

    return stored


def _capped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    left = MAX_DECOMPRESSED
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise ValueError(f"more than {MAX_DECOMPRESSED} bytes")
        yield chunk


def _unpacked(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(MAX_DECOMPRESSED + 1)
    except (EOFError, zlib.error) as e:
        raise ValueError(str(e)) from e
    if len(plain) > MAX_DECOMPRESSED:
        raise ValueError(f"more than {MAX_DECOMPRESSED} bytes")
    return plain


def evidence_of_run(path: Path, kind: str) -> list[Evidence]:
    """The evidence of one kind in a run directory, as far as it can be read. Raises :class:`InputRefused`."""
    found: list[Evidence] = []
    try:
        with RunDirectory(path) as directory:
            room = _Room(_in_directory(directory))
            for step in RunView.from_records(journal.read(path / JOURNAL)).steps.values():
                for file in step.files:
                    with contextlib.suppress(KeyError, TypeError, ValueError):
                        if read_header(file["metadata"])["kind"] == kind:
                            found.append(room.evidence(file))
    except journal.JournalError as e:
        raise InputRefused(e.reason) from e
    except (OSError, Malformed) as e:
        raise InputRefused(Text("could not be read: {error}", {"error": str(e)})) from e
    return found
