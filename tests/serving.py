"""A receiver of this process on a real socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from server_stub.app import create_app
from server_stub.receiver import Receiver
from server_stub.settings import Settings


@contextmanager
def serving(data: Path) -> Iterator[tuple[str, Receiver]]:
    """Its address, and its inside for arranging things."""
    app = create_app(Settings(data))
    with listening(app) as address:
        yield address, app.state.receiver


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """The address at which ``app`` answers meanwhile."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none", proxy_headers=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
