"""Uploads over connections that drop, stall, drip or come in crowds, to a receiver whose disk is full: what counts
stays whole, and the upload can be ended.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select, update

from server_stub.clock import now
from server_stub.db import Upload
from server_stub.limits.table import SPARE
from server_stub.settings import API
from server_stub.uploads import routes
from server_stub.uploads.writer import Writer
from tests.adversarial.uploads import BEGUN, SERIAL, SIZE, Ready, status
from tests.device import Device, checksum, encode_metadata, metadata
from tests.receiver_process import serving
from tests.storages import Storage
from tests.unit.server.conftest import APPEND, TUS, problem

pytestmark = pytest.mark.adversarial


@pytest.mark.parametrize("checked", [False, True], ids=["without a checksum", "with a checksum"])
@pytest.mark.parametrize("sent", [0, 1, 65_536, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, SIZE - BEGUN - 1])
def test_a_connection_that_drops(sent: int, checked: bool, ready: Ready) -> None:
    """Without a checksum what came may count; with one, all or nothing."""
    rest = ready.content[BEGUN:]
    more = [f"Upload-Checksum: {checksum(rest)}"] if checked else []
    ready.raw(ready.head(BEGUN, len(rest), *more), rest[:sent]).close()
    settled(ready)
    assert BEGUN <= ready.offset <= (BEGUN if checked else BEGUN + sent)
    ready.ended()


def test_a_connection_that_drops_when_something_is_on_disk(ready: Ready) -> None:
    """Without a checksum that counts."""
    piece = 256 << 10
    connection = ready.raw(ready.head(BEGUN, SIZE - BEGUN), ready.content[BEGUN : BEGUN + piece + 100])
    until(lambda: len(ready.spooled) >= BEGUN + piece)
    connection.close()
    until(lambda: ready.offset >= BEGUN + piece)
    assert ready.offset <= BEGUN + piece + 100
    ready.ended()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def leased(ready: Ready) -> bool:
    with ready.bench.receiver.db.read() as session:
        return session.get_one(Upload, ready.id).lease is not None


def settled(ready: Ready) -> None:
    """Wait until nobody writes any more."""
    until(lambda: not leased(ready))


def test_a_connection_that_is_reset(ready: Ready) -> None:
    connection = ready.raw(ready.head(BEGUN, SIZE - BEGUN), ready.content[BEGUN : BEGUN + 5000])
    until(lambda: leased(ready))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    settled(ready)
    assert BEGUN <= ready.offset <= BEGUN + 5000
    ready.ended()


@pytest.mark.parametrize("pieces", [False, True], ids=["with a length", "in pieces"])
def test_a_refusal_of_a_large_part_is_heard(pieces: bool, ready: Ready) -> None:
    """A client that is told nothing but that the connection broke would send the same part again and again."""
    content = os.urandom(6 << 20)
    location = ready.bench.create(ready.rma, SERIAL, content).headers["location"]
    told = {**APPEND, "Upload-Offset": "7"}
    body = iter([content[:-7]]) if pieces else content[:-7]
    problem(ready.bench.http.patch(location, headers=told, data=body), 409, "conflict")
    told["Upload-Offset"] = "0"
    assert ready.bench.http.patch(location, headers=told, data=content).status_code == 204


def test_two_writers_at_one_offset(ready: Ready) -> None:
    """Any number at once: one is heard, the others are told so, and the bytes are of one of them alone."""
    pieces = [bytes([number]) * 50_000 for number in range(1, 9)]
    with ThreadPoolExecutor(len(pieces)) as pool:
        answers = list(pool.map(lambda piece: ready.patch(BEGUN, piece).status_code, pieces))
    assert sorted(set(answers)) in ([204], [204, 409])
    assert answers.count(204) == 1
    assert ready.offset == BEGUN + 50_000
    assert ready.spooled == ready.content[:BEGUN] + pieces[answers.index(204)]


def test_a_writer_while_another_is_slow(ready: Ready) -> None:
    slow = ready.raw(ready.head(BEGUN, 10), ready.content[BEGUN : BEGUN + 5])
    until(lambda: leased(ready))
    problem(ready.patch(BEGUN, b"z" * 5), 409, "conflict")
    problem(ready.bench.http.delete(ready.location, headers=TUS), 409, "conflict")
    slow.sendall(ready.content[BEGUN + 5 : BEGUN + 10])
    assert status(slow) == 204
    assert ready.offset == BEGUN + 10
    ready.ended()


def test_a_client_that_falls_silent(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "IDLE_S", 0.5)
    silent = ready.raw(ready.head(BEGUN, SIZE - BEGUN), ready.content[BEGUN : BEGUN + 300])
    assert status(silent) == 400
    settled(ready)
    assert ready.offset == BEGUN + 300
    ready.ended()


def test_a_client_that_drips(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow is not silent."""
    monkeypatch.setattr(routes, "IDLE_S", 2.0)
    dripping = ready.raw(ready.head(BEGUN, 20))
    for at in range(20):
        dripping.sendall(ready.content[BEGUN + at : BEGUN + at + 1])
        time.sleep(0.15)
    assert status(dripping) == 204
    assert ready.offset == BEGUN + 20
    ready.ended()


def test_many_silent_clients_keep_nobody_else_out(ready: Ready) -> None:
    silent = [ready.raw(ready.head(BEGUN, 10)) for _ in range(60)]
    try:
        assert ready.bench.http.get(f"{API}/receiver").status_code == 200
        other = os.urandom(1000)
        location = ready.bench.create(ready.rma, SERIAL, other).headers["location"]
        assert ready.bench.append(location, 0, other).status_code == 204
    finally:
        for connection in silent:
            connection.close()
    settled(ready)
    ready.unchanged()


def test_a_lease_that_ran_out(ready: Ready) -> None:
    stale = Writer.begin(ready.bench.receiver.uploads, ready.id, BEGUN, None)
    stale.write(b"stale bytes")
    with ready.bench.receiver.db.write() as session:
        session.execute(update(Upload).values(lease_until=now()))
    fresh = ready.content[BEGUN : BEGUN + 100]
    assert ready.patch(BEGUN, fresh).status_code == 204
    with pytest.raises(Exception, match="Somebody else"):
        stale.finish()
    stale.close()
    assert ready.spooled == ready.content[: BEGUN + 100]
    ready.ended()


SMUGGLED = {
    "a length and pieces": ("Transfer-Encoding: chunked", "Content-Length: 5"),
    "two lengths": ("Content-Length: 5", "Content-Length: 6"),
    "a negative length": ("Content-Length: -5",),
    "pieces of a negative size": ("Transfer-Encoding: chunked",),
    "an encoding that is none": ("Transfer-Encoding: gzip, chunked",),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_with_two_meanings(name: str, ready: Ready) -> None:
    connection = ready.raw(ready.head(BEGUN, None, *SMUGGLED[name]), b"-5\r\nhello\r\n0\r\n\r\n")
    assert 400 <= status(connection) < 600
    settled(ready)
    with ready.bench.receiver.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Upload)) == 1
    assert ready.offset in {BEGUN, BEGUN + 5}


SMALL = 24 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB more than a receiver wants to be free before it begins."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("mounting a disk needs root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={SPARE + SMALL}", "none", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run([umount, folder], check=True)


def test_a_disk_that_is_full(small_disk: Path, tmp_path: Path, storage: Storage) -> None:
    """That of the spool, wherever the receiver keeps the rest. The client is told that it may come again; nothing is
    half taken, and with room again it goes on.
    """
    content = os.urandom(10 << 20)
    with serving(small_disk / "data") as receiver:
        case = receiver.quick_case(SERIAL)
        device = Device(tmp_path / "device", SERIAL)
        path = f"{receiver.url}{API}/cases/{case.rma}/enrolment"
        assert requests.post(path, data=device.enrolment(case.rma), timeout=20).status_code == 200
        told = {**TUS, "Upload-Length": str(len(content))}
        told["Upload-Metadata"] = encode_metadata(metadata(case.rma, SERIAL, content))
        created = requests.post(f"{receiver.url}{API}/uploads", headers=told, timeout=20)
        location = receiver.url + created.headers["location"]
        filler = small_disk / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, SPARE + (16 << 20))
        half = 3 << 20
        for begin, end, code in ((0, half, 204), (half, len(content), 507)):
            piece = content[begin:end]
            headers = {**APPEND, "Upload-Offset": str(begin), "Upload-Checksum": checksum(piece)}
            answer = requests.patch(location, headers=headers, data=piece, timeout=60)
            assert answer.status_code == code, answer.text
        problem(answer, 507, "no-room")
        assert requests.head(location, headers=TUS, timeout=20).headers["upload-offset"] == str(half)
        filler.unlink()
        headers = {**APPEND, "Upload-Offset": str(half), "Upload-Checksum": checksum(content[half:])}
        answer = requests.patch(location, headers=headers, data=content[half:], timeout=60)
        assert answer.status_code == 204, answer.text
        assert receiver.stored(hashlib.sha256(content).hexdigest()) == content
