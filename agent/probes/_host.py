"""The machine as a probe may touch it: files to read, fixed programs to run, and nothing to write."""

from __future__ import annotations

import base64
import errno
import glob
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from agent.model import Evidence, Gap, Outcome, Text, Tree
from agent.tools import Result, run

T = TypeVar("T")

FILE_CAP = 64 * 1024
"""Bytes read of one file. sysfs gives at most a page (4 KiB) per attribute, but for binary ones; ours."""


class Host:
    """Read access to one machine.

    ``root`` is ``/`` on a live unit; elsewhere it is a directory with a copy of the files, and no program is run then.
    """

    def __init__(self, root: str = "/") -> None:
        self.root = root.rstrip("/")
        self.is_root = os.geteuid() == 0

    def run(self, program: str, *args: str, timeout_s: float) -> Result:
        """Run a program of ``agent.tools.programs``; never raises."""
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

    def exists(self, path: str) -> bool:
        """Whether ``path`` is there (a dangling link is)."""
        return os.path.lexists(self.root + path)

    def glob(self, pattern: str) -> list[str]:
        """Paths that match a shell pattern, as the machine would name them."""
        return sorted(p[len(self.root) :] for p in glob.glob(glob.escape(self.root) + pattern))

    def tree(self, *patterns: str, kind: str = "tree", subject: str = "") -> Evidence:
        """Read every file that matches the shell patterns. Symbolic links that match are kept as links, directories are
        passed over, and a file that cannot be read is kept with its errno.
        """
        started, start = now(), time.monotonic()
        tree = Tree()
        for pattern in patterns:
            for path in self.glob(pattern):
                captured = self._capture(self.root + path)
                if captured is not None:
                    tree.files[path] = captured
        return Evidence(
            kind=kind,
            subject=subject,
            data=tree.encode(),
            source=" ".join(patterns),
            time=started,
            duration_s=time.monotonic() - start,
        )

    def _capture(self, path: str) -> str | dict[str, str] | None:
        if os.path.islink(path):
            try:
                return {"link": os.readlink(path)}
            except OSError as e:
                return {"error": errno.errorcode.get(e.errno or 0, "EIO")}
        if os.path.isdir(path):
            return None
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                data = _read(fd)
            finally:
                os.close(fd)
        except OSError as e:
            return {"error": errno.errorcode.get(e.errno or 0, "EIO")}
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(data).decode()}
        return {"base64": base64.b64encode(data).decode()} if "\0" in text else text

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
                reason = Text("reading it failed: {error}", {"error": f"{type(e).__name__}: {e}"})
                answers.put((item, Gap(item, Outcome.ERROR, reason, essential)))

        for item in waiting:
            threading.Thread(target=work, args=(item,), daemon=True).start()
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
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(fd: int) -> bytes:
    chunks, size = [], 0
    while size < FILE_CAP:
        chunk = os.read(fd, FILE_CAP - size)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)
