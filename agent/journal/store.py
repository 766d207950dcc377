"""The directory that holds the runs of this unit."""

from __future__ import annotations

import json
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from agent.journal.reader import open_plain
from agent.journal.writer import Journal
from agent.model.run_view import JOURNAL

_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}", re.ASCII)

_TAIL = 64 * 1024
"""Bytes at the end of a journal in which its ``testRunEnd`` is looked for; nothing but a few lines follows it. Ours."""


class RunStore:
    """Runs below ``root/runs``, each in a directory named by its id: UTC time and a random part, so sorted by age."""

    def __init__(self, root: Path) -> None:
        self._runs = root / "runs"

    def new(self) -> tuple[str, Journal]:
        """Begin a run. Raises :class:`~agent.journal.errors.JournalError` when it cannot be written."""
        while True:
            run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
            try:
                return run_id, Journal.create(self._runs / run_id)
            except FileExistsError:
                continue

    def open_runs(self) -> list[str]:
        """The runs that never came to their end, oldest first. A run that another process is writing just now is among
        them; :meth:`Journal.reopen` tells it apart by its lock. A damaged run counts as open until it was reopened.
        """
        return [run_id for run_id in self._ids() if not _ended(self._runs / run_id / JOURNAL)]

    def path(self, run_id: str) -> Path:
        """The directory of a run; raises ``KeyError`` when there is none of that name."""
        if not _is_run(self._runs, run_id):
            raise KeyError(run_id)
        return self._runs / run_id

    def latest(self) -> str | None:
        """The newest run; ``None`` when there is none."""
        return max(self._ids(), default=None)

    def before(self, run_id: str) -> list[str]:
        """The runs that began before another one, newest first."""
        return [earlier for earlier in reversed(self._ids()) if earlier < run_id]

    def _ids(self) -> list[str]:
        try:
            names = os.listdir(self._runs)
        except OSError:  # none yet, or not ours to see
            return []
        return sorted(name for name in names if _is_run(self._runs, name))


def _is_run(runs: Path, name: str) -> bool:
    """A directory that has a journal, or had one: whoever set it aside may have been killed before the new one."""
    directory = runs / name
    if not _RUN_ID.fullmatch(name) or directory.is_symlink():
        return False
    try:
        return any(entry.startswith("journal.") for entry in os.listdir(directory))
    except OSError:
        return False


def _ended(journal: Path) -> bool:
    try:
        with open(journal, "rb", opener=open_plain) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read(_TAIL).split(b"\n")[:-1]
    except OSError:
        return False
    return any(b'"testRunEnd"' in line and _is_run_end(line) for line in reversed(lines))


def _is_run_end(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    artifact = record.get("testRunArtifact") if isinstance(record, dict) else None
    return isinstance(artifact, dict) and "testRunEnd" in artifact
