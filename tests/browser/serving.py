"""A receiver for a browser."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from server_stub.app import create_app
from server_stub.receiver import Receiver
from server_stub.settings import Settings


@contextmanager
def serving(data: Path) -> Iterator[tuple[str, Receiver]]:
    """Its address, and its inside for arranging things."""
    app = create_app(Settings(data))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", app.state.receiver
    finally:
        server.should_exit = True
        thread.join()
