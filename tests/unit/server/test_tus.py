"""tus 1.0: what a client may rely on, and what nobody can do to another's upload."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from server_stub.db import Upload
from server_stub.problems import Problem
from server_stub.settings import API
from server_stub.uploads.writer import Writer
from tests.device import encode_metadata, metadata
from tests.unit.server.conftest import APPEND, TUS, Bench, problem

SERIAL = "HB24A0017"


@pytest.fixture
def ready(bench: Bench) -> tuple[str, bytes]:
    """An RMA whose unit is enrolled, and something to send."""
    case = bench.open_case(SERIAL).case
    bench.enrol(bench.device(SERIAL), case.rma)
    return case.rma, bytes(range(256)) * 40


def offset(bench: Bench, location: str) -> int:
    head = bench.http.head(location, headers=TUS)
    assert head.headers["cache-control"] == "no-store"
    return int(head.headers["upload-offset"])


def upload_id(location: str) -> str:
    return location.rpartition("/")[2]


def test_options_say_what_is_spoken(bench: Bench) -> None:
    answer = bench.http.options(f"{API}/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-extension"] == "creation,checksum,termination"
    assert answer.headers["tus-checksum-algorithm"] == "sha256"
    assert answer.headers["tus-max-size"] == str(512 << 20)


@pytest.mark.parametrize("version", [None, "0.2.2", "2.0.0"])
def test_another_version_of_tus_is_refused(bench: Bench, version: str | None) -> None:
    answer = bench.http.post(f"{API}/uploads", headers={"Tus-Resumable": version} if version else {})
    problem(answer, 412, "unsupported-version")
    assert answer.headers["tus-version"] == "1.0.0"


def test_bytes_count_piece_by_piece(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    assert offset(bench, location) == 0
    for start in range(0, len(content), 3000):
        sent = bench.append(location, start, content[start : start + 3000])
        assert sent.status_code == 204
        assert sent.headers["tus-resumable"] == "1.0.0"
        assert offset(bench, location) == int(sent.headers["upload-offset"]) == min(start + 3000, len(content))


def test_creation_is_idempotent_by_case_and_digest(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    first = bench.create(rma, SERIAL, content).headers["location"]
    bench.append(first, 0, content[:100])
    assert bench.create(rma, SERIAL, content).headers["location"] == first
    other = bench.open_case(SERIAL).case.rma
    assert bench.create(other, SERIAL, content).headers["location"] != first
    problem(bench.create(rma, SERIAL, content[:-1], hashlib.sha256(content).hexdigest()), 409, "conflict")


def test_only_an_enrolled_unit_of_a_known_case_may_send(bench: Bench) -> None:
    case = bench.open_case(SERIAL).case
    problem(bench.create(case.rma, SERIAL, b"x"), 403, "not-enrolled")
    problem(bench.create(case.rma, "OTHER", b"x"), 404, "unknown-case")


@pytest.mark.parametrize(
    ("length", "name", "status"),
    [
        ("0", "bad-request", 400),
        ("-1", "bad-request", 400),
        ("1e3", "bad-request", 400),
        ("", "bad-request", 400),
        ("9" * 30, "bad-request", 400),
        (str((512 << 20) + 1), "too-large", 413),
    ],
)
def test_a_length_is_a_whole_number_within_the_cap(
    bench: Bench, ready: tuple[str, bytes], length: str, name: str, status: int
) -> None:
    rma, content = ready
    headers = {**TUS, "Upload-Length": length, "Upload-Metadata": encode_metadata(metadata(rma, SERIAL, content))}
    problem(bench.http.post(f"{API}/uploads", headers=headers), status, name)


@pytest.mark.parametrize(
    "header",
    ["", "rma", "rma !!!", "rma SA==,rma SA==", encode_metadata({"rma": "x", "serial": "y", "sha256": "Z" * 64})],
)
def test_malformed_metadata_is_refused(bench: Bench, header: str) -> None:
    headers = {**TUS, "Upload-Length": "5", "Upload-Metadata": header}
    problem(bench.http.post(f"{API}/uploads", headers=headers), 400, "bad-request")


def test_a_wrong_offset_is_a_conflict_and_changes_nothing(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    bench.append(location, 0, content[:100])
    for wrong in (0, 99, 101, len(content)):
        problem(bench.append(location, wrong, b"z"), 409, "conflict")
    assert offset(bench, location) == 100


def test_a_failed_checksum_keeps_nothing(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    bench.append(location, 0, content[:100])
    headers = {**APPEND, "Upload-Offset": "100", "Upload-Checksum": "sha256 " + "A" * 43 + "="}
    problem(bench.http.patch(location, headers=headers, data=content[100:900]), 460, "checksum-mismatch")
    assert offset(bench, location) == 100
    assert bench.receiver.uploads.path(upload_id(location)).read_bytes() == content[:100]
    assert bench.append(location, 100, content[100:]).status_code == 204


@pytest.mark.parametrize("value", ["sha1 AAAA", "sha256 AAAA", "sha256", "", "sha256 !!!"])
def test_a_checksum_that_cannot_be_checked_is_refused(bench: Bench, ready: tuple[str, bytes], value: str) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    headers = {**APPEND, "Upload-Offset": "0", "Upload-Checksum": value}
    problem(bench.http.patch(location, headers=headers, data=b"abc"), 400, "bad-request")
    assert offset(bench, location) == 0


def test_more_than_was_declared_is_too_large(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    problem(bench.append(location, 0, content + b"!"), 413, "too-large")

    def chunked() -> object:
        yield content
        yield b"!"

    headers = {**APPEND, "Upload-Offset": "0"}
    problem(bench.http.patch(location, headers=headers, data=chunked()), 413, "too-large")
    assert offset(bench, location) == 0


def test_another_content_type_is_refused(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    headers = {**TUS, "Content-Type": "application/json", "Upload-Offset": "0"}
    problem(bench.http.patch(location, headers=headers, data=b"{}"), 415, "unsupported-media-type")


def test_a_terminated_upload_is_gone_with_its_bytes(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    bench.append(location, 0, content[:100])
    assert bench.http.delete(location, headers=TUS).status_code == 204
    assert not bench.receiver.uploads.path(upload_id(location)).exists()
    assert bench.http.head(location, headers=TUS).status_code == 404
    problem(bench.http.delete(location, headers=TUS), 404, "not-found")
    problem(bench.append(location, 100, b"x"), 404, "not-found")
    assert bench.create(rma, SERIAL, content).headers["location"] != location


def test_what_has_been_received_cannot_be_taken_back(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.upload(rma, SERIAL, content)
    problem(bench.http.delete(location, headers=TUS), 409, "conflict")


def test_a_method_may_be_said_in_a_header(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    headers = {**APPEND, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert bench.http.post(location, headers=headers, data=content[:10]).headers["upload-offset"] == "10"
    assert bench.http.post(location, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}).status_code == 204
    problem(bench.http.post(location, headers=TUS), 405, "method-not-allowed")


def test_an_upload_that_is_not_whole_has_no_receipt(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    bench.append(location, 0, content[:-1])
    problem(bench.receipt(location), 409, "conflict")


def test_only_one_writer_at_a_time(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    writer = Writer.begin(bench.receiver.uploads, upload_id(location), 0, None)
    writer.write(b"first")
    problem(bench.append(location, 0, b"second"), 409, "conflict")
    problem(bench.http.delete(location, headers=TUS), 409, "conflict")
    assert writer.finish() == 5
    writer.close()
    assert offset(bench, location) == 5
    assert bench.append(location, 5, b"third").status_code == 204


def test_a_writer_that_lost_its_lease_can_do_no_harm(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    stale = Writer.begin(bench.receiver.uploads, upload_id(location), 0, None)
    stale.write(b"stale")
    past = datetime.now(UTC) - timedelta(seconds=1)
    with bench.receiver.db.write() as session:
        session.execute(update(Upload).values(lease_until=past))
    assert bench.append(location, 0, b"fresh bytes").status_code == 204
    with pytest.raises(Problem, match="Somebody else"):
        stale.finish()
    stale.close()
    assert offset(bench, location) == 11
    assert bench.receiver.uploads.path(upload_id(location)).read_bytes() == b"fresh bytes"


def test_bytes_behind_the_offset_do_not_count(bench: Bench, ready: tuple[str, bytes]) -> None:
    rma, content = ready
    location = bench.create(rma, SERIAL, content).headers["location"]
    bench.append(location, 0, content[:100])
    with bench.receiver.uploads.path(upload_id(location)).open("ab") as spooled:
        spooled.write(b"written but never committed: the power went")
    assert bench.append(location, 100, content[100:200]).status_code == 204
    assert bench.receiver.uploads.path(upload_id(location)).read_bytes() == content[:200]
