"""Receivers that are down, broken, hostile or not what they were: it is told in one line, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.model.text import fill
from tests.agent_process import environment
from tests.integration.conftest import Checked
from tests.integration.relay import relaying
from tests.integration.unit_under_test import Unit
from tests.receiver_process import ReceiverProcess, serving
from tests.storages import Storage, storage_environment
from tests.unit.uploader.server import Behaviour, certificate, raw_server
from tests.unit.uploader.server import receiver as fake_receiver
from uploader.keys import DeviceKey
from uploader.pace import FIRST

CANNOT_BE_REACHED = "the server {server} cannot be reached"
NO_ANSWER = "the server {server} does not answer in time"
NO_SENSE = "the server {server} gave an answer that makes no sense"
NO_CERTIFICATE = "the server {server} has no valid certificate"
REFUSED = "the server refused: {error}"
CHANGED = "the key of the server {server} has changed; nothing was sent"


def body(data: bytes, head: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {head}", f"Content-Length: {len(data)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + data


def answering(data: bytes) -> Callable[[Path], AbstractContextManager[str]]:
    return lambda _: raw_server(lambda connection: connection.sendall(data))


@contextmanager
def down(_: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def never_answering(_: Path) -> Iterator[str]:
    over = threading.Event()
    with raw_server(lambda _: over.wait() and None) as url:
        yield url
        over.set()


@contextmanager
def dripping(_: Path) -> Iterator[str]:
    """A byte now and then keeps every timeout of a single read from coming."""
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.2):
            connection.sendall(b"X: y\r\n")

    with raw_server(talk) as url:
        yield url
        over.set()


def endless(_: Path) -> AbstractContextManager[str]:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b" " * 65536)

    return raw_server(talk)


@contextmanager
def signed_by_itself(folder: Path) -> Iterator[str]:
    with fake_receiver(
        Behaviour(DeviceKey.load_or_create(folder / "key")), certificate(folder, "localhost", 1)[1]
    ) as url:
        yield url


def problem(detail: str) -> bytes:
    return json.dumps(
        {"type": "https://hibertek.com/aiodiag/problems/internal", "title": "x", "detail": detail}
    ).encode()


PROBLEM_JSON = "Content-Type: application/problem+json"
HOSTILE = "come\nback \x1b[2J\x1b]0;owned\x07 later"
HTML = b"<!doctype html><title>Hotel Wi-Fi</title><p>Please sign in.</p>"
LONG = pytest.mark.adversarial


class Bad(NamedTuple):
    """A server that misbehaves, what the person is told of it, and in which language."""

    server: Callable[[Path], AbstractContextManager[str]]
    reason: str
    language: str
    said: str = ""


SERVERS = {
    "down": Bad(down, CANNOT_BE_REACHED, "es"),
    "a page to sign in": Bad(answering(body(HTML)), NO_SENSE, "zh_Hant"),
    "500": Bad(answering(body(HTML, "500 Oops")), REFUSED, "en", "HTTP 500"),
    "words that would steer the terminal": Bad(
        answering(body(problem(HOSTILE), "503 No", PROBLEM_JSON)),
        REFUSED,
        "es",
        "come back \\x1b[2J\\x1b]0;owned\\x07 later",
    ),
}
MORE_SERVERS = {
    "never answers": Bad(never_answering, NO_ANSWER, "en"),
    "drips": Bad(dripping, NO_ANSWER, "zh_Hant"),
    "endless": Bad(endless, NO_SENSE, "es"),
    "hangs up": Bad(answering(b""), CANNOT_BE_REACHED, "zh_Hant"),
    "garbage": Bad(answering(b"\0\xff" * 5000), CANNOT_BE_REACHED, "en"),
    "huge": Bad(answering(body(b"x" * (3 << 20))), NO_SENSE, "es"),
    "deep": Bad(answering(body(b"[" * 50_000)), NO_SENSE, "zh_Hant"),
    "500 without the JSON that it promises": Bad(answering(body(HTML, "500 Oops", PROBLEM_JSON)), NO_SENSE, "en"),
    "a certificate signed by itself": Bad(signed_by_itself, NO_CERTIFICATE, "zh_Hant"),
}


@pytest.mark.parametrize(
    "bad",
    [
        *(pytest.param(bad, id=name) for name, bad in SERVERS.items()),
        *(pytest.param(bad, id=name, marks=LONG) for name, bad in MORE_SERVERS.items()),
    ],
)
def test_it_is_told_and_sent_later(
    bad: Bad, receiver: ReceiverProcess, checked: Checked, unit: Unit, tmp_path: Path
) -> None:
    unit.language = bad.language
    with bad.server(tmp_path) as url:
        bundle = unit.sealed(checked.case.rma, url)
        began = time.monotonic()
        ran = unit.aiodiag("upload")
        assert time.monotonic() - began < 15
    unit.check_not_sent(ran, bundle, unit.say(bad.reason, server=url, error=bad.said))
    delivered(unit, receiver)


def delivered(unit: Unit, receiver: ReceiverProcess) -> None:
    """What waits can be sent to the good receiver, and is then there whole."""
    (bundle,) = unit.in_outbox()
    content = bundle.read_bytes()
    assert unit.aiodiag("upload", "--server", receiver.url).status == 0
    (entry,) = unit.outbox()
    assert entry["state"] == "delivered"
    receiver.receipt(entry)
    assert receiver.stored(entry["sha256"]) == content
    assert unit.in_outbox() == []


def test_nothing_follows_a_redirect(checked: Checked, unit: Unit, receiver: ReceiverProcess) -> None:
    unit.language = "es"
    visits: list[bytes] = []
    with raw_server(lambda connection: visits.append(b"somebody")) as elsewhere:
        head = f"Location: {elsewhere}/api/v1/receiver"
        with raw_server(lambda connection: connection.sendall(body(b"", "307 Temporary Redirect", head))) as url:
            bundle = unit.sealed(checked.case.rma, url)
            unit.check_not_sent(unit.aiodiag("upload"), bundle, unit.say(NO_SENSE, server=url))
    assert visits == []
    delivered(unit, receiver)


def test_a_self_check_without_a_network_is_kept_and_sent_later(
    receiver: ReceiverProcess, checked: Checked, unit: Unit, tmp_path: Path
) -> None:
    """Customers often have none. The exit status is the verdict's."""
    shutil.rmtree(unit.state / "runs")
    unit.language = "zh_Hant"
    with down(tmp_path) as url:
        pass
    ran = unit.aiodiag(
        "selfcheck", "--serial", checked.case.serial, "--rma", checked.case.rma, "--server", url, "--json"
    )
    assert ran.status == checked.ran.status
    document = ran.json()
    assert document["verdict"] == checked.ran.json()["verdict"]
    unit.check_waiting(Path(document["bundle"]))
    reason = unit.say(CANNOT_BE_REACHED, server=url)
    told = [line for line in ran.err.splitlines() if line.startswith("aiodiag: ")]
    kept = fill(
        unit.say("not sent: {reason}. It is kept in the outbox; send it later with: aiodiag upload", reason="{reason}"),
        {"reason": reason},
    )
    ways = unit.say("without internet: aiodiag bundle qr (for a phone) or aiodiag bundle encrypt (for a stick)")
    assert told == [f"aiodiag: {reason}", f"aiodiag: {kept}", f"aiodiag: {ways}"]
    delivered(unit, receiver)


@LONG
def test_a_self_check_with_a_receiver_that_never_answers_comes_to_its_end(
    receiver: ReceiverProcess, checked: Checked, unit: Unit, tmp_path: Path
) -> None:
    with never_answering(tmp_path) as url:
        where = ["--serial", checked.case.serial, "--rma", checked.case.rma, "--server", url]
        began = time.monotonic()
        ran = unit.aiodiag("selfcheck", *where, "--json")
        assert time.monotonic() - began < 60
    assert ran.status == checked.ran.status
    later, ways = ran.err.splitlines()[-2:]
    assert ("aiodiag upload" in later, "aiodiag bundle encrypt" in ways) == (True, True)
    unit.check_waiting(Path(ran.json()["bundle"]))
    delivered(unit, receiver)


@pytest.fixture
def storage_of_its_own(storage: Storage, request: pytest.FixtureRequest) -> Iterator[Storage]:
    """For a test's own receiver: one at a time has a database."""
    with storage_environment("postgresql+s3" if storage.s3 else "sqlite+files", request) as made:
        yield made


SIZE = 10 << 20
HALF = 6 << 20  # in the last of three parts


@pytest.mark.usefixtures("storage_of_its_own")
def test_a_receiver_that_is_killed_in_mid_upload_and_comes_back(checked: Checked, unit: Unit, tmp_path: Path) -> None:
    """The same ``upload`` goes on with it, from where it was."""
    unit.grow(SIZE)
    with serving(tmp_path / "receiver") as receiver:
        case = receiver.quick_case(checked.case.serial)

        def die() -> None:
            receiver.kill()
            receiver.start()

        with relaying(receiver.port, HALF, die) as relay:
            unit.sealed(case.rma, relay.url)
            ran = unit.aiodiag("upload")
            assert ran.status == 0, ran.err
            (entry,) = unit.outbox()
            receiver.receipt(entry)
            assert HALF < relay.carried < 2 * SIZE - 3 * FIRST  # the first parts were not sent again


@LONG
@pytest.mark.usefixtures("storage_of_its_own")
def test_receiver_and_agent_are_killed_in_mid_upload(checked: Checked, unit: Unit, tmp_path: Path) -> None:
    unit.grow(SIZE)
    unit.language = "es"
    with serving(tmp_path / "receiver") as receiver:
        case = receiver.quick_case(checked.case.serial)
        killed = threading.Event()

        def die() -> None:
            receiver.kill()
            killed.set()

        with relaying(receiver.port, HALF, die) as relay:
            bundle = unit.sealed(case.rma, relay.url)
            with subprocess.Popen(
                [sys.executable, "-m", "agent.cli.main", "upload"], env=environment(unit.state)
            ) as agent:
                assert killed.wait(60)
                agent.kill()
            unit.check_waiting(bundle)
            carried = relay.carried
            still_down = unit.aiodiag("upload")
            unit.check_not_sent(still_down, bundle, unit.say(CANNOT_BE_REACHED, server=relay.url))
            receiver.start()
            assert unit.aiodiag("upload").status == 0
            (entry,) = unit.outbox()
            receiver.receipt(entry)
            assert relay.carried - carried < SIZE - 3 * FIRST + (1 << 19)  # the first parts were not sent again


@LONG
def test_a_receiver_that_changes_its_key_is_given_nothing(
    checked: Checked, unit: Unit, storage_of_its_own: Storage, tmp_path: Path
) -> None:
    unit.language = "zh_Hant"
    with serving(tmp_path / "receiver") as receiver:
        case = receiver.quick_case(checked.case.serial)
        unit.sealed(case.rma, receiver.url)
        assert unit.aiodiag("upload").status == 0
        receiver.stop()
        shutil.move(tmp_path / "receiver" / "key", tmp_path / "key")
        receiver.start()
        for entry in (unit.state / "outbox").iterdir():
            entry.unlink()
        bundle = unit.sealed(case.rma, receiver.url)
        unit.check_not_sent(unit.aiodiag("upload"), bundle, unit.say(CHANGED, server=receiver.url))
        assert len(storage_of_its_own.stored(receiver.data)) == 1
        receiver.stop()
        shutil.rmtree(tmp_path / "receiver" / "key")
        shutil.move(tmp_path / "key", tmp_path / "receiver" / "key")
        receiver.start()
        assert unit.aiodiag("upload").status == 0
        assert len(storage_of_its_own.stored(receiver.data)) == 2
