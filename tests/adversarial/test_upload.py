"""Uploads by clients that say what is wrong, or ask for what is somebody else's: each is told so, and what was received
before stays as it was.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator

import pytest

from server_stub.settings import API
from tests.adversarial.uploads import BEGUN, SERIAL, SIZE, Ready
from tests.device import checksum, encode_metadata, metadata
from tests.unit.server.conftest import APPEND, TUS, problem

pytestmark = pytest.mark.adversarial

OFFSETS: dict[str, tuple[object, int, str]] = {
    "the beginning again": (0, 409, "conflict"),
    "one byte before": (BEGUN - 1, 409, "conflict"),
    "one byte behind": (BEGUN + 1, 409, "conflict"),
    "the end": (SIZE, 409, "conflict"),
    "beyond the end": (SIZE + 1, 409, "conflict"),
    "of 15 digits": (10**15 - 1, 409, "conflict"),
    "of 16 digits": (10**16 - 1, 400, "bad-request"),
    "negative": (-1, 400, "bad-request"),
    "negative zero": ("-0", 400, "bad-request"),
    "with a plus": (f"+{BEGUN}", 400, "bad-request"),
    "a fraction": (f"{BEGUN}.0", 400, "bad-request"),
    "hexadecimal": (hex(BEGUN), 400, "bad-request"),
    "with an underscore": ("1_000", 400, "bad-request"),
    "two of them": (f"{BEGUN}, {BEGUN}", 400, "bad-request"),
    "empty": ("", 400, "bad-request"),
    "a word": ("NaN", 400, "bad-request"),
}


@pytest.mark.parametrize("name", OFFSETS)
def test_an_offset_that_is_wrong(name: str, ready: Ready) -> None:
    offset, code, problem_name = OFFSETS[name]
    problem(ready.patch(offset, b"z" * 10), code, problem_name)
    ready.unchanged()


def test_an_offset_that_is_missing(ready: Ready) -> None:
    problem(ready.patch(0, b"z", Upload_Offset=None), 400, "bad-request")
    ready.unchanged()


LENGTHS = {
    "missing": (None, 400),
    "negative": ("-1", 400),
    "none at all": ("0", 400),
    "a fraction": ("10.5", 400),
    "hexadecimal": ("0x10", 400),
    "exponent": ("1e3", 400),
    "Arabic digits": ("\u0661\u0662".encode().decode("latin-1"), 400),
    "a byte more than a bundle may have": (str((512 << 20) + 1), 413),
    "a petabyte": ("9" * 15, 413),
    "of 30 digits": ("9" * 30, 400),
    "two of them": ("5, 5", 400),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_a_length_that_is_wrong(name: str, ready: Ready) -> None:
    length, code = LENGTHS[name]
    told = {**TUS, "Upload-Metadata": encode_metadata(metadata(ready.rma, SERIAL, b"other"))}
    if length is not None:
        told["Upload-Length"] = length
    answer = ready.bench.http.post(f"{API}/uploads", headers=told)
    problem(answer, code, "too-large" if code == 413 else "bad-request")
    ready.unchanged()


def test_a_length_that_is_to_be_told_later(ready: Ready) -> None:
    """That extension is not offered."""
    told = {**TUS, "Upload-Defer-Length": "1", "Upload-Metadata": encode_metadata(metadata(ready.rma, SERIAL, b"x"))}
    problem(ready.bench.http.post(f"{API}/uploads", headers=told), 400, "bad-request")


METADATA: dict[str, tuple[str, int]] = {
    "none": ("", 400),
    "no pairs": (",,,", 400),
    "a key without a value": ("rma", 400),
    "no base64": ("rma !!!", 400),
    "a key doubled": ("rma SA==,rma SA==", 400),
    "a digest in capitals": (encode_metadata({"rma": "x", "serial": "y", "sha256": "A" * 64}), 400),
    "a digest that is a path": (encode_metadata({"rma": "x", "serial": "y", "sha256": "../" * 21 + "x"}), 400),
    "a digest with a line feed": (encode_metadata({"rma": "x", "serial": "y", "sha256": "a" * 64 + "\n"}), 400),
    "a case that is none": (encode_metadata({"rma": "' OR 1=1 --", "serial": "y", "sha256": "a" * 64}), 404),
    "a serial with NUL": (encode_metadata({"rma": "HB26-483920-5", "serial": "\0", "sha256": "a" * 64}), 404),
    "a serial that is not UTF-8": ("rma SA==,serial //79,sha256 " + "YWFh" * 21 + "YQ==", 404),
    "more than allowed": ("filename " + "QUFB" * 2000, 413),
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_are_wrong(name: str, ready: Ready) -> None:
    header, code = METADATA[name]
    told = {**TUS, "Upload-Length": "5", "Upload-Metadata": header}
    assert ready.bench.http.post(f"{API}/uploads", headers=told).status_code == code
    ready.unchanged()


@pytest.mark.parametrize("filename", ["../../etc/passwd", "/dev/null", "\0", "a\r\nSet-Cookie: x=y", "é" * 300])
def test_a_file_name_means_nothing(filename: str, ready: Ready) -> None:
    content = os.urandom(50)
    told = {**metadata(ready.rma, SERIAL, content), "filename": filename}
    headers = {**TUS, "Upload-Length": "50", "Upload-Metadata": encode_metadata(told)}
    created = ready.bench.http.post(f"{API}/uploads", headers=headers)
    assert created.status_code == 201
    assert "set-cookie" not in created.headers
    assert ready.bench.append(created.headers["location"], 0, content).status_code == 204
    outside = [p.name for p in ready.bench.folder.rglob("*") if p.is_file() and p.name in {"passwd", "null"}]
    assert outside == []


VERSIONS = {"none": None, "older": "0.2.2", "newer": "2.0.0", "two": "1.0.0, 1.0.0", "with a blank": "1.0.0 x"}


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_that_is_not_spoken(version: str, method: str, ready: Ready) -> None:
    told = {**APPEND, "Upload-Offset": str(BEGUN), "Tus-Resumable": VERSIONS[version]}
    path = f"{API}/uploads" if method == "POST" else ready.location
    answer = ready.bench.http.request(method, path, headers=told, data=b"z" if method == "PATCH" else None)
    assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")
    ready.unchanged()


CHECKSUMS = {
    "of other bytes": (checksum(b"other"), 460),
    "of nothing": (checksum(b""), 460),
    "of another algorithm": ("md5 rL0Y20zC+Fzt72VPzMSk2A==", 400),
    "of an algorithm in capitals": (checksum(b"z" * 10).replace("sha256", "SHA256"), 400),
    "in hexadecimal": ("sha256 " + hashlib.sha256(b"z" * 10).hexdigest(), 400),
    "cut off": (checksum(b"z" * 10)[:-4], 400),
    "empty": ("", 400),
    "without its algorithm": (checksum(b"z" * 10).removeprefix("sha256 "), 400),
}


@pytest.mark.parametrize("name", CHECKSUMS)
def test_a_checksum_that_is_wrong(name: str, ready: Ready) -> None:
    value, code = CHECKSUMS[name]
    answer = ready.patch(BEGUN, b"z" * 10, Upload_Checksum=value)
    problem(answer, code, "checksum-mismatch" if code == 460 else "bad-request")
    ready.unchanged()


@pytest.mark.parametrize("kind", [None, "", "application/octet-stream", "application/offset+octet-stream; charset=x"])
def test_a_content_type_that_is_wrong(kind: str | None, ready: Ready) -> None:
    problem(ready.patch(BEGUN, b"z", Content_Type=kind), 415, "unsupported-media-type")
    ready.unchanged()


def test_more_than_was_declared_in_one_request(ready: Ready) -> None:
    problem(ready.patch(BEGUN, ready.content[BEGUN:] + b"!"), 413, "too-large")
    ready.unchanged()


def test_more_than_was_declared_without_a_length(ready: Ready) -> None:
    def pieces() -> Iterator[bytes]:
        yield ready.content[BEGUN:]
        yield b"!"

    problem(ready.patch(BEGUN, pieces()), 413, "too-large")
    ready.unchanged()


def test_more_when_it_is_whole(ready: Ready) -> None:
    ready.ended()
    problem(ready.patch(SIZE, b"!"), 413, "too-large")
    problem(ready.patch(SIZE - 1, b"!!"), 409, "conflict")


def test_nothing_at_all(ready: Ready) -> None:
    assert ready.patch(BEGUN, b"").headers["upload-offset"] == str(BEGUN)
    ready.unchanged()


OTHERS: dict[str, Callable[[str], str]] = {
    "of zeros": lambda _: "0" * 32,
    "in capitals": str.upper,
    "all but the last digit": lambda own: own[:-1],
    "one digit more": lambda own: own + "0",
    "a wildcard": lambda _: "%25",
    "a path": lambda _: "..%2f..%2freceiver.sqlite3",
    "dots": lambda _: "%2e%2e",
    "NUL": lambda own: own + "%00",
    "an injection": lambda own: f"{own}'%20OR%20'1'='1",
    "very long": lambda _: "a" * 5000,
}


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE", "GET"])
@pytest.mark.parametrize("name", OTHERS)
def test_another_upload_that_is_guessed(name: str, method: str, ready: Ready) -> None:
    guessed = OTHERS[name](ready.id)
    if guessed == ready.id:
        pytest.skip("this identifier has no letters")
    told = {**APPEND, "Upload-Offset": str(BEGUN)}
    path = f"{API}/uploads/{guessed}" + ("/receipt" if method == "GET" else "")
    answer = ready.bench.http.request(method, path, headers=told, data=b"z" if method == "PATCH" else None)
    assert answer.status_code in {404, 405}
    ready.unchanged()


def test_an_upload_is_not_told_to_whoever_knows_the_digest_alone(ready: Ready) -> None:
    """The same bundle announced for another customer's case leads to an upload of its own, which has nothing yet."""
    other = ready.bench.open_case("HB24A0018").case.rma
    ready.bench.enrol(ready.bench.device("HB24A0018", "other"), other)
    created = ready.bench.create(other, "HB24A0018", ready.content)
    assert (created.status_code, created.headers["upload-offset"]) == (201, "0")
    assert created.headers["location"] != ready.location
    assert ready.bench.http.delete(created.headers["location"], headers=TUS).status_code == 204
    ready.unchanged()


def test_an_upload_that_was_given_up(ready: Ready) -> None:
    assert ready.bench.http.delete(ready.location, headers=TUS).status_code == 204
    for answer in (
        ready.patch(BEGUN, b"z"),
        ready.bench.http.delete(ready.location, headers=TUS),
        ready.bench.receipt(ready.location),
    ):
        problem(answer, 404, "not-found")
    assert not ready.bench.receiver.uploads.path(ready.id).exists()


@pytest.mark.parametrize("left", [None, 0, 1, BEGUN - 1], ids=["all of them", "but not the file", "but one", "one"])
def test_an_upload_whose_bytes_are_gone(left: int | None, ready: Ready) -> None:
    """Somebody emptied the spool, or put an older copy back: they are asked for again, and no others stand in."""
    spooled = ready.bench.receiver.uploads.path(ready.id)
    if left is None:
        spooled.unlink()
    else:
        os.truncate(spooled, left)
    problem(ready.patch(BEGUN, ready.content[BEGUN : BEGUN + 10]), 409, "conflict")
    assert ready.offset == (left or 0)
    ready.ended()
