"""Bundles in an S3 server: whole or not at all, whatever breaks between it and the receiver."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_stub.blobs import BlobDamaged
from server_stub.db import Bundle, Upload
from server_stub.db.models import UploadState
from server_stub.s3 import S3Blobs
from tests.integration.relay import Relay, relaying
from tests.storages import S3, Storage, s3_environment
from tests.unit.server.conftest import TUS, Bench, problem
from tests.unit.server.test_intake import stored

pytestmark = pytest.mark.storage
SERIAL = "HB24A0017"


@pytest.fixture
def way(s3: S3) -> Iterator[Relay]:
    """The network between the receiver and its store."""
    with relaying(s3.port, 1 << 60, lambda: None) as relay:
        yield relay


@pytest.fixture(autouse=True)
def storage(s3: S3, way: Relay) -> Iterator[Storage]:
    """SQLite, and S3 at the end of that way."""
    with s3_environment(s3, way.url) as place:
        yield Storage(s3=s3, place=place)


@pytest.fixture
def blobs(storage: Storage, tmp_path: Path) -> S3Blobs:
    return S3Blobs(storage.place, tmp_path)


def written(folder: Path, content: bytes) -> tuple[Path, str]:
    file = folder / "given"
    file.write_bytes(content)
    return file, hashlib.sha256(content).hexdigest()


def held(storage: Storage) -> dict[str, bytes]:
    return storage.stored(Path())


def test_what_is_kept_is_found_again(blobs: S3Blobs, storage: Storage, tmp_path: Path) -> None:
    file, digest = written(tmp_path, os.urandom(3 << 20))
    for _ in range(2):
        blobs.keep(file, digest)
    assert held(storage) == {digest: file.read_bytes()}
    with blobs.local(digest) as copy:
        assert copy.read_bytes() == file.read_bytes()
        assert copy.stat().st_mode & 0o777 == 0o600
    assert not copy.exists()


def test_a_whole_bundle_is_never_in_memory(blobs: S3Blobs, tmp_path: Path) -> None:
    file, digest = written(tmp_path, bytes(64 << 20))
    blobs.keep(file, digest)  # what the client loads once is loaded
    tracemalloc.start()
    with blobs.local(digest):
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 << 20


@pytest.mark.parametrize("name", ["", "a" * 63, "../" * 21 + "x", "A" * 64])
def test_what_is_no_digest_is_no_name(blobs: S3Blobs, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="digest"), blobs.local(name):
        pass


def test_what_is_not_there_is_said_so(blobs: S3Blobs) -> None:
    with pytest.raises(FileNotFoundError), blobs.local("0" * 64):
        pass


def test_another_content_under_a_digest_is_neither_given_nor_taken_for_kept(
    blobs: S3Blobs, storage: Storage, tmp_path: Path
) -> None:
    file, digest = written(tmp_path, b"a bundle")
    blobs.keep(file, digest)
    storage.overwrite(Path(), digest, b"a bumble")
    with pytest.raises(BlobDamaged), blobs.local(digest):
        pass
    with pytest.raises(BlobDamaged):
        blobs.keep(file, digest)


def sent(bench: Bench) -> tuple[str, bytes, int]:
    """A bundle whose last byte comes while the store cannot be reached; its address, content, and the answer."""
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    content = device.bundle(case.rma, bench.nonce(device, case.rma)).path.read_bytes()
    location = bench.create(case.rma, SERIAL, content).headers["location"]
    return location, content, bench.append(location, 0, content).status_code


def test_a_store_that_cannot_be_reached_leaves_the_upload_whole_and_unjudged(
    bench: Bench, storage: Storage, way: Relay, s3: S3
) -> None:
    way.port = 1  # nobody listens there
    location, content, status = sent(bench)
    assert status == 500
    assert bench.http.head(location, headers=TUS).headers["upload-offset"] == str(len(content))
    problem(bench.receipt(location), 409, "conflict")
    assert (stored(bench), held(storage)) == ([], {})
    way.port = s3.port
    assert bench.receipt(location).status_code == 200
    [row] = stored(bench)
    assert (row.state, row.fresh, held(storage)) == ("accepted", True, {row.sha256: content})
    assert list(bench.receiver.settings.spool.iterdir()) == []


@pytest.mark.parametrize("after", [1, 900, 3000])
def test_a_connection_that_breaks_in_the_middle_is_made_again(
    bench: Bench, storage: Storage, way: Relay, after: int
) -> None:
    broken: list[int] = []
    way.break_at(way.carried + after, lambda: broken.append(after))
    location, content, status = sent(bench)
    assert broken == [after]
    assert status == 204  # the client tried again
    assert bench.receipt(location).status_code == 200
    [row] = stored(bench)
    assert held(storage) == {row.sha256: content}


def test_what_a_receiver_left_that_died_before_it_wrote_that_down_is_taken_up(bench: Bench, storage: Storage) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    sealed = device.bundle(case.rma, bench.nonce(device, case.rma))
    bench.receiver.blobs.keep(sealed.path, sealed.sha256)
    location = bench.upload(case.rma, SERIAL, sealed.path.read_bytes())
    assert bench.receipt(location).status_code == 200
    assert list(held(storage)) == [sealed.sha256]


def test_a_damaged_object_is_never_receipted(bench: Bench, storage: Storage) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    sealed = device.bundle(case.rma, bench.nonce(device, case.rma))
    content = sealed.path.read_bytes()
    bench.receiver.blobs.keep(sealed.path, sealed.sha256)
    storage.overwrite(Path(), sealed.sha256, content[:-1])
    location = bench.create(case.rma, SERIAL, content).headers["location"]
    assert bench.append(location, 0, content).status_code == 500
    problem(bench.receipt(location), 409, "conflict")
    with bench.receiver.db.read() as session:
        upload = session.get_one(Upload, location.rpartition("/")[2])
        assert upload.state is UploadState.RECEIVING
        assert session.query(Bundle).count() == 0
    assert bench.receiver.uploads.path(upload.id).read_bytes() == content


def test_a_page_of_a_bundle_whose_store_is_away_is_an_honest_error(bench: Bench, way: Relay) -> None:
    opened, device = bench.open_case(SERIAL), bench.device(SERIAL)
    sealed = device.bundle(opened.case.rma, bench.nonce(device, opened.case.rma))
    bench.upload(opened.case.rma, SERIAL, sealed.path.read_bytes())
    way.port = 1
    assert bench.http.get(opened.path).status_code == 500
    assert bench.http.get("/").status_code == 200
