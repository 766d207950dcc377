"""A small receiver that keeps to ``docs/protocol.md``, and breaks where a test tells it to.

It is the other side of the client's tests: whatever it does is what a real network or server may do.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from uploader import dsse
from uploader.keys import DeviceKey, PublicKey
from uploader.receipt import RECEIPT_TYPE
from uploader.receiver import ENROLMENT_TYPE

RMA, SERIAL = "HB26-483920-5", "HB-AIO-0001"


@dataclass
class Behaviour:
    """What the receiver holds, and how it misbehaves."""

    key: DeviceKey
    uploads: dict[str, bytearray] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    break_at: list[int] = field(default_factory=list)
    """Offsets at which the connection is closed, each once."""
    keep_partial: bool = True
    """Whether what arrived of a broken chunk is kept."""
    corrupt: int = 0
    """How many chunks are damaged on their way."""
    receipts: list[Callable[[dict[str, Any]], bytes]] = field(default_factory=list)
    """How the next receipts are made, when not properly."""
    replies: list[tuple[int, str]] = field(default_factory=list)
    """Statuses and problem names that the next PATCH requests get."""
    location: str = ""
    received: int = 0
    """Bytes that PATCH requests brought in all."""
    requests: list[str] = field(default_factory=list)
    recipient: bytes = b""
    """The envelope of its age recipient, when it tells one."""

    def receipt(self, name: str) -> dict[str, Any]:
        """The payload of a proper receipt."""
        metadata, data = self.metadata[name], bytes(self.uploads[name])
        return {
            "rma": metadata["rma"],
            "serial": metadata["serial"],
            "bundle_id": metadata["filename"].removesuffix(".aiodiag.zip"),
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "received_at": "2026-01-01T00:00:00Z",
            "case_url": "https://receiver.example/cases/" + metadata["rma"],
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behaviour: Behaviour

    def do_GET(self) -> None:
        path = self._begin()
        if path == "/api/v1/receiver":
            key = self.behaviour.key.public.to_json()
            told = {"recipient": json.loads(self.behaviour.recipient)} if self.behaviour.recipient else {}
            self._json(200, {"name": "test", "version": "1", "key": key, "uploads": "/api/v1/uploads", **told})
        elif path == f"/api/v1/cases/{RMA}?serial={SERIAL}":
            self._json(200, {"rma": RMA, "status": "open"})
        elif path.endswith("/receipt") and path.split("/")[-2] in self.behaviour.uploads:
            self._receipt(path.split("/")[-2])
        else:
            self._problem(404, "unknown-case")

    def do_POST(self) -> None:
        path = self._begin()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if path == f"/api/v1/cases/{RMA}/enrolment":
            self._enrol(body)
        elif path == "/api/v1/uploads":
            self._create()
        else:
            self._problem(404, "unknown-case")

    def do_HEAD(self) -> None:
        name = self._begin().split("/")[-1]
        if name not in self.behaviour.uploads:
            self._answer(404, {})
            return
        offset, length = len(self.behaviour.uploads[name]), self.behaviour.lengths[name]
        self._answer(200, {"Upload-Offset": str(offset), "Upload-Length": str(length), "Cache-Control": "no-store"})

    def do_PATCH(self) -> None:
        name = self._begin().split("/")[-1]
        behaviour, upload = self.behaviour, self.behaviour.uploads[name]
        size = int(self.headers["Content-Length"])
        assert self.headers["Content-Type"] == "application/offset+octet-stream"
        if behaviour.break_at and len(upload) + size > behaviour.break_at[0]:
            part = self.rfile.read(behaviour.break_at.pop(0) - len(upload))
            behaviour.received += len(part)
            if behaviour.keep_partial:
                upload += part
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        body = self.rfile.read(size)
        behaviour.received += len(body)
        algorithm, digest = self.headers["Upload-Checksum"].split()
        if behaviour.corrupt:
            behaviour.corrupt -= 1
            body = b"\0" + body[1:]
        if behaviour.replies:
            self._problem(*behaviour.replies.pop(0))
        elif int(self.headers["Upload-Offset"]) != len(upload):
            self._problem(409, "conflict")
        elif algorithm != "sha256" or base64.b64decode(digest) != hashlib.sha256(body).digest():
            self._problem(460, "checksum-mismatch")
        else:
            upload += body
            self._answer(204, {"Upload-Offset": str(len(upload))})

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _begin(self) -> str:
        self.behaviour.requests.append(f"{self.command} {self.path}")
        return self.path

    def _enrol(self, body: bytes) -> None:
        payload = json.loads(dsse.peek(body, ENROLMENT_TYPE, max_size=10_000))
        dsse.verify(body, ENROLMENT_TYPE, PublicKey.from_json(payload["key"]), max_size=10_000)
        if (payload["rma"], payload["key_protection"]) != (RMA, "file"):
            self._problem(400, "bad-request")
        elif payload["serial"] == SERIAL:
            self._json(200, {"status": "enrolled", "nonce": "n0nce"})
        elif payload["serial"] == "quarantined":
            self._json(200, {"status": "quarantined", "nonce": None})
        elif payload["serial"] == "forbidden":
            self._problem(403, "quarantined")
        else:
            self._problem(404, "unknown-case")

    def _create(self) -> None:
        behaviour = self.behaviour
        pairs = [pair.split(" ") for pair in self.headers["Upload-Metadata"].split(",")]
        metadata = {name: base64.b64decode(value).decode() for name, value in pairs}
        name = metadata["sha256"][:32]
        if metadata["rma"] != RMA:
            self._problem(404, "unknown-case")
            return
        if name not in behaviour.uploads:
            behaviour.uploads[name] = bytearray()
            behaviour.metadata[name] = metadata
            behaviour.lengths[name] = int(self.headers["Upload-Length"])
        self._answer(201, {"Location": behaviour.location or f"/api/v1/uploads/{name}"})

    def _receipt(self, name: str) -> None:
        behaviour = self.behaviour
        if len(behaviour.uploads[name]) < behaviour.lengths[name]:
            self._problem(409, "conflict")
            return
        payload = behaviour.receipt(name)
        envelope = (
            behaviour.receipts.pop(0)(payload)
            if behaviour.receipts
            else dsse.sign(json.dumps(payload).encode(), RECEIPT_TYPE, behaviour.key)
        )
        if envelope:
            self._answer(200, {"Content-Type": "application/json"}, envelope)
        else:
            self._problem(422, "bundle-rejected")

    def _json(self, status: int, value: Any) -> None:
        self._answer(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _problem(self, status: int, name: str) -> None:
        problem = {
            "type": f"https://hibertek.com/aiodiag/problems/{name}",
            "title": name,
            "status": status,
            "detail": f"this is {name}",
        }
        self._answer(status, {"Content-Type": "application/problem+json"}, json.dumps(problem).encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Tus-Resumable": "1.0.0", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what many of these tests are about."""


@contextmanager
def receiver(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run it on this machine; gives its base URL."""
    handler = type("Handler", (_Handler,), {"behaviour": behaviour})
    with _Server(("127.0.0.1", 0), handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
            yield f"{scheme}://{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does to each connection what ``talk`` says, after it read the request's head."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.settimeout(10)
                        connection.recv(65536)
                        talk(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def certificate(folder: Path, name: str, days: int) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for ``name`` that ends in ``days``."""
    private = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, SHA256())
    )
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(Encoding.PEM))
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return pem, context
