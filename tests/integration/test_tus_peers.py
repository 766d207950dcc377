"""Uploads with the programs of others at either end: two clients against our receiver, our client against a server."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from tusclient.client import TusClient
from tusclient.uploader import Uploader

from agent.model import Evidence
from server_stub.settings import API
from tests import tus_peers
from tests.device import TIME, Contents, Device, metadata
from tests.integration.relay import relaying
from tests.receiver_process import Case, ReceiverProcess
from uploader import dsse, strict_json
from uploader.bundle.seal import Sealed
from uploader.keys import DeviceKey, PublicKey
from uploader.outbox import Entry, Outbox, State
from uploader.receipt import RECEIPT_TYPE, Receipt
from uploader.receiver import Receiver
from uploader.send import Retries, send
from uploader.tus import Upload

pytestmark = pytest.mark.adversarial

SERIAL = "AIO24-TUS-PEERS"
TUS = {"Tus-Resumable": "1.0.0"}
MIB = 1 << 20
QUICKLY = Retries(limit=8, first_s=0.05, most_s=0.2)


@pytest.fixture(scope="module")
def peers() -> Path:
    return tus_peers.installed()


@dataclass
class Ready:
    """A unit that is enrolled for a case, and its bundle of a few MiB."""

    case: Case
    sealed: Sealed
    metadata: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.metadata = metadata(self.case.rma, self.case.serial, self.sealed.path.read_bytes())

    def check_receipt(self, url: str, location: str) -> None:
        key = PublicKey.from_json(requests.get(f"{url}{API}/receiver", timeout=20).json()["key"])
        answer = requests.get(f"{location}/receipt", timeout=20)
        assert answer.status_code == 200, answer.text
        Receipt.verify(answer.content, key).check(
            rma=self.case.rma,
            serial=self.case.serial,
            bundle_id=self.sealed.bundle_id,
            sha256=self.sealed.sha256,
            size=self.sealed.size,
        )


def bundle(device: Device, rma: str, nonce: str | None = None) -> Sealed:
    noise = [Evidence("dmesg", str(i), os.urandom(MIB), "dmesg", TIME) for i in range(4)]
    return device.bundle(rma, nonce, Contents(evidence=noise))


@pytest.fixture
def ready(receiver: ReceiverProcess, tmp_path: Path) -> Ready:
    device = Device(tmp_path / "device", f"{SERIAL}-{uuid.uuid4().hex[:8].upper()}")
    case = receiver.quick_case(device.serial)
    path = f"{receiver.url}{API}/cases/{case.rma}/enrolment"
    nonce = requests.post(path, data=device.enrolment(case.rma), timeout=20).json()["nonce"]
    return Ready(case, bundle(device, case.rma, nonce))


class Js:
    """tus-js-client with a bundle to send; each call is a process of its own, as after a restart."""

    def __init__(self, peers: Path, ready: Ready, url: str, tmp_path: Path, chunk: int) -> None:
        self._peers = peers
        self._wanted = {
            "endpoint": f"{url}{API}/uploads",
            "file": str(ready.sealed.path),
            "metadata": ready.metadata,
            "chunkSize": chunk,
            "urls": str(tmp_path / "urls.json"),
        }

    def run(self, **more: Any) -> dict[str, Any]:
        return tus_peers.upload(self._peers, **self._wanted, **more)


def at(location: str) -> int:
    return int(requests.head(location, headers=TUS, timeout=20).headers["upload-offset"])


@pytest.mark.parametrize("chunk", [250_000, 500_000], ids=["small pieces", "pieces"])
def test_tus_js_client_breaks_off_and_resumes(
    chunk: int, peers: Path, receiver: ReceiverProcess, ready: Ready, tmp_path: Path
) -> None:
    js = Js(peers, ready, receiver.url, tmp_path, chunk)
    first = js.run(stopAt=MIB)
    assert (first["done"], first["error"], first["resumed"]) == (False, None, False)
    assert requests.get(f"{first['url']}/receipt", timeout=20).status_code == 409
    second = js.run()
    assert (second["done"], second["error"], second["resumed"]) == (True, None, True)
    assert second["url"] == first["url"]
    ready.check_receipt(receiver.url, second["url"])
    assert receiver.stored(ready.sealed.sha256) == ready.sealed.path.read_bytes()


def test_tus_js_client_that_forgot_is_led_to_the_same_upload(
    peers: Path, receiver: ReceiverProcess, ready: Ready, tmp_path: Path
) -> None:
    js = Js(peers, ready, receiver.url, tmp_path, 500_000)
    first = js.run(stopAt=MIB)
    (tmp_path / "urls.json").unlink()
    forgetful = js.run(stopAt=1)
    assert forgetful["url"] == first["url"]
    assert js.run()["done"]
    ready.check_receipt(receiver.url, first["url"])


def test_tus_js_client_gets_through_a_network_that_breaks(
    peers: Path, receiver: ReceiverProcess, ready: Ready, tmp_path: Path
) -> None:
    with relaying(receiver.port, 2 * MIB, lambda: None) as relay:
        told = Js(peers, ready, relay.url, tmp_path, MIB).run()
    assert (told["done"], told["error"]) == (True, None)
    ready.check_receipt(receiver.url, told["url"].replace(relay.url, receiver.url))
    assert relay.carried > 2 * MIB


def test_tus_js_client_gives_an_upload_up(peers: Path, receiver: ReceiverProcess, ready: Ready, tmp_path: Path) -> None:
    js = Js(peers, ready, receiver.url, tmp_path, 500_000)
    first = js.run(stopAt=MIB, terminate=True)
    assert first["error"] is None
    assert requests.head(first["url"], headers=TUS, timeout=20).status_code == 404
    again = js.run()
    assert (again["done"], again["error"]) == (True, None)
    assert again["url"] != first["url"]
    ready.check_receipt(receiver.url, again["url"])


def test_tus_js_client_goes_on_after_the_receiver_was_killed(
    peers: Path, ready: Ready, receiver: ReceiverProcess, tmp_path: Path
) -> None:
    killed = threading.Event()

    def accident() -> None:
        receiver.kill()
        receiver.start()
        killed.set()

    with relaying(receiver.port, 3 * MIB, accident) as relay:
        js = Js(peers, ready, relay.url, tmp_path, MIB)
        told = js.run()
        if not told["done"]:  # its patience, 1.4 s, was too short for the receiver to come back
            assert killed.wait(30)
            told = js.run()
    assert (told["done"], told["error"]) == (True, None)
    ready.check_receipt(receiver.url, told["url"].replace(relay.url, receiver.url))


class Sha256Uploader(Uploader):
    """tuspy with the checksum that this receiver takes."""

    CHECKSUM_ALGORITHM_PAIR = ("sha256", hashlib.sha256)


@pytest.mark.parametrize("check", [False, True], ids=["no checksum", "checksum"])
def test_tuspy_gets_through_a_network_that_breaks(check: bool, receiver: ReceiverProcess, ready: Ready) -> None:
    with relaying(receiver.port, 2 * MIB + 300_000, lambda: None) as relay:
        client = Sha256Uploader(
            file_stream=io.BytesIO(ready.sealed.path.read_bytes()),
            client=TusClient(f"{relay.url}{API}/uploads"),
            chunk_size=MIB,
            metadata=ready.metadata,
            upload_checksum=check,
            retries=5,
            retry_delay=0.2,
        )
        client.upload()
        location = str(client.url).replace(relay.url, receiver.url)
    ready.check_receipt(receiver.url, location)


def test_one_client_begins_and_the_other_ends(
    peers: Path, receiver: ReceiverProcess, ready: Ready, tmp_path: Path
) -> None:
    first = Js(peers, ready, receiver.url, tmp_path, 700_000).run(stopAt=MIB)
    client = Sha256Uploader(
        file_stream=io.BytesIO(ready.sealed.path.read_bytes()),
        client=TusClient(f"{receiver.url}{API}/uploads"),
        url=first["url"],
        chunk_size=MIB,
        upload_checksum=True,
    )
    assert client.offset == at(first["url"]) > 0
    client.upload()
    ready.check_receipt(receiver.url, first["url"])


class Office:
    """What a receiver does besides tus: it says who it is, and signs for what is whole in the store of @tus/server."""

    def __init__(self, store: Path, key: DeviceKey) -> None:
        self._store = store
        self._key = key

    def answer(self, path: str) -> tuple[int, bytes]:
        if path == f"{API}/receiver":
            told = {"name": "peer", "version": "1", "key": self._key.public.to_json(), "uploads": f"{API}/uploads"}
            return 200, strict_json.canonical(told)
        found = re.fullmatch(rf"{API}/uploads/([0-9a-f]{{32}})/receipt", path)
        assert found, path
        content = (self._store / found[1]).read_bytes()
        upload = json.loads((self._store / f"{found[1]}.json").read_text())
        if len(content) != upload["size"]:
            return 409, b""
        told = upload["metadata"]
        receipt = {
            "rma": told["rma"],
            "serial": told["serial"],
            "bundle_id": told["filename"].removesuffix(".aiodiag.zip"),
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "received_at": "2026-01-01T00:00:00Z",
            "case_url": "https://receiver.example/cases/" + told["rma"],
        }
        return 200, dsse.sign(strict_json.canonical(receipt), RECEIPT_TYPE, self._key)

    @contextmanager
    def open(self) -> Iterator[int]:
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = office.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@dataclass
class Peer:
    """@tus/server as a receiver, and a unit with a bundle for it."""

    server: tus_peers.TusServer
    store: Path
    device: Device
    sealed: Sealed
    state: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def stored(self) -> list[bytes]:
        return [file.read_bytes() for file in self.store.iterdir() if file.suffix != ".json"]


@pytest.fixture
def peer(peers: Path, tmp_path: Path) -> Iterator[Peer]:
    store = tmp_path / "store"
    store.mkdir()
    device = Device(tmp_path / "device", SERIAL)
    office = Office(store, DeviceKey.load_or_create(tmp_path / "office"))
    with office.open() as behind, tus_peers.serving(peers, store, behind) as server:
        yield Peer(server, store, device, bundle(device, "HB26-483920-5"), tmp_path / "state")


class Stopped(Exception):
    """The agent was ended in mid-upload."""


def broken_off(peer: Peer) -> tuple[Outbox, Entry]:
    """An upload of ours that was begun there and stopped."""
    outbox = Outbox(peer.state / "outbox")
    entry = outbox.add(peer.sealed.path, rma="HB26-483920-5", server=peer.url)

    def stop(done: int, _size: int) -> None:
        if done > 0:
            raise Stopped

    with pytest.raises(Stopped):
        send(outbox, entry, Receiver(peer.url, peer.state), stop)
    (entry,) = outbox.entries()
    return outbox, entry


def test_our_uploader_breaks_off_and_resumes_at_a_server_of_others(peer: Peer) -> None:
    outbox, entry = broken_off(peer)
    assert entry.upload_url is not None
    begun = at(entry.upload_url)
    assert 0 < begun < peer.sealed.size
    seen: list[int] = []
    receipt = send(outbox, entry, Receiver(peer.url, peer.state), lambda done, _size: seen.append(done))
    assert seen[0] == begun
    assert receipt.sha256 == peer.sealed.sha256
    assert peer.stored() == [peer.sealed.path.read_bytes()]
    assert [entry.state for entry in outbox.entries()] == [State.DELIVERED]


@pytest.mark.parametrize("limit", [100_000, 2 * MIB, 4 * MIB - 50_000])
def test_our_uploader_gets_through_a_network_that_breaks_to_a_server_of_others(peer: Peer, limit: int) -> None:
    with relaying(peer.server.port, limit, lambda: None) as relay:
        outbox = Outbox(peer.state / "outbox")
        entry = outbox.add(peer.sealed.path, rma="HB26-483920-5", server=relay.url)
        receipt = send(outbox, entry, Receiver(relay.url, peer.state), retries=QUICKLY)
    assert receipt.sha256 == peer.sealed.sha256
    assert peer.stored() == [peer.sealed.path.read_bytes()]
    assert relay.carried > limit


def test_our_uploader_begins_anew_where_a_server_of_others_has_forgotten_the_upload(peer: Peer) -> None:
    outbox, entry = broken_off(peer)
    for file in peer.store.iterdir():
        file.unlink()
    send(outbox, entry, Receiver(peer.url, peer.state))
    assert peer.stored() == [peer.sealed.path.read_bytes()]


def test_our_client_gives_an_upload_up_at_a_server_of_others(peer: Peer) -> None:
    receiver = Receiver(peer.url, peer.state)
    told = {"rma": "HB26-483920-5", "serial": SERIAL, "sha256": "0" * 64, "filename": "a"}
    upload = Upload.create(receiver.http, receiver.info().uploads, 1000, told)
    assert upload.offset(1000) == 0
    assert upload.append(0, b"x" * 400) == 400
    upload.discard()
    assert upload.offset(1000) is None
    assert peer.stored() == []
