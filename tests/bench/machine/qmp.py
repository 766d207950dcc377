"""QEMU's own monitor (QMP), for threads that wait: the protocol itself is ``qemu.qmp``'s."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from qemu.qmp import QMPClient
from qemu.qmp.protocol import ConnectError

T = TypeVar("T")

TIMEOUT_S = 30.0
"""Seconds for one command. QEMU answers in milliseconds; a machine with a full disk or no processor time does not."""


class Monitor:
    """A connection to one QEMU, with an event loop in a thread of its own."""

    def __init__(self, socket: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qmp", daemon=True)
        self._thread.start()
        self._client = QMPClient("bench")
        self._client.await_greeting = True
        try:
            self._wait(self._client.connect(str(socket)))
        except ConnectError:
            self._end_loop()
            raise

    def command(self, command: str, /, **arguments: Any) -> Any:
        """Execute a command; a ``_`` in an argument's name stands for ``-``. Raises ``qemu.qmp.ExecuteError`` when QEMU
        refuses it, ``TimeoutError`` and ``qemu.qmp.QMPError`` when it does not answer.
        """
        given = {key.replace("_", "-"): value for key, value in arguments.items()}
        return self._wait(self._client.execute(command, given or None))

    def human(self, line: str) -> str:
        """A line for the human monitor; gives what it printed."""
        return str(self._wait(self._client.execute("human-monitor-command", {"command-line": line})))

    def events(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        return [dict(event) for event in self._client.events.clear()]

    def close(self) -> None:
        """Disconnect, whatever state the other end is in."""
        with contextlib.suppress(Exception):  # the other end has gone, which is how a power cut looks from here
            self._wait(self._client.disconnect())
        self._end_loop()

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, TIMEOUT_S), self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
