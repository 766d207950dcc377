"""Where hardware tests may write: a directory of the run's own, gone when the run is over, however it ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.journal.errors import from_os_error


@contextmanager
def scratch(run: Path) -> Iterator[Path]:
    """The directory, empty; beside that of the run, thus on the disk that the unit works with.

    Raises :class:`agent.journal.JournalError` where it cannot be made: then nothing can be recorded there either.
    """
    folder = _beside(run)
    remove(run)  # the run may have been cut off and now goes on
    try:
        folder.mkdir(mode=0o700)
    except OSError as e:
        raise from_os_error(e, folder) from e
    try:
        yield folder
    finally:
        remove(run)


def remove(run: Path) -> None:
    """Remove what a run left, if anything: it was killed, or the unit went down. What cannot be removed stays."""
    shutil.rmtree(_beside(run), ignore_errors=True)


def _beside(run: Path) -> Path:
    return run.with_name(f"{run.name}.scratch")
