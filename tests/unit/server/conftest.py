"""A receiver of this process on a real socket, a case on it, and a unit that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi import FastAPI

from server_stub.app import create_app
from server_stub.cases import Opened, open_case
from server_stub.receiver import Receiver
from server_stub.settings import API, Settings
from tests.device import Device, checksum, encode_metadata, metadata
from tests.serving import listening
from tests.storages import BOTH, Storage, storage_environment

TUS = {"Tus-Resumable": "1.0.0"}
APPEND = {**TUS, "Content-Type": "application/offset+octet-stream"}


class Http(requests.Session):
    """A session that takes paths."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.base_url = base_url
        self.trust_env = False

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        return super().request(method, self.base_url + str(url), *args, timeout=20, **kwargs)


@dataclass
class Bench:
    """The receiver's HTTP side, and its inside for arranging things."""

    http: Http
    receiver: Receiver
    folder: Path
    storage: Storage
    app: FastAPI

    def open_case(self, serial: str = "HB24A0017", shipped: date | None = None) -> Opened:
        with self.receiver.db.write() as session:
            return open_case(session, serial=serial, model="AIO 27", shipped=shipped, symptom="slow-disk")

    def device(self, serial: str = "HB24A0017", name: str = "device") -> Device:
        return Device(self.folder / name, serial)

    def enrol(self, device: Device, rma: str, rotation: bytes | None = None) -> Any:
        return self.http.post(f"{API}/cases/{rma}/enrolment", data=device.enrolment(rma, rotation))

    def nonce(self, device: Device, rma: str) -> str:
        return str(self.enrol(device, rma).json()["nonce"])

    def create(self, rma: str, serial: str, content: bytes, digest: str | None = None) -> Any:
        headers = {
            **TUS,
            "Upload-Length": str(len(content)),
            "Upload-Metadata": encode_metadata(metadata(rma, serial, content, digest)),
        }
        return self.http.post(f"{API}/uploads", headers=headers)

    def append(self, location: str, offset: int, content: bytes, *, check: bool = True) -> Any:
        headers = {**APPEND, "Upload-Offset": str(offset)}
        if check:
            headers["Upload-Checksum"] = checksum(content)
        return self.http.patch(location, headers=headers, data=content)

    def upload(self, rma: str, serial: str, content: bytes) -> str:
        """Send a whole bundle; gives the upload's address."""
        created = self.create(rma, serial, content)
        assert created.status_code == 201, created.text
        location = str(created.headers["location"])
        sent = self.append(location, 0, content)
        assert (sent.status_code, sent.headers["upload-offset"]) == (204, str(len(content)))
        return location

    def receipt(self, location: str) -> Any:
        return self.http.get(f"{location}/receipt")


@pytest.fixture(params=BOTH, autouse=True)
def storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """Every test here is to be had on either storage."""
    with storage_environment(request.param, request) as made:
        yield made


@pytest.fixture
def bench(tmp_path: Path, storage: Storage) -> Iterator[Bench]:
    app = create_app(Settings(tmp_path / "data"))
    with listening(app) as address, Http(address) as http:
        yield Bench(http, app.state.receiver, tmp_path, storage, app)


def problem(answer: Any, status: int, name: str) -> dict[str, Any]:
    """Check that ``answer`` is the problem ``name`` in full; gives its members."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"https://hibertek.com/aiodiag/problems/{name}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body
