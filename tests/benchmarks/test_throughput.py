"""How fast the receiver takes a bundle, beside a web server that does nothing but store the same bytes on this machine.

The receiver's time holds all that a tus upload brings with it: the digest of every part, the bytes brought to the disk
before they count, and the verification of the bundle. nginx takes one PUT, digests nothing and leaves the rest to the
kernel.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from server_stub.settings import API
from tests.benchmarks.conftest import Report
from tests.device import checksum, encode_metadata, metadata
from tests.receiver_process import ReceiverProcess, serving
from tests.sending_unit import SendingUnit
from tests.unit.server.conftest import APPEND, TUS
from uploader.pace import Pace

pytestmark = pytest.mark.benchmark_only

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SIZE = 100_000_000
"""Bytes; five times a large self-check's bundle, so that what comes once does not count much."""
PAIRS = 5

CONFIGURATION = """
daemon off;
{user}
worker_processes auto;
pid {folder}/pid;
error_log stderr error;
events {{ }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/temporary;
    proxy_temp_path {folder}/unused; fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused; scgi_temp_path {folder}/unused;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/stored;
        dav_methods PUT;
    }}
}}
"""


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReceiverProcess]:
    with serving(tmp_path / "receiver") as running:
        yield running
    shutil.rmtree(tmp_path)  # pytest would keep it, and it is large


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The port at which it answers, and where it stores."""
    folder = tmp_path / "nginx"
    (folder / "stored").mkdir(parents=True)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    configuration = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, user=user))
    with subprocess.Popen([str(NGINX), "-e", "stderr", "-c", configuration, "-p", folder]) as process:
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port, folder / "stored"
        process.terminate()


def by_tus(receiver: ReceiverProcess, unit: SendingUnit, content: bytes) -> tuple[float, str]:
    """Seconds until all of it is received and verified, and the path of the upload."""
    parts = list(_parts(content))
    checksums = [checksum(part) for part in parts]
    told = encode_metadata(metadata(unit.case.rma, unit.case.serial, content))
    with closing(HTTPConnection("127.0.0.1", receiver.port, timeout=100)) as connection:
        connection.connect()
        began = time.perf_counter()
        created = {**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": told}
        location = call(connection, "POST", f"{API}/uploads", b"", created)["location"]
        offset = 0
        for part, digest in zip(parts, checksums, strict=True):
            headers = {**APPEND, "Upload-Offset": str(offset), "Upload-Checksum": digest}
            offset = int(call(connection, "PATCH", location, part, headers)["upload-offset"])
        return time.perf_counter() - began, location


def _parts(content: bytes) -> Iterator[bytes]:
    """As our uploader cuts them on a fast line."""
    pace, offset = Pace(), 0
    while offset < len(content):
        yield content[offset : offset + pace.part]
        offset += pace.part
        pace.arrived(pace.part, 0.0)


def by_put(port: int, content: bytes, name: str) -> float:
    """Seconds until nginx says that it has it."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=100)) as connection:
        connection.connect()
        began = time.perf_counter()
        call(connection, "PUT", f"/{name}", content, {})
        return time.perf_counter() - began


def call(connection: HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status in {201, 204}
    return {name.lower(): value for name, value in answer.getheaders()}


def brought_to_the_disk(file: Path) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    with file.open("rb+") as stored:
        os.fsync(stored.fileno())
    return time.perf_counter() - began


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_throughput(
    benchmark: Any, report: Report, receiver: ReceiverProcess, nginx: tuple[int, Path], tmp_path: Path
) -> None:
    """In pairs, each of them first in turn; no other machine's number and no other moment's is compared."""
    port, stored = nginx
    cases = receiver.quick_cases([f"AIO24-FAST-{number}" for number in range(PAIRS)])
    seconds: list[tuple[float, float, float]] = []

    def pair() -> None:
        case = cases[len(seconds)]
        unit = SendingUnit(tmp_path / case.serial, case, receiver.url)
        unit.prepare(SIZE)
        content = unit.outbox.bundle(unit.entry).read_bytes()
        name = f"{case.serial}.zip"
        os.sync()
        put = by_put(port, content, name) if len(seconds) % 2 else 0.0
        synced = brought_to_the_disk(stored / name) if put else 0.0
        taken, location = by_tus(receiver, unit, content)
        if not put:
            put = by_put(port, content, name)
            synced = brought_to_the_disk(stored / name)
        seconds.append((taken, put, synced))
        assert unit.peer.receipt(receiver.url + location)
        assert receiver.stored(hashlib.sha256(content).hexdigest()) == content == (stored / name).read_bytes()
        shutil.rmtree(unit.folder)
        (stored / name).unlink()

    benchmark.pedantic(pair, rounds=PAIRS)
    report("receiver, by tus", f"{SIZE / 1e6 / median(t for t, _, _ in seconds):.0f} MB/s", "")
    report("nginx, by PUT", f"{SIZE / 1e6 / median(p for _, p, _ in seconds):.0f} MB/s", "")
    ratios = [100 * put / taken for taken, put, _ in seconds]
    spread = f"{min(ratios):.0f} to {max(ratios):.0f}"
    report("receiver against nginx", f"{median(ratios):.0f} % ({spread})", "60 % at least")
    synced = [100 * (put + sync) / taken for taken, put, sync in seconds]
    spread = f"{min(synced):.0f} to {max(synced):.0f}"
    report("the same, nginx's file brought to the disk", f"{median(synced):.0f} % ({spread})", "")
