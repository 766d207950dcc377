"""The receiver as a program of its own: command line, an independent tus client, and kill -9."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from tusclient.uploader import Uploader

from agent.model import Evidence
from server_stub import cases
from server_stub.db import Database
from server_stub.settings import API, DATABASE, Settings
from server_stub.uploads.writer import COMMIT_BYTES
from tests.device import TIME, Contents, Device, encode_metadata, metadata
from tests.storages import Storage
from uploader.bundle.seal import Sealed
from uploader.keys import PublicKey
from uploader.outbox import Outbox
from uploader.receipt import Receipt
from uploader.receiver import Receiver
from uploader.send import send

ROOT = Path(__file__).resolve().parents[3]
SERIAL = "HB24A0017"
TUS = {"Tus-Resumable": "1.0.0"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from server_stub.cli import main; sys.exit(main())", *arguments]


def server(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


class Running:
    """A receiver that listens."""

    def __init__(self, data: Path, *more: str) -> None:
        self.process = subprocess.Popen(
            command("serve", "--port", "0", "--data", str(data), *more), cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found, line
        self.url = found[1]

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> int:
        self.process.terminate()
        status = self.process.wait(30)
        if self.process.stdout:
            self.process.stdout.close()
        return status


@contextmanager
def running(data: Path, *more: str) -> Iterator[Running]:
    receiver = Running(data, *more)
    try:
        yield receiver
    finally:
        receiver.end()


def open_case(data: Path) -> dict[str, str]:
    """A case, opened without the cost of another process."""
    settings = Settings(data)
    settings.prepare()
    database = Database(settings.database_url)
    with database.write() as session:
        opened = cases.open_case(session, serial=SERIAL)
        found = {"rma": opened.case.rma, "case_path": opened.path}
    database.close()
    return found


def enrolled_bundle(url: str, device: Device, rma: str, size: int = 0) -> Sealed:
    """A bundle for a case, of at least ``size`` bytes that do not compress."""
    answer = requests.post(f"{url}{API}/cases/{rma}/enrolment", data=device.enrolment(rma), timeout=20)
    noise = [Evidence("dmesg", str(i), os.urandom(1 << 20), "dmesg", TIME) for i in range(size >> 20)]
    return device.bundle(rma, answer.json()["nonce"], Contents(evidence=noise))


class Sha256Uploader(Uploader):
    """tuspy with the checksum that this receiver takes."""

    CHECKSUM_ALGORITHM_PAIR = ("sha256", hashlib.sha256)


def uploader(url: str, sealed: Sealed, rma: str, chunk: int, **more: Any) -> Uploader:
    return Sha256Uploader(
        file_stream=io.BytesIO(sealed.path.read_bytes()),
        client=TusClient(f"{url}{API}/uploads"),
        chunk_size=chunk,
        metadata=metadata(rma, SERIAL, sealed.path.read_bytes()),
        upload_checksum=True,
        **more,
    )


def check_receipt(url: str, location: str, rma: str, sealed: Sealed) -> None:
    info = requests.get(f"{url}{API}/receiver", timeout=20).json()
    envelope = requests.get(f"{location}/receipt", timeout=20)
    assert envelope.status_code == 200, envelope.text
    receipt = Receipt.verify(envelope.content, PublicKey.from_json(info["key"]))
    receipt.check(rma=rma, serial=SERIAL, bundle_id=sealed.bundle_id, sha256=sealed.sha256, size=sealed.size)


def test_tuspy_uploads_aborts_and_resumes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rma = open_case(data)["rma"]
    with running(data) as receiver:
        sealed = enrolled_bundle(receiver.url, Device(tmp_path / "device", SERIAL), rma, 3 << 20)
        first = uploader(receiver.url, sealed, rma, 500_000)
        first.upload(stop_at=1_000_000)
        assert requests.get(f"{first.url}/receipt", timeout=20).status_code == 409
        # another process, that knows nothing but the bundle, is led to the same upload
        second = uploader(receiver.url, sealed, rma, 700_000)
        second.set_url(second.create_url())
        assert second.url == first.url
        second.offset = second.get_offset()
        assert second.offset == 1_000_000
        second.upload()
        check_receipt(receiver.url, str(second.url), rma, sealed)


def test_tuspy_is_told_of_a_corrupted_piece(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rma = open_case(data)["rma"]
    with running(data) as receiver:
        sealed = enrolled_bundle(receiver.url, Device(tmp_path / "device", SERIAL), rma)
        broken = uploader(receiver.url, sealed, rma, 4096)

        class Liar:
            @staticmethod
            def digest() -> bytes:
                return b"\0" * 32

        vars(broken)["_BaseUploader__checksum_algorithm"] = lambda _chunk: Liar
        with pytest.raises(TusUploadFailed) as raised:
            broken.upload()
        assert raised.value.status_code == 460
        assert broken.get_offset() == 0


def test_the_agents_own_client_and_this_receiver_understand_each_other(tmp_path: Path) -> None:
    data = tmp_path / "data"
    opened = open_case(data)
    with running(data) as running_receiver:
        device = Device(tmp_path / "device", SERIAL)
        receiver = Receiver(running_receiver.url, tmp_path / "state")
        nonce = receiver.enrol(opened["rma"], SERIAL, device.key).nonce
        assert receiver.case(opened["rma"], SERIAL).status == "request"
        sealed = device.bundle(opened["rma"], nonce)
        outbox = Outbox(tmp_path / "outbox")
        entry = outbox.add(sealed.path, rma=opened["rma"], server=receiver.base_url)
        receipt = send(outbox, entry, receiver)
        assert receipt.sha256 == sealed.sha256
        page = requests.get(running_receiver.url + opened["case_path"], timeout=20)
        assert "verified with the enrolled key" in page.text


def test_a_killed_receiver_keeps_what_it_had_committed_and_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rma = open_case(data)["rma"]
    receiver = Running(data)
    device = Device(tmp_path / "device", SERIAL)
    sealed = enrolled_bundle(receiver.url, device, rma, 20 << 20)
    content = sealed.path.read_bytes()
    headers = {
        **TUS,
        "Upload-Length": str(len(content)),
        "Upload-Metadata": encode_metadata(metadata(rma, SERIAL, content)),
    }
    path = requests.post(f"{receiver.url}{API}/uploads", headers=headers, timeout=20).headers["location"]
    spool = data / "spool" / path.rpartition("/")[2]
    # one PATCH without a checksum, of which the receiver is killed in the middle
    host, port = receiver.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        head = (
            f"PATCH {path} HTTP/1.1\r\nHost: {host}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            f"Content-Type: application/offset+octet-stream\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        connection.sendall(head.encode() + content[: COMMIT_BYTES + (3 << 20)])
        deadline = time.monotonic() + 20
        while not (spool.exists() and spool.stat().st_size > COMMIT_BYTES + (1 << 20)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        receiver.kill()
    with running(data) as again:
        state = requests.head(again.url + path, headers=TUS, timeout=20)
        committed = int(state.headers["upload-offset"])
        assert COMMIT_BYTES <= committed < spool.stat().st_size
        rest = uploader(again.url, sealed, rma, 4 << 20)
        rest.set_url(again.url + path)
        rest.offset = rest.get_offset()
        assert rest.offset == committed
        rest.upload()
        check_receipt(again.url, again.url + path, rma, sealed)


def test_a_broken_connection_without_checksum_keeps_what_came(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rma = open_case(data)["rma"]
    with running(data) as receiver:
        sealed = enrolled_bundle(receiver.url, Device(tmp_path / "device", SERIAL), rma, 1 << 20)
        part = uploader(receiver.url, sealed, rma, 1 << 20)
        part.set_url(part.create_url())
        host, port = receiver.url.removeprefix("http://").split(":")
        path = str(part.url).removeprefix(receiver.url)
        with socket.create_connection((host, int(port)), 20) as connection:
            head = (
                f"PATCH {path} HTTP/1.1\r\nHost: {host}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
                f"Content-Type: application/offset+octet-stream\r\nContent-Length: {sealed.size}\r\n\r\n"
            )
            connection.sendall(head.encode() + sealed.path.read_bytes()[:100_000])
        deadline = time.monotonic() + 20
        while part.get_offset() != 100_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        part.offset = 100_000
        part.upload()
        check_receipt(receiver.url, str(part.url), rma, sealed)


def test_a_second_receiver_on_the_same_data_or_port_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "data") as receiver:
        second = server("serve", "--port", "0", "--data", str(tmp_path / "data"))
        assert second.returncode == 2
        assert second.stderr.count("\n") == 1
        assert "another receiver runs" in second.stderr
        port = receiver.url.rpartition(":")[2]
        monkeypatch.delenv(DATABASE, raising=False)  # which another receiver has as well
        third = server("serve", "--port", port, "--data", str(tmp_path / "other"))
        assert third.returncode == 2
        assert third.stderr.count("\n") == 1
        assert f"cannot listen on 127.0.0.1:{port}" in third.stderr
        assert receiver.process.poll() is None


def test_terminating_it_is_an_orderly_end(tmp_path: Path) -> None:
    receiver = Running(tmp_path / "data")
    receiver.process.send_signal(signal.SIGTERM)
    assert receiver.end() in {0, -signal.SIGTERM}


@pytest.mark.parametrize(
    "arguments",
    [
        ["open-case", "--serial", "  "],
        ["open-case", "--serial", "x" * 65],
        ["open-case", "--serial", "a\x1b[31m"],
        ["cases", "--data", "/proc/nothing"],
        ["serve", "--host", "no.such.host.invalid"],
    ],
)
def test_bad_input_is_one_clear_line_and_status_2(tmp_path: Path, arguments: list[str]) -> None:
    more = [] if "--data" in arguments else ["--data", str(tmp_path / "data")]
    done = server(*arguments, *more)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"aiodiag-server: [^\n]+\n", done.stderr), done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["open-case"],
        ["open-case", "--serial", "A1", "--shipped", "yesterday"],
        ["open-case", "--serial", "A1", "--symptom", "Two Words"],
        ["serve", "--port", "70000"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    done = server(*arguments)
    assert done.returncode == 2
    assert re.fullmatch(r"aiodiag-server[^\n]+\n", done.stderr), done.stderr


def test_a_case_is_opened_and_listed(tmp_path: Path, storage: Storage) -> None:
    data = tmp_path / "data"
    done = server("open-case", "--serial", SERIAL, "--shipped", "2026-01-31", "--data", str(data))
    opened = json.loads(done.stdout)
    assert opened["case_path"] == f"/cases/{opened['rma']}?claim={opened['claim']}"
    listed = server("cases", "--data", str(data)).stdout
    assert listed.startswith(opened["rma"])
    assert SERIAL in listed
    assert data.stat().st_mode & 0o777 == 0o700
    file = data / "receiver.sqlite3"
    assert file.exists() == (storage.database == "")
    if file.exists():
        assert opened["claim"].encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600


def test_tuspy_is_refused_an_unknown_upload(tmp_path: Path) -> None:
    with running(tmp_path / "data") as receiver, pytest.raises(TusCommunicationError):
        Uploader(
            file_stream=io.BytesIO(b"x"), url=f"{receiver.url}{API}/uploads/{'0' * 32}", client=TusClient(receiver.url)
        )
