"""The machine as a probe may touch it: files to read, fixed programs to run, and nothing to write. Hardware tests may
change the few settings of ``agent.tools.setting`` for a while.
"""

from __future__ import annotations

import base64
import errno
import glob
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from agent.model import Evidence, Gap, Outcome, Text, Tree
from agent.model.utc import utc_text

if TYPE_CHECKING:
    from agent.tools import Result
    from agent.tools.setting import Setting

T = TypeVar("T")

FILE_CAP = 64 * 1024
"""Bytes read of one file. sysfs gives at most a page (4 KiB) per attribute, but for binary ones; ours."""


class Host:
    """Read access to one machine.

    ``root`` is ``/`` on a live unit; elsewhere it is a directory with a copy of the files, and no program is run then.
    ``by_helper`` is what the privileged helper gathered for a person who is not root, by area: it stands for what the
    area's probe would gather.
    """

    def __init__(self, root: str = "/", by_helper: Mapping[str, Sequence[Evidence | Gap]] | None = None) -> None:
        self.root = root.rstrip("/")
        self.is_root = os.geteuid() == 0
        self.by_helper = dict(by_helper or {})

    def run(self, program: str, *args: str, timeout_s: float) -> Result:
        """Run a program of ``agent.tools.programs``; never raises for anything that it does."""
        from agent.tools import Result, Status, run  # here: most areas start none, and ``aiodiag unit`` is in a hurry

        if self.root:
            reason = Text("no program is run over captured files")
            return Result(program, Status.MISSING, None, b"", b"", 0.0, False, reason)
        return run(program, args, timeout_s=timeout_s)

    def output(self, kind: str, program: str, *args: str, subject: str = "", timeout_s: float) -> Evidence:
        """Run a program and keep what it printed as evidence (standard output; standard error where that is empty)."""
        started = now()
        result = self.run(program, *args, timeout_s=timeout_s)
        return Evidence(
            kind=kind,
            subject=subject,
            data=result.stdout or result.stderr,
            source=" ".join((program, *args)),
            time=started,
            exit_status=result.exit_status,
            duration_s=result.duration_s,
            truncated=result.truncated,
            problem=result.reason,
        )

    def changing(self, path: str) -> AbstractContextManager[Setting]:
        """Change one setting of hardware for a while (:func:`agent.tools.setting.changing`); for hardware tests only.
        Raises ``PermissionError`` over captured files.
        """
        from agent.tools.setting import changing  # here: few need it

        if self.root:
            raise PermissionError(errno.EROFS, os.strerror(errno.EROFS), path)
        return changing(path)

    def exists(self, path: str) -> bool:
        """Whether ``path`` is there (a dangling link is)."""
        return os.path.lexists(self.root + path)

    def glob(self, pattern: str) -> list[str]:
        """Paths that match a shell pattern, as the machine would name them."""
        return sorted(p[len(self.root) :] for p in glob.glob(glob.escape(self.root) + pattern))

    def tree(self, *patterns: str, kind: str = "tree", subject: str = "") -> Evidence:
        """Read every file that matches the shell patterns, up to ``FILE_CAP`` bytes of each.

        Symbolic links that match are kept as links, and a file that cannot be read is kept with its errno. Directories
        are passed over, and so are devices, pipes and sockets: opening one may do something to the machine
        (``/dev/watchdog`` restarts it). The evidence is ``truncated`` when one of the files was longer.
        """
        started, start = now(), time.monotonic()
        tree, truncated = Tree(), False
        folders: dict[str, list[str]] = {}
        for pattern in patterns:
            for path in self._files(pattern, folders):
                try:
                    mode = os.lstat(self.root + path).st_mode
                    if stat.S_ISLNK(mode):
                        tree.files[_printable(path)] = {"link": _printable(os.readlink(self.root + path))}
                    elif stat.S_ISREG(mode):
                        data, longer = _read(self.root + path)
                        tree.files[_printable(path)] = _as_json(data)
                        truncated = truncated or longer
                except OSError as e:
                    tree.files[_printable(path)] = {"error": errno.errorcode.get(e.errno or errno.EIO, "EIO")}
        return Evidence(
            kind=kind,
            subject=subject,
            data=tree.encode(),
            source=" ".join(patterns),
            time=started,
            duration_s=time.monotonic() - start,
            truncated=truncated,
        )

    def _files(self, pattern: str, folders: dict[str, list[str]]) -> list[str]:
        """Like :meth:`glob`; what is found up to the last wildcard is kept in ``folders``, for a probe asks for dozens
        of files behind the same one.
        """
        names = pattern.split("/")
        wild = max((at for at, name in enumerate(names) if glob.has_magic(name)), default=0)
        folder, file = "/".join(names[: wild + 1]), "".join(f"/{name}" for name in names[wild + 1 :])
        if wild and folder not in folders:
            folders[folder] = self.glob(folder)
        return [path + file for path in folders.get(folder, [""]) if not file or self.exists(path + file)]

    def each(
        self, items: Iterable[str], gather: Callable[[str], T], *, timeout_s: float, essential: bool = False
    ) -> Iterator[T | Gap]:
        """Run ``gather`` for every item side by side and yield what each gave, as it comes.

        An item that has not answered after ``timeout_s`` seconds is left behind (its thread may be stuck in the kernel)
        and gives a gap of outcome ``error``, as does one that raised.
        """
        waiting = list(items)
        answers: queue.SimpleQueue[tuple[str, T | Gap]] = queue.SimpleQueue()

        def work(item: str) -> None:
            try:
                answers.put((item, gather(item)))
            except Exception as e:  # the gatherer of one device must not take the others along
                broken(item, e)

        def broken(item: str, e: Exception) -> None:
            reason = Text("could not be read: {error}", {"error": f"{type(e).__name__}: {e}"})
            answers.put((item, Gap(item, Outcome.ERROR, reason, essential)))

        for item in waiting:
            try:
                threading.Thread(target=work, args=(item,), daemon=True).start()
            except RuntimeError as e:  # no more threads
                broken(item, e)
        deadline = time.monotonic() + timeout_s
        while waiting:
            try:
                item, answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            waiting.remove(item)
            yield answer
        for item in waiting:
            reason = Text("no answer within {seconds} s", {"seconds": timeout_s})
            yield Gap(item, Outcome.ERROR, reason, essential)


def now() -> str:
    """UTC with milliseconds, ISO 8601."""
    return utc_text(datetime.now(UTC))


def _read(path: str) -> tuple[bytes, bool]:
    """The head of a file, and whether there is more. Does not wait for a file that has nothing to say yet."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW)
    try:
        data = bytearray()
        while len(data) <= FILE_CAP:
            try:
                chunk = os.read(fd, FILE_CAP + 1 - len(data))
            except BlockingIOError:
                if data:
                    break
                raise
            if not chunk:
                break
            data += chunk
    finally:
        os.close(fd)
    return bytes(data[:FILE_CAP]), len(data) > FILE_CAP


def _as_json(data: bytes) -> str | dict[str, str]:
    """Text where it is text, else base64, as :class:`Tree` has it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
    return {"base64": base64.b64encode(data).decode()} if "\0" in text else text


def _printable(name: str) -> str:
    """A file name that may be no UTF-8, as text that can be encoded."""
    return os.fsencode(name).decode("utf-8", "replace")
