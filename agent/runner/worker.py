"""A process of its own for one step: the runner hears what it says, and ends it when it does not stop by itself."""

from __future__ import annotations

import ctypes
import json
import math
import os
import signal
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from agent.model import Component, Evidence, Finding, Gap, Heartbeat, Reading
from agent.runner.keeping import STOP_S, keep, only
from agent.tools.forking import forked


class Gathered(NamedTuple):
    """What a worker says between gathering and interpreting: all that follows comes from the evidence, and whoever has
    that can have it again.
    """

    def to_json(self) -> dict[str, Any]:
        """``{}``."""
        return {}

    @classmethod
    def from_json(cls, _data: Mapping[str, Any]) -> Gathered:
        """Inverse of :meth:`to_json`."""
        return cls()


Item = Evidence | Component | Reading | Gap | Finding | Gathered | Heartbeat


class TimeLimit(NamedTuple):
    """What a worker says first when only it knows how long its work may take: seconds since its step began."""

    seconds: float

    def to_json(self) -> dict[str, float]:
        """``{"seconds"}``."""
        return {"seconds": self.seconds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TimeLimit:
        """Inverse of :meth:`to_json`; raises ``KeyError`` or ``ValueError``."""
        return cls(float(data["seconds"]))


Send = Callable[[Item | TimeLimit], None]
Work = Callable[[Send], None]

GRACE_S = STOP_S
"""Seconds that a killed worker gets to be gone before it is left behind (it is stuck in the kernel); ours."""

_HEAD = struct.Struct(">II")
FRAME_CAP = 64 * 1024 * 1024
"""Bytes of one frame; a worker that claims more is broken. A program's output is capped far below it."""
ITEM_CAP = 1024 * 1024
"""Bytes of one item without its raw data, far below what a record of the journal may have; no sensor says so much."""
LEVELS = 20
"""How deep an item may be nested; a finding's values have four. What is nested as deep as Python can just read it could
not be written into the journal. Ours.
"""
TOTAL_CAP = 256 * 1024 * 1024
"""Bytes that one worker may send in all; ours."""
CHUNK = 1 << 20
"""Bytes taken from one worker before the others get their turn; ours."""

_KINDS: dict[str, type[Component | Reading | Gap | Finding | Gathered | Heartbeat | TimeLimit]] = {
    "component": Component,
    "reading": Reading,
    "gap": Gap,
    "finding": Finding,
    "gathered": Gathered,
    "heartbeat": Heartbeat,
    "timelimit": TimeLimit,
}
_PR_SET_PDEATHSIG = 1


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return value


def _require_shallow(value: Any, levels: int = LEVELS) -> None:
    if isinstance(value, dict | list):
        if not levels:
            raise ValueError("nested too deeply")
        for inner in value.values() if isinstance(value, dict) else value:
            _require_shallow(inner, levels - 1)


_HEADER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)  # the journal takes no others either
_OOM_SCORE = b"500"  # between the agent (0) and the programs it starts, which the kernel should take first

_libc = ctypes.CDLL(None, use_errno=True)


class Worker:
    """A forked process that runs ``work`` and sends what it gives through a pipe.

    ``fd`` becomes readable when there is something to :meth:`receive`. The child holds no descriptor of its parent but
    the pipe, dies with its parent, and its standard streams lead nowhere: what it has to say, it sends. One that is
    ``kept`` takes all with it that it started, wherever that went (:mod:`agent.runner.keeping`). Raises ``OSError``
    when there can be no more processes or descriptors.
    """

    def __init__(self, work: Work, *, kept: bool = False) -> None:
        self._kept = kept
        self.fd, write_end = os.pipe()
        parent = os.getpid()

        def life() -> NoReturn:
            if kept:
                keeper = os.getpid()
                keep(parent, write_end, lambda: _child(work, write_end, keeper))
            _child(work, write_end, parent)

        try:
            self.pid = forked(life)
        except OSError:
            os.close(self.fd)
            os.close(write_end)
            raise
        os.close(write_end)
        os.set_blocking(self.fd, False)
        self._buffer = bytearray()
        self._received = 0
        self.failure: str | None = None
        """The traceback of the work, or why its stream cannot be understood."""
        self.done = False
        """Whether the work came to its end. A process that ends without having said so crashed, whatever its status."""
        self.exit_status: int | None = None
        """As :attr:`subprocess.Popen.returncode`; ``None`` while it runs."""

    def receive(self) -> tuple[list[Item | TimeLimit], bool]:
        """What came since the last call, and whether the pipe is at its end. Sets :attr:`failure` when the work raised,
        when the stream is not ours, or when there is too much of it.
        """
        ended = False
        try:
            chunk = os.read(self.fd, CHUNK)
            ended = not chunk
            self._buffer += chunk
            self._received += len(chunk)
        except BlockingIOError:
            pass
        items: list[Item | TimeLimit] = []
        try:
            self._unpack(items)
        except Exception as e:  # whatever a broken worker sends, it breaks its own step only
            self.failure = f"garbled stream: {type(e).__name__}: {e}"
        if self.failure is not None:
            self._buffer.clear()
        elif ended and self._buffer:
            self.failure = f"the stream ends {len(self._buffer)} bytes into a frame"
        return items, ended

    def _unpack(self, items: list[Item | TimeLimit]) -> None:
        """Move whole frames from the buffer to ``items``; those before a bad one are there when it raises."""
        if self._received > TOTAL_CAP:
            raise ValueError(f"more than {TOTAL_CAP} bytes")
        while self.failure is None and len(self._buffer) >= _HEAD.size:
            header_size, blob_size = _HEAD.unpack_from(self._buffer)
            if header_size > ITEM_CAP or header_size + blob_size > FRAME_CAP:
                raise ValueError("impossible frame size")
            end = _HEAD.size + header_size + blob_size
            if len(self._buffer) < end:
                return
            header = _HEADER.decode(self._buffer[_HEAD.size : _HEAD.size + header_size].decode())
            _require_shallow(header)
            blob = bytes(self._buffer[_HEAD.size + header_size : end])
            del self._buffer[:end]
            if header["is"] == "failed":
                self.failure = blob.decode("utf-8", "replace")
            elif header["is"] == "done":
                self.done = True
            else:
                items.append(_decode(header, blob))

    def reap(self) -> bool:
        """Whether the process is gone; takes its exit status when it is."""
        if self.exit_status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, 0
            if pid:
                self.exit_status = os.waitstatus_to_exitcode(status)
        return self.exit_status is not None

    def await_end(self, until: float | None = None) -> bool:
        """Wait up to :data:`GRACE_S`, or ``until`` (of ``time.monotonic``), for the process to be gone, and say whether
        it is; as a rule it is within a millisecond of its pipe's end or its death blow.
        """
        limit = time.monotonic() + GRACE_S if until is None else until
        pause = 0.0005
        while not self.reap():
            if time.monotonic() > limit:
                return False
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        return True

    def kill(self) -> None:
        """End the worker; the programs that it started end with it. It and its group get SIGKILL; the keeper of a kept
        one is told to do that, and killed itself at the second call.
        """
        if self.exit_status is not None:
            return
        if self._kept:
            self._kept = False
            os.kill(self.pid, signal.SIGTERM)
            return
        for send in (os.killpg, os.kill):
            try:
                send(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.fd)


def _decode(header: dict[str, Any], blob: bytes) -> Item | TimeLimit:
    kind = header["is"]
    if kind == "evidence":
        return Evidence.from_header(header["item"], blob)
    return _KINDS[kind].from_json(header["item"])


def _child(work: Work, fd: int, parent: int) -> NoReturn:
    """The life of the forked process. Leaves by ``_exit``, so that nothing of the parent's is flushed twice."""
    status = 1
    try:
        _settle(fd, parent)
        with os.fdopen(fd, "wb", closefd=False) as pipe:

            def send(item: Item | TimeLimit) -> None:
                if isinstance(item, Evidence):
                    header, blob = {"is": "evidence", "item": item.header()}, item.data
                else:
                    header, blob = {"is": type(item).__name__.lower(), "item": item.to_json()}, b""
                _write(pipe.write, header, blob)
                pipe.flush()

            try:
                work(send)
                _write(pipe.write, {"is": "done"}, b"")
                pipe.flush()
                status = 0
            except BaseException:
                import traceback

                _write(pipe.write, {"is": "failed"}, traceback.format_exc(limit=20).encode()[:65536])
    finally:
        os._exit(status)


def _write(write: Callable[[bytes], Any], header: dict[str, Any], blob: bytes) -> None:
    encoded = json.dumps(header, ensure_ascii=True, allow_nan=False).encode()
    if len(encoded) > ITEM_CAP:
        raise ValueError(f"an item of {len(encoded)} bytes; at most {ITEM_CAP} are allowed")
    write(_HEAD.pack(len(encoded), len(blob)) + encoded)
    write(blob)


def _settle(fd: int, parent: int) -> None:
    os.setpgid(0, 0)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    only(fd)
    try:
        with open("/proc/self/oom_score_adj", "wb") as score:
            score.write(_OOM_SCORE)
    except OSError:
        pass  # a container may forbid it; then the kernel chooses by size
