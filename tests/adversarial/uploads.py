"""An upload that has begun, and what its attackers and accidents do to it."""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from sqlalchemy import select

from server_stub.db import Bundle
from tests.unit.server.conftest import APPEND, TUS, Bench

SERIAL = "HB24A0017"
SIZE = 600_000
BEGUN = 1000
"""Bytes of the upload that are there when an attack begins."""


@dataclass
class Ready:
    """An upload of which the first bytes are there."""

    bench: Bench
    rma: str
    content: bytes
    location: str

    @property
    def id(self) -> str:
        return self.location.rpartition("/")[2]

    @property
    def spooled(self) -> bytes:
        return self.bench.receiver.uploads.path(self.id).read_bytes()

    @property
    def offset(self) -> int:
        return int(self.bench.http.head(self.location, headers=TUS).headers["upload-offset"])

    def patch(self, offset: object, body: Any, **headers: str | None) -> requests.Response:
        """A PATCH of which single headers are others (``_`` for ``-``), or left out (``None``)."""
        told: dict[str, str | None] = {**APPEND, "Upload-Offset": str(offset)}
        told.update({name.replace("_", "-"): value for name, value in headers.items()})
        kept = {name: value for name, value in told.items() if value is not None}
        return self.bench.http.patch(self.location, headers=kept, data=body)

    def unchanged(self) -> None:
        """What was there is still there, and the upload can be ended."""
        assert self.offset == BEGUN
        assert self.spooled[:BEGUN] == self.content[:BEGUN]
        self.ended()

    def ended(self) -> None:
        """The rest is sent by an honest client, and every byte is the one that was meant."""
        deadline = time.monotonic() + 60
        while True:
            offset = self.offset
            answer = self.bench.append(self.location, offset, self.content[offset:])
            if answer.status_code != 409:  # the receiver has noticed that an earlier writer is gone
                break
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.05)
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(SIZE)), answer.text
        with self.bench.receiver.db.read() as session:
            [bundle] = session.scalars(select(Bundle).where(Bundle.upload_id == self.id)).all()
        assert self.bench.storage.stored(self.bench.receiver.settings.data)[bundle.sha256] == self.content

    def raw(self, head: str, *body: bytes) -> socket.socket:
        """A connection on which a request was begun, byte by byte as told."""
        host, _, port = self.bench.http.base_url.removeprefix("http://").partition(":")
        connection = socket.create_connection((host, int(port)), 20)
        connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n")
        for piece in body:
            connection.sendall(piece)
        return connection

    def head(self, offset: int, length: int | None, *more: str) -> str:
        lines = [
            f"PATCH {self.location} HTTP/1.1",
            "Host: receiver",
            "Tus-Resumable: 1.0.0",
            f"Upload-Offset: {offset}",
            "Content-Type: application/offset+octet-stream",
            *([f"Content-Length: {length}"] if length is not None else []),
            *more,
        ]
        return "\n".join(lines) + "\n"


def status(connection: socket.socket) -> int:
    with closing(connection):
        connection.settimeout(20)
        return int(connection.recv(4096).split()[1])


@pytest.fixture
def ready(bench: Bench) -> Ready:
    rma = bench.open_case(SERIAL).case.rma
    bench.enrol(bench.device(SERIAL), rma)
    content = os.urandom(SIZE)
    location = str(bench.create(rma, SERIAL, content).headers["location"])
    assert bench.append(location, 0, content[:BEGUN]).status_code == 204
    return Ready(bench, rma, content, location)
