from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.uploader.server import RMA, SERIAL, Behaviour, certificate, raw_server, receiver
from uploader import http as http_module
from uploader import receiver as receiver_module
from uploader.http import (
    BadAddress,
    BadCertificate,
    Http,
    Nonsense,
    ReceiverError,
    Refused,
    TooSlow,
    Unreachable,
)
from uploader.keys import DeviceKey
from uploader.receiver import Enrolment, KeyChanged, Quarantined, Receiver, UnknownCase


@pytest.fixture
def behaviour(tmp_path: Path) -> Behaviour:
    return Behaviour(DeviceKey.load_or_create(tmp_path / "receiver-key"))


def test_who_it_is(behaviour: Behaviour, tmp_path: Path) -> None:
    with receiver(behaviour) as url:
        peer = Receiver(f"{url}/", tmp_path)
        assert peer.base_url == url
        info = peer.info()
        assert (info.name, info.version, info.uploads) == ("test", "1", "/api/v1/uploads")
        assert info.key == behaviour.key.public
        assert peer.info() is info
        assert peer.case(RMA, SERIAL).status == "open"


def test_a_case_that_is_not(behaviour: Behaviour, tmp_path: Path) -> None:
    with receiver(behaviour) as url:
        peer = Receiver(url, tmp_path)
        for rma, serial in [(RMA, "other"), ("HB26-000000-0", SERIAL), ("../receiver?", SERIAL), ("", ""), ("案", "é")]:
            with pytest.raises(UnknownCase, match="there is no case"):
                peer.case(rma, serial)


def test_enrolment(behaviour: Behaviour, tmp_path: Path, key: DeviceKey) -> None:
    with receiver(behaviour) as url:
        peer = Receiver(url, tmp_path)
        assert peer.enrol(RMA, SERIAL, key) == Enrolment("n0nce", asks_proof=False)
        for serial in ["quarantined", "forbidden"]:
            with pytest.raises(Quarantined, match="holds this device back"):
                peer.enrol(RMA, serial, key)
        with pytest.raises(UnknownCase):
            peer.enrol(RMA, "other", key)


def test_another_key_is_refused_for_ever(behaviour: Behaviour, tmp_path: Path) -> None:
    with receiver(behaviour) as url:
        Receiver(url, tmp_path / "state").info()
        behaviour.key = DeviceKey.load_or_create(tmp_path / "another")
        for _ in range(2):
            with pytest.raises(KeyChanged, match=r"has changed; nothing was sent"):
                Receiver(url, tmp_path / "state").info()
        assert Receiver(url, tmp_path / "elsewhere").info().key == behaviour.key.public


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"key":{}}'])
def test_a_damaged_memory_of_the_key_is_no_first_contact(behaviour: Behaviour, tmp_path: Path, content: bytes) -> None:
    with receiver(behaviour) as url:
        Receiver(url, tmp_path / "state").info()
        (pin,) = (tmp_path / "state" / "receivers").iterdir()
        pin.write_bytes(content)
        with pytest.raises(ReceiverError, match="damaged"):
            Receiver(url, tmp_path / "state").info()
        assert pin.read_bytes() == content


@pytest.mark.parametrize(
    "address",
    [
        "",
        "receiver.example",
        "http://receiver.example",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "https://user:password@receiver.example",
        "https://",
        "https://x:99999",
        "https://x:y",
        "https://[::1",
        "https://x/?a=b",
        "https://x/?",
        "https://x/#a",
        "https://x y",
        "https://x\n",
        "ftp://x",
        "file:///etc/passwd",
    ],
)
def test_addresses_that_are_none(address: str, tmp_path: Path) -> None:
    with pytest.raises(BadAddress, match="no address of a receiver"):
        Receiver(address, tmp_path)


@pytest.mark.parametrize(
    "address",
    ["https://rma.example", "https://x:8443/base", "http://localhost:8000", "http://[::1]:1", "http://127.0.0.1"],
)
def test_addresses_that_are_good(address: str, tmp_path: Path) -> None:
    assert Receiver(address, tmp_path).base_url == address


def test_what_is_on_the_same_server() -> None:
    http = Http("https://rma.example:443/base")
    assert http.url("/api/v1/uploads") == "https://rma.example:443/api/v1/uploads"
    assert http.url("https://rma.example/x") == "https://rma.example/x"
    for other in [
        "https://rma.example:444/x",
        "http://rma.example:443/x",
        "https://a@rma.example/x",
        "//b/x",
        "data:,x",
    ]:
        with pytest.raises(Nonsense):
            http.url(other)


def answers(data: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(data)


def body(data: bytes, head: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(data) + data


@pytest.mark.parametrize(
    "data",
    [
        body(b"<html>Sign in to the hotel network</html>"),
        body(b""),
        body(b"null"),
        body(b"[]"),
        body(b'{"name": "x"}'),
        body(b'{"name":"x","version":"1","key":{},"uploads":"/u"}'),
        body(b"[" * 100_000),
        body(b"x" * (2 << 20)),
        body(b"", b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/"),
        body(b"", b"HTTP/1.1 304 Not Modified"),
        body(b"x", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip"),
        body(b"{}", b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json"),
        body(b"<html>", b"HTTP/1.1 500 Oops\r\nContent-Type: application/problem+json"),
    ],
)
def test_answers_that_make_no_sense(data: bytes, tmp_path: Path) -> None:
    with raw_server(answers(data)) as url, pytest.raises(Nonsense, match="makes no sense"):
        Receiver(url, tmp_path).info()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0" * 1000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    ],
)
def test_answers_that_break_off(data: bytes, tmp_path: Path) -> None:
    with raw_server(answers(data)) as url, pytest.raises((Unreachable, Nonsense)):
        Receiver(url, tmp_path).info()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), headed=st.booleans())
def test_arbitrary_answers_give_a_reason_and_nothing_else(data: bytes, headed: bool, tmp_path: Path) -> None:
    with raw_server(answers(body(data) if headed else data)) as url, pytest.raises(ReceiverError):
        Receiver(url, tmp_path).info()


def test_a_problem_is_told(tmp_path: Path) -> None:
    problem = b'{"type":"about:blank","title":"No","status":501,"detail":"not on Mondays"}'
    head = b"HTTP/1.1 501 No\r\nContent-Type: application/problem+json; charset=utf-8"
    with raw_server(answers(body(problem, head))) as url, pytest.raises(Refused, match="not on Mondays") as caught:
        Receiver(url, tmp_path).info()
    assert not caught.value.passing


def silent(connection: socket.socket) -> None:
    connection.settimeout(3)
    connection.recv(1)


def dripping(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(40):
        connection.sendall(b"X: y\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("talk", [silent, dripping])
def test_a_receiver_that_hangs(
    talk: Callable[[socket.socket], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "_SILENCE_S", 0.3)
    monkeypatch.setattr(http_module, "_WHOLE_S", 1.0)
    start = time.monotonic()
    with raw_server(talk) as url, pytest.raises(TooSlow, match="does not answer in time"):
        Receiver(url, tmp_path).info()
    assert time.monotonic() - start < 8


def test_the_first_answer_must_be_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person waits for it before the check begins."""
    monkeypatch.setattr(receiver_module, "_FIRST_ANSWER_S", 0.3)
    start = time.monotonic()
    with raw_server(silent) as url:
        with pytest.raises(TooSlow, match="does not answer in time"):
            Receiver(url, tmp_path).info()
        assert time.monotonic() - start < 2


def test_a_receiver_that_is_down(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(Unreachable, match="cannot be reached"):
        Receiver(f"http://127.0.0.1:{port}", tmp_path).info()


def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    # RFC 6761 keeps .invalid free of names.
    with pytest.raises(Unreachable, match="cannot be reached"):
        Receiver("https://receiver.invalid", tmp_path).info()


def test_a_certificate_that_this_machine_trusts(
    behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = certificate(tmp_path, "localhost", days=1)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with receiver(behaviour, context) as url:
        assert url.startswith("https://")
        assert Receiver(url, tmp_path).info().name == "test"


@pytest.mark.parametrize(
    ("name", "days"), [("other", 1), ("localhost", -1)], ids=["of another server", "that has expired"]
)
def test_a_certificate_that_is_trusted_but_wrong(
    behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, days: int
) -> None:
    pem, context = certificate(tmp_path, name, days)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    refuse_certificate(behaviour, context, tmp_path)


def test_a_certificate_that_signed_itself(behaviour: Behaviour, tmp_path: Path) -> None:
    refuse_certificate(behaviour, certificate(tmp_path, "localhost", days=1)[1], tmp_path)


def refuse_certificate(behaviour: Behaviour, context: ssl.SSLContext, tmp_path: Path) -> None:
    with receiver(behaviour, context) as url, pytest.raises(BadCertificate, match="no valid certificate"):
        Receiver(url, tmp_path).info()
    assert behaviour.requests == []


def test_tls_to_a_server_that_speaks_none(behaviour: Behaviour, tmp_path: Path) -> None:
    with receiver(behaviour) as url, pytest.raises(Unreachable):
        Receiver(url.replace("http:", "https:"), tmp_path).info()


def test_neither_proxies_nor_passwords_are_for_this_machine(
    behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    heads = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(body(b"{}"))

    with socket.create_server(("127.0.0.1", 0)) as proxy, receiver(behaviour) as url:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        assert Receiver(url, tmp_path).info().name == "test"
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        http = Http(f"http://127.0.0.1:{listening.getsockname()[1]}")

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                heads.append(connection.recv(65536))
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        http.call("GET", "/x")
        thread.join()
    assert b"authorization" not in heads[0].lower()
