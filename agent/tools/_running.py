"""The agent's end of a running program: what it prints, up to a cap, and what its keeper reports."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from typing import BinaryIO

from agent.tools._keeper import GRACE_S, SWEEP_S, Command, Pipes, fork_keeper

STDOUT_CAP = 8 * 1024 * 1024
"""Bytes of standard output; ours. The longest that we ask for, a kernel log as JSON, is about 2 MiB a boot."""
STDERR_CAP = 1024 * 1024
"""Bytes of standard error; ours."""
BACKSTOP_S = GRACE_S + SWEEP_S + 1.0
"""Seconds after the timeout by which the keeper has reported, or is itself stuck."""

_CHUNK = 1 << 16  # the size of a pipe (pipe(7))
_LAST_REAP_S = 1.0


class Running:
    """A program while it runs, as a context that leaves no process and no descriptor of it behind.

    Raises ``OSError`` where it cannot be started for want of processes or descriptors.
    """

    def __init__(self, command: Command) -> None:
        self.start_error: int | None = None
        """The errno with which exec failed."""
        self.exit_status: int | None = None
        """As :func:`os.waitstatus_to_exitcode` gives it; ``None`` when it never ran, or could not be killed."""
        self.timed_out = False
        self._until = command.deadline + BACKSTOP_S
        self._reported = False
        self._stack = contextlib.ExitStack()
        try:
            with contextlib.ExitStack() as write_ends:
                reads, writes = [], []
                for _ in range(3):
                    read, write = os.pipe()
                    reads.append(self._stack.enter_context(os.fdopen(read, "rb", buffering=0)))
                    writes.append(write_ends.enter_context(os.fdopen(write, "wb", buffering=0)).fileno())
                self.stdout = _Stream(reads[0], STDOUT_CAP)
                self.stderr = _Stream(reads[1], STDERR_CAP)
                self._report = _Stream(reads[2], STDERR_CAP)
                self._keeper = fork_keeper(command, Pipes(*writes))
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._reported:
            self._reap(_LAST_REAP_S)
        elif exc[0]:  # a person stopped us; the keeper is well and clears up
            self._tell_keeper(signal.SIGTERM)
            self._reap(BACKSTOP_S)
        else:
            self._tell_keeper(signal.SIGKILL)
            self._reap(_LAST_REAP_S)
        self._stack.close()

    def follow(self) -> None:
        """Take the output until the program has ended and all that it left is gone; comes back in any case."""
        poll = select.poll()
        streams = {s.fd: s for s in (self.stdout, self.stderr, self._report)}
        for fd in streams:
            poll.register(fd, select.POLLIN)
        while not self._reported and (left := self._until - time.monotonic()) > 0:
            for fd, _ in poll.poll(left * 1000):
                stream = streams[fd]
                stream.take()
                if stream.over:
                    self._tell_keeper(signal.SIGTERM)
                if stream.over or stream.ended:
                    poll.unregister(fd)
            self._read_report()
        self.timed_out = self.timed_out or not self._reported
        self.stdout.drain()
        self.stderr.drain()

    def _read_report(self) -> None:
        for line in bytes(self._report.data).splitlines(keepends=True):
            if line.endswith(b"\n"):
                self._take_record(json.loads(line))
        if self._report.ended and not self._reported:  # somebody killed the keeper, and the program died with it
            self._reported = True
            self.exit_status = -signal.SIGKILL if self.start_error is None else None

    def _take_record(self, record: dict[str, int | None]) -> None:
        if "errno" in record:
            self.start_error = record["errno"]
        else:
            self._reported = True
            self.timed_out = bool(record["timed_out"])
            if record["status"] is not None and self.start_error is None:
                self.exit_status = os.waitstatus_to_exitcode(record["status"])

    def _tell_keeper(self, what: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._keeper, what)

    def _reap(self, within_s: float) -> None:
        """Wait for the keeper by its own id, so that nobody else's child is taken; no longer than it may take."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            try:
                if os.waitpid(self._keeper, os.WNOHANG)[0]:
                    return
            except ChildProcessError:  # somebody waits for all children, or SIGCHLD is ignored
                return
            time.sleep(0.0005)


class _Stream:
    """What comes through one pipe, up to a cap."""

    def __init__(self, pipe: BinaryIO, cap: int) -> None:
        self.fd = pipe.fileno()
        self.cap = cap
        self.data = bytearray()
        self.over = False
        self.ended = False
        os.set_blocking(self.fd, False)

    def take(self) -> int:
        """Read what is there now, one chunk at most; gives its size."""
        try:
            chunk = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return 0
        room = self.cap - len(self.data)
        self.data += chunk[:room]
        self.over = self.over or len(chunk) > room
        self.ended = not chunk
        return len(chunk)

    def drain(self) -> None:
        """Take what is left once nobody writes any more."""
        while not self.over and self.take():
            pass
