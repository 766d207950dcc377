"""Where a hardware test may write: a directory of its own, gone when its bout is over, however that ended."""

from __future__ import annotations

import contextlib
import os
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
    """Remove what a run left, if anything: it was killed, or the unit went down, or a test made something else of its
    directory. What cannot be removed stays.
    """
    folder = _beside(run)
    with contextlib.suppress(OSError):
        if folder.is_symlink() or not folder.is_dir():
            folder.unlink(missing_ok=True)
            return
        _unlock(folder)
        for path, names, _ in os.walk(folder):
            for name in names:
                _unlock(Path(path, name))
    shutil.rmtree(folder, ignore_errors=True)


def _unlock(folder: Path) -> None:
    """Have us enter and empty a directory that was closed to its owner, too."""
    with contextlib.suppress(OSError):
        if not folder.is_symlink():
            folder.chmod(0o700)


def _beside(run: Path) -> Path:
    return run.with_name(f"{run.name}.scratch")
