"""Writing a journal so that no crash, full disk or second writer can spoil what it already holds."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import re
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from agent.journal import disk
from agent.journal.attachments import Attachments, pack
from agent.journal.errors import JournalDamaged, JournalError, from_os_error
from agent.journal.reader import RECORD_CAP, parse
from agent.journal.recovery import Recovery, salvage
from agent.model import ocp
from agent.model.evidence import Evidence, natural_key
from agent.model.ocp import Artifact
from agent.model.run_view import JOURNAL
from agent.model.text import Text
from agent.model.utc import utc_text

_CREATE = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_REOPEN = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Journal:
    """The journal of one run, open for writing; safe to use from several threads.

    One writer at a time, by a lock on the run directory. A forked child has no part in it: the journal is closed in the
    child before ``fork`` returns there, so a child that outlives its parent (stuck in the kernel, say) does not keep
    the lock; a started program inherits nothing (``O_CLOEXEC``).

    ``syncs`` counts how often the records were really brought to the disk.
    """

    def __init__(self, directory: Path, directory_fd: int) -> None:
        """Used by :meth:`create` and :meth:`reopen`; takes over ``directory_fd``."""
        self.directory = directory
        self.syncs = 0
        self._lock = threading.Lock()
        self._directory_fd = directory_fd
        self._fd = -1
        self._attachments = Attachments(directory_fd)
        self._end = _End(0, 0)
        self._ragged = False
        self._unsynced = False
        self._new_name = False
        self._lost: JournalError | None = None
        self._closed = False
        self._open_steps: dict[str, None] = {}
        _OPEN.add(self)

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Begin a run in ``directory``, which is made (0700) where it is missing.

        Raises ``FileExistsError`` when there is a journal already, :class:`JournalError` when it cannot be written.
        """
        if os.path.lexists(directory / JOURNAL):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(directory / JOURNAL))
        journal = cls(directory, _claim(directory, make=True))
        with journal._closed_on_error():
            journal._begin()
        return journal

    @classmethod
    def reopen(cls, directory: Path) -> tuple[Self, Recovery]:
        """Go on with a run after a crash, with the next sequence number.

        A torn last line is cut off. A journal with worse damage is renamed to ``journal.damaged-N.jsonl``, and a new
        one says so in its first record after the version. Raises :class:`JournalError` when there is no such
        directory, another process writes it, or the disk refuses.
        """
        journal = cls(directory, _claim(directory, make=False))
        with journal._closed_on_error():
            return journal, journal._recover()

    @property
    def open_steps(self) -> tuple[str, ...]:
        """The steps whose start is written and whose end is not, in the order of their starts."""
        return tuple(self._open_steps)

    def append(self, *artifacts: Artifact) -> list[int]:
        """Write the artifacts as records, all with one ``write``; returns their sequence numbers. Does not sync.

        All or nothing: raises :class:`JournalError` when they cannot be written, and ``ValueError`` for what is no
        artifact or what strict JSON cannot hold (a number that is not finite, an object of another type).
        """
        with self._lock:
            return self._append(artifacts)

    def attach(self, step: str, evidence: Evidence) -> int:
        """Store raw evidence below ``attachments`` and record it; returns the record's sequence number.

        Raises :class:`JournalError` when either cannot be written; neither is there then.
        """
        stored, suffix = pack(evidence.data)
        digest = hashlib.sha256(stored).hexdigest()
        with self._lock, self._os_errors():
            self._require_open()
            uri = self._attachments.add(f"{_area(step)}-{evidence.file_name}", stored, suffix)
            try:
                return self._append((ocp.attachment(step, evidence, uri, digest, len(stored)),))[0]
            except Exception:
                self._attachments.remove(uri)
                raise

    def sync(self) -> None:
        """Bring every record so far to the disk with one ``fdatasync``; does nothing when nothing is new.

        Attachments reach the disk when the kernel writes them back, and for certain with :meth:`settle`: an ``fsync``
        for each would hold up every step. A file that a power cut took is noticed, for its record has its SHA-256.
        Raises :class:`JournalError`. When the disk refuses once, every later call fails too: the kernel reports lost
        pages only once, so a later success would say nothing about them.
        """
        with self._lock, self._on_disk():
            self._sync_records()

    def settle(self) -> None:
        """Bring all attachments to the disk, then the records that name them. Raises :class:`JournalError`."""
        with self._lock, self._on_disk():
            self._attachments.sync()
            self._sync_records()

    def _sync_records(self) -> None:
        if not self._unsynced:
            return
        self.syncs += 1
        if self._new_name:
            os.fsync(self._directory_fd)
            self._new_name = False
        os.fdatasync(self._fd)
        self._unsynced = False

    @contextlib.contextmanager
    def _on_disk(self) -> Iterator[None]:
        self._require_open()
        if self._lost is not None:
            raise self._lost
        try:
            yield
        except OSError as e:
            self._lost = from_os_error(e, self.directory / JOURNAL)
            raise self._lost from e

    def close(self) -> None:
        """Close all files and so let the lock go. Does not sync."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            _OPEN.discard(self)
            self._attachments.close()
            if self._fd >= 0:
                os.close(self._fd)
            os.close(self._directory_fd)

    def disown(self) -> None:
        """Close in a forked child, whatever the parent's threads were doing; called by the hook on ``fork``."""
        self._lock = threading.Lock()  # the thread that may hold the old one is not in this process
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _begin(self, *first: Artifact) -> None:
        """A new journal with its first records; leaves none behind when that fails."""
        self._fd = os.open(JOURNAL, _CREATE, 0o600, dir_fd=self._directory_fd)
        self._end, self._ragged, self._new_name = _End(0, 0), False, True
        try:
            self._append((ocp.SCHEMA_VERSION, *first))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(JOURNAL, dir_fd=self._directory_fd)
            raise

    def _recover(self) -> Recovery:
        try:
            self._fd = os.open(JOURNAL, _REOPEN, dir_fd=self._directory_fd)
        except FileNotFoundError:  # killed before it was made, or before a damaged one was replaced
            if aside := self._set_aside():
                return self._begin_again(aside[-1], "it was found without a journal to take its place")
            self._begin()
            return Recovery(torn=b"", set_aside=None, records=0, open_steps=(), ended=False)
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise JournalError(Text("not a plain file: {path}", {"path": str(self.directory / JOURNAL)}))
        try:
            with open(self._fd, "rb", closefd=False) as file:
                found, size = salvage(file)
        except JournalDamaged as e:
            return self._replace(str(e))
        except OSError as e:
            if e.errno != errno.EIO:
                raise
            return self._replace(str(from_os_error(e, self.directory / JOURNAL)))
        self._end = _End(size, found.records)
        self._open_steps = dict.fromkeys(found.open_steps)
        if found.torn:
            os.ftruncate(self._fd, size)
        self._unsynced = self._new_name = True  # whoever wrote it may not have come to it
        if not found.records:
            self._append((ocp.SCHEMA_VERSION,))
        return found

    def _replace(self, why: str) -> Recovery:
        """Set the journal aside and begin a new one that says why."""
        os.close(self._fd)
        self._fd = -1
        taken = self._set_aside()
        name = next(n for i in itertools.count(1) if (n := f"journal.damaged-{i}.jsonl") not in taken)
        os.rename(JOURNAL, name, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
        return self._begin_again(name, why)

    def _begin_again(self, aside: str, why: str) -> Recovery:
        self._begin(ocp.run_error("journal-damaged", f"{why}; kept as {aside}"))
        return Recovery(torn=b"", set_aside=self.directory / aside, records=0, open_steps=(), ended=False)

    def _set_aside(self) -> list[str]:
        """The damaged journals of the run, in the order in which they were set aside."""
        names = [name for name in os.listdir(self._directory_fd) if name.startswith("journal.damaged-")]
        return sorted(names, key=natural_key)

    def _append(self, artifacts: Sequence[Artifact]) -> list[int]:
        self._require_open()
        first = self._end.sequence
        lines = [_line(number, artifact) for number, artifact in enumerate(artifacts, first)]
        with self._os_errors():
            self._write(lines)
        for artifact in artifacts:
            self._keep_open_steps(artifact.get("testStepArtifact", {}))
        return list(range(first, self._end.sequence))

    def _keep_open_steps(self, of_step: Mapping[str, Any]) -> None:
        if "testStepStart" in of_step:
            self._open_steps[of_step["testStepId"]] = None
        elif "testStepEnd" in of_step:
            self._open_steps.pop(of_step["testStepId"], None)

    def _write(self, lines: list[bytes]) -> None:
        """Append all lines or none: the rest of an attempt that failed or was interrupted is cut off, now or, where the
        disk does not even allow that, before the next attempt.
        """
        if not lines:
            return
        self._mend()
        data = b"".join(lines)
        self._ragged = True
        try:
            disk.write_all(self._fd, data)
        except BaseException:
            with contextlib.suppress(OSError):
                self._mend()
            raise
        self._end = _End(self._end.size + len(data), self._end.sequence + len(lines))
        self._ragged = False
        self._unsynced = True

    def _mend(self) -> None:
        if self._ragged:
            os.ftruncate(self._fd, self._end.size)
            self._ragged = False

    def _require_open(self) -> None:
        if self._closed:
            raise JournalError(Text("closed: {path}", {"path": str(self.directory)}))

    @contextlib.contextmanager
    def _os_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise from_os_error(e, self.directory) from e

    @contextlib.contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            with self._os_errors():
                yield
        except BaseException:
            self.close()
            raise


class _End(NamedTuple):
    """Where the journal ends, and the next sequence number: one value, so that an interrupt (Ctrl-C) between two
    assignments cannot make them differ.
    """

    size: int
    sequence: int


_OPEN: set[Journal] = set()  # also one that nobody refers to any more: it still has the lock


def _after_fork() -> None:
    for journal in list(_OPEN):
        journal.disown()


os.register_at_fork(after_in_child=_after_fork)

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


def _area(step: str) -> str:
    """What an attachment's name begins with, so that people find it: ``storage`` for the step ``probe.storage``."""
    return _NOT_IN_NAMES.sub("_", step.rpartition(".")[2])[:40]


_SURROGATE = re.compile("[\ud800-\udfff]")


def _line(number: int, artifact: Artifact) -> bytes:
    """A record as it stands in the journal. It is read back at once, for what the strict reader would refuse later
    (members ``1`` and ``"1"`` of one object, say) must not get in.
    """
    now = utc_text(datetime.now(UTC))
    try:
        text = _encode({"sequenceNumber": number, "timestamp": now, **artifact})
    except (TypeError, RecursionError) as e:
        raise ValueError(f"not JSON: {e}") from e
    try:
        line = text.encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, as from a file name that is not UTF-8: no JSON reader takes it
        line = _encode(json.loads(_SURROGATE.sub("\ufffd", text))).encode() + b"\n"
    if len(line) > RECORD_CAP:
        raise ValueError(f"a record of {len(line)} bytes; at most {RECORD_CAP} are allowed")
    parse(line, number)
    return line


def _claim(directory: Path, *, make: bool) -> int:
    """Open and lock a run directory."""
    try:
        if make:
            disk.make_directory(directory)
        fd = disk.open_directory(directory)
        try:
            disk.lock(fd, directory)
        except BaseException:
            os.close(fd)
            raise
    except OSError as e:
        raise from_os_error(e, directory) from e
    return fd
