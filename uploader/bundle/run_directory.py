"""A run directory as the sealer reads it: regular files by descriptor, no link followed anywhere."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from agent.model.run_view import JOURNAL, RunView
from uploader.bundle.format import ATTACHMENTS, MAX_ENTRIES, check_name
from uploader.strict_json import Malformed

_CHUNK = 1 << 20
_MAX_LINE = 8 << 20


class RunDirectory:
    """An open run directory; raises ``OSError`` or :class:`Malformed` for what a bundle cannot hold."""

    def __init__(self, path: Path) -> None:
        self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._attachments: int | None = None
        try:
            self._attachments = os.open(
                ATTACHMENTS.rstrip("/"),
                os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                dir_fd=self._directory,
            )
        except FileNotFoundError:
            pass  # a run that gathered nothing
        except BaseException:
            os.close(self._directory)
            raise

    def names(self) -> list[str]:
        """The journal, then the attachments by name."""
        if self._attachments is None:
            return [JOURNAL]
        attachments = sorted(os.listdir(self._attachments))
        if len(attachments) > MAX_ENTRIES:
            raise Malformed(f"more than {MAX_ENTRIES} attachments")
        names = [f"{ATTACHMENTS}{name}" for name in attachments]
        for name in names:
            check_name(name)
        return [JOURNAL, *names]

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of one of :meth:`names`."""
        with self._open(name) as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def outline(self) -> RunView:
        """The run without its measurements, which may be many: steps, outcomes, findings and files."""
        return RunView.from_records(record for record in self.records() if not _is_measurement(record))

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of the journal. A line that is no JSON object is passed over."""
        with self._open(JOURNAL) as file:
            while line := file.readline(_MAX_LINE):
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(record, dict):
                    yield record

    def close(self) -> None:
        """Close the descriptors."""
        if self._attachments is not None:
            os.close(self._attachments)
        os.close(self._directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, name: str) -> BinaryIO:
        folder = self._directory
        if name.startswith(ATTACHMENTS) and self._attachments is not None:
            folder, name = self._attachments, name.removeprefix(ATTACHMENTS)
        # Not blocking, so that a named pipe is refused instead of waited for.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise Malformed(f"{name} is a link") from error
            raise
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise Malformed(f"{name} is not a regular file")
        return file


def _is_measurement(record: dict[str, Any]) -> bool:
    artifact = record.get("testStepArtifact")
    return isinstance(artifact, dict) and "measurement" in artifact
