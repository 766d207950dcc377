"""What can be saved of a journal whose writer was cut off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

from agent.journal.reader import scan


@dataclass(frozen=True, slots=True)
class Recovery:
    """What :meth:`Journal.reopen` found.

    ``torn`` is the last line's beginning that was cut off, ``set_aside`` the damaged journal under its new name.
    ``records``, ``open_steps`` (started and not ended, in that order) and ``ended`` (there is a ``testRunEnd``) tell of
    the whole records that the journal goes on from; of a journal that was set aside there are none.
    """

    torn: bytes
    set_aside: Path | None
    records: int
    open_steps: tuple[str, ...]
    ended: bool


def salvage(file: IO[bytes]) -> tuple[Recovery, int]:
    """What the journal holds, and how many bytes of it are whole records.

    Raises :class:`~agent.journal.errors.JournalDamaged` when more than its last line is wrong.
    """
    records = size = 0
    open_steps: dict[str, None] = {}
    ended = False
    for record, end in scan(file):
        records, size = records + 1, end
        step = record.get("testStepArtifact", {})
        if "testStepStart" in step:
            open_steps[str(step.get("testStepId"))] = None
        elif "testStepEnd" in step:
            open_steps.pop(str(step.get("testStepId")), None)
        ended = ended or "testRunEnd" in record.get("testRunArtifact", {})
    file.seek(size)
    return Recovery(file.read(), None, records, tuple(open_steps), ended), size
