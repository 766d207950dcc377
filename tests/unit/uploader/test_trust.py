"""Which servers are believed: real TLS servers, with certificates that were made here."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.unit.uploader.server import Behaviour, certificate, receiver
from uploader import trust
from uploader.http import BadAddress, BadCertificate
from uploader.keys import DeviceKey
from uploader.receiver import Receiver
from uploader.trust import authorities

OTHER = "sha256//" + base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def _nobody_said_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AIODIAG_PIN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def behaviour(tmp_path: Path) -> Behaviour:
    return Behaviour(DeviceKey.load_or_create(tmp_path / "receiver-key"))


def pin_of(pem: Path) -> str:
    key = x509.load_pem_x509_certificate(pem.read_bytes()).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "sha256//" + base64.b64encode(hashlib.sha256(encoded).digest()).decode()


def test_the_systems_authorities_are_asked_and_not_a_list_of_ours(
    behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a company has put its own authority into the system's store."""
    pem, context = certificate(tmp_path, "localhost", days=1)
    monkeypatch.setattr(trust, "_STORES", (str(tmp_path / "nowhere"), str(pem)))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: ssl.DefaultVerifyPaths(None, None, "", "", "", ""))
    with receiver(behaviour, context) as url:
        assert Receiver(url, tmp_path).info().name == "test"


def test_without_a_store_it_is_the_list_that_comes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_STORES", ())
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: ssl.DefaultVerifyPaths(None, None, "", "", "", ""))
    assert authorities() is True


@pytest.mark.skipif(not Path("/etc/ssl/certs/ca-certificates.crt").exists(), reason="ca-certificates is not installed")
def test_the_store_of_this_system() -> None:
    store = authorities()
    assert isinstance(store, str)
    assert ssl.create_default_context(cafile=store).get_ca_certs()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_somebody_names_the_only_authority(
    variable: str, behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, context = certificate(tmp_path, "localhost", days=1)
    (tmp_path / "else").mkdir()
    another, _ = certificate(tmp_path / "else", "localhost", days=1)
    with receiver(behaviour, context) as url:
        monkeypatch.setenv(variable, str(mine))
        assert Receiver(url, tmp_path).info().name == "test"
        monkeypatch.setenv(variable, str(another))
        with pytest.raises(BadCertificate, match="no valid certificate"):
            Receiver(url, tmp_path).info()


@pytest.mark.parametrize("pins", ["{right}", "{other};{right}", "{right};{right};"])
def test_the_pinned_key_is_believed(
    pins: str, behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = certificate(tmp_path, "localhost", days=1)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("AIODIAG_PIN", pins.format(right=pin_of(pem), other=OTHER))
    with receiver(behaviour, context) as url:
        assert Receiver(url, tmp_path).info().name == "test"


def test_another_key_is_told_nothing_however_good_its_certificate(
    behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = certificate(tmp_path, "localhost", days=1)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("AIODIAG_PIN", OTHER)
    with receiver(behaviour, context) as url, pytest.raises(BadCertificate, match="another key than the one pinned"):
        Receiver(url, tmp_path).info()
    assert behaviour.requests == []


def test_a_pin_takes_the_place_of_no_other_check(
    behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = certificate(tmp_path, "localhost", days=1)
    monkeypatch.setenv("AIODIAG_PIN", pin_of(pem))
    with receiver(behaviour, context) as url, pytest.raises(BadCertificate, match="no valid certificate"):
        Receiver(url, tmp_path).info()
    assert behaviour.requests == []


@contextmanager
def tunnel(to: int) -> Iterator[int]:
    """A proxy that connects whoever asks (CONNECT) with the port ``to`` of this machine; one at a time."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # one of them hangs up on the other
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with listening:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client, socket.create_connection(("127.0.0.1", to)) as server:
                    while not client.recv(65536).endswith(b"\r\n\r\n"):
                        pass
                    client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                    back = threading.Thread(target=pump, args=(server, client), daemon=True)
                    back.start()
                    pump(client, server)
                    back.join(10)

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield port
    finally:
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("right", [True, False])
def test_through_a_proxy_the_key_is_the_servers(
    right: bool, behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is not this machine's, which only the proxy reaches."""
    pem, context = certificate(tmp_path, "receiver.test", days=1)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("AIODIAG_PIN", pin_of(pem) if right else OTHER)
    with receiver(behaviour, context) as url, tunnel(int(url.rpartition(":")[2])) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
        there = Receiver("https://receiver.test", tmp_path)
        if right:
            assert there.info().name == "test"
        else:
            with pytest.raises(BadCertificate, match="another key"):
                there.info()


@pytest.mark.parametrize("pin", ["sha256//short", "sha256/x", "sha1//" + "A" * 43 + "=", "A" * 43 + "=", "sha256//ä"])
def test_what_is_no_pin_is_never_passed_over(pin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIODIAG_PIN", pin)
    with pytest.raises(BadAddress, match="AIODIAG_PIN"):
        Receiver("https://receiver.invalid", tmp_path)
