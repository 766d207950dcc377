"""A network between unit and receiver, with an accident at a chosen byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Accident = Callable[[], None]


class Relay:
    """Passes connections on to ``port`` of this machine, which may be another one later. ``carried`` counts the bytes
    towards the receiver; when it reaches ``limit``, ``accident`` happens once and the connection breaks.
    """

    def __init__(self, port: int, limit: int, accident: Accident) -> None:
        self.carried = 0
        self.port = port
        self._limit = limit
        self._accident: Accident | None = accident
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def break_at(self, limit: int, accident: Accident) -> None:
        """Another accident."""
        self._limit, self._accident = limit, accident

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                unit, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=[unit], daemon=True).start()

    def _carry(self, unit: socket.socket) -> None:
        with unit, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 10) as receiver:
            back = threading.Thread(target=_pump, args=[receiver, unit], daemon=True)
            back.start()
            while data := unit.recv(65536):
                receiver.sendall(data)
                self.carried += len(data)
                if self._accident and self.carried >= self._limit:
                    accident, self._accident = self._accident, None
                    accident()
                    break
            with contextlib.suppress(OSError):
                receiver.shutdown(socket.SHUT_RDWR)
                unit.shutdown(socket.SHUT_RDWR)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relaying(port: int, limit: int, accident: Accident) -> Iterator[Relay]:
    relay = Relay(port, limit, accident)
    try:
        yield relay
    finally:
        relay.close()
