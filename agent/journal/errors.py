"""What can go wrong with a journal, in words for a person."""

from __future__ import annotations

import errno
import os

from agent.model.text import Text

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class JournalError(Exception):
    """The record of the run could not be written. What was written before stays as it is."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


class JournalDamaged(JournalError):
    """A journal holds something that its writer never wrote. ``line`` counts from 1; all before it is whole."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(Text("the journal is damaged at line {line}: {error}", {"line": line, "error": what}))
        self.line = line


def from_os_error(error: OSError, path: str | os.PathLike[str]) -> JournalError:
    """The failure of a system call on ``path``, as a reason that says what to do about it."""
    name = os.fspath(path)
    if error.errno in _FULL:
        return JournalError(Text("the disk is full: {path}", {"path": name}))
    if error.errno == errno.EROFS:
        return JournalError(Text("the file system is read-only: {path}", {"path": name}))
    if error.errno == errno.EIO:
        return JournalError(Text("the disk reported an error: {path}", {"path": name}))
    what = error.strerror or type(error).__name__
    return JournalError(Text("could not be written: {path}: {error}", {"path": name, "error": what}))
