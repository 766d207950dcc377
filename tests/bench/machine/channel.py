"""The bench's way into a guest: ``guest/channel.py`` on the other side."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

SLACK_S = 20.0
"""Seconds beyond a program's own time limit until the guest itself counts as silent; two guests share two cores."""


class Silent(TimeoutError):
    """The guest did not answer: it is frozen, down, or its channel is."""


class Ran(NamedTuple):
    """What a program in the guest did. ``status`` is ``None`` when it was ended after its time limit."""

    status: int | None
    out: str
    err: str
    seconds: float

    def check(self) -> Ran:
        """Itself, if the exit status was 0; raises ``RuntimeError`` with what the program said otherwise."""
        if self.status != 0:
            raise RuntimeError(f"exit status {self.status}: {(self.err or self.out).strip()[-500:]}")
        return self


class Channel:
    """JSON lines over a UNIX socket that QEMU ties to the guest's port. Requests of several threads go side by side."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._numbers = itertools.count()
        self._answers: dict[int, dict[str, Any]] = {}
        self._heard = threading.Condition()
        self._writing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._listen, name="channel", daemon=True)
        self._thread.start()

    def run(
        self, *argv: str, stdin: str = "", timeout_s: float = 60.0, environment: Mapping[str, str] | None = None
    ) -> Ran:
        """Run a program as root and wait for it; raises :class:`Silent` when the guest does not answer."""
        request = {"argv": argv, "stdin": stdin, "timeout": timeout_s, "environment": dict(environment or {})}
        said = self._ask(request, timeout_s + SLACK_S)
        return Ran(said["status"], said["out"], said["err"], said["seconds"])

    def shell(self, script: str, *, timeout_s: float = 60.0) -> Ran:
        """Run a script of ``sh``."""
        return self.run("/bin/sh", "-c", script, timeout_s=timeout_s)

    def out(self, *argv: str, timeout_s: float = 60.0) -> str:
        """What a program printed, which must have ended well."""
        return self.run(*argv, timeout_s=timeout_s).check().out

    def start(self, *argv: str) -> int:
        """Start a program that goes on by itself, and give its process number."""
        said = self._ask({"start": argv}, SLACK_S)
        if said["status"] != 0:
            raise RuntimeError(said["err"])
        return int(said["out"])

    def read(self, path: str) -> str:
        """A file's text."""
        return self.out("/bin/cat", path)

    def write(self, path: str, text: str) -> None:
        """Write to a file (of sysfs, mostly) in one ``write``."""
        self.run("/usr/bin/dd", f"of={path}", "bs=64k", "conv=notrunc", stdin=text).check()

    def ping(self, timeout_s: float) -> bool:
        """Whether the guest answers within ``timeout_s`` seconds."""
        try:
            return bool(self._ask({"argv": ["/bin/true"], "timeout": timeout_s}, timeout_s)["status"] == 0)
        except Silent:
            return False

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        number = next(self._numbers)
        line = json.dumps({"id": number, **request}).encode() + b"\n"
        deadline = time.monotonic() + timeout_s
        try:
            with self._writing:
                self._socket.sendall(line)
        except OSError as e:
            raise Silent(f"the guest has gone ({e})") from e
        with self._heard:
            while number not in self._answers:
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    raise Silent(f"no answer to {str(request)[:100]}")
                self._heard.wait(left)
            return self._answers.pop(number)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            waiting = b""
            while chunk := self._socket.recv(1 << 20):
                *lines, waiting = (waiting + chunk).split(b"\n")
                for line in lines:
                    with contextlib.suppress(ValueError):  # a guest that lost its power in the middle of an answer
                        answer = json.loads(line)
                        with self._heard:
                            self._answers[answer["id"]] = answer
                            self._heard.notify_all()
        with self._heard:
            self._closed = True
            self._heard.notify_all()
