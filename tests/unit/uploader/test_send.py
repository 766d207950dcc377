from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.uploader.server import RMA, Behaviour, certificate, receiver
from uploader import dsse, pace
from uploader.bundle.seal import Sealed
from uploader.http import Nonsense, ReceiverError, Refused, Unreachable
from uploader.keys import DeviceKey
from uploader.outbox import Entry, Outbox, OutboxError, State
from uploader.receipt import RECEIPT_TYPE
from uploader.receiver import Receiver, UnknownCase
from uploader.send import Retries, send

QUICK = Retries(limit=3, first_s=0.001, most_s=0.001)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST", 1000)
    monkeypatch.setattr(pace, "MOST", 1000)
    monkeypatch.setattr(pace, "LEAST", 100)


@pytest.fixture
def behaviour(tmp_path: Path) -> Behaviour:
    return Behaviour(DeviceKey.load_or_create(tmp_path / "receiver-key"))


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


class Case:
    """One bundle in one outbox, and the receiver that it goes to."""

    def __init__(self, base_url: str, outbox: Outbox, sealed: Sealed, state: Path) -> None:
        self.receiver = Receiver(base_url, state)
        self.outbox = outbox
        self.sealed = sealed
        self.entry = outbox.add(sealed.path, rma=RMA, server=base_url)

    def send(self) -> Any:
        return send(self.outbox, self.outbox.get(self.entry.sha256), self.receiver, retries=QUICK)

    def kept(self, state: State = State.WAITING) -> Entry:
        """The entry, after it was checked that the bundle is still whole in the outbox."""
        entry = self.outbox.get(self.entry.sha256)
        assert entry.state is state
        assert entry.last_error is not None
        assert entry.receipt is None
        assert self.outbox.bundle(entry).read_bytes() == self.sealed.path.read_bytes()
        return entry


Make = Callable[[str], Case]


@pytest.fixture
def make(outbox: Outbox, sealed: Sealed, tmp_path: Path) -> Make:
    return lambda base_url: Case(base_url, outbox, sealed, tmp_path / "state")


def content(behaviour: Behaviour) -> bytes:
    (upload,) = behaviour.uploads.values()
    return bytes(upload)


def test_a_bundle_arrives_whole(behaviour: Behaviour, make: Make, sealed: Sealed) -> None:
    seen: list[tuple[int, int]] = []
    with receiver(behaviour) as url:
        case = make(url)
        receipt = send(case.outbox, case.entry, case.receiver, lambda sent, total: seen.append((sent, total)))
    assert content(behaviour) == sealed.path.read_bytes()
    assert (receipt.sha256, receipt.size, receipt.bundle_id) == (sealed.sha256, sealed.size, sealed.bundle_id)
    assert receipt.case_url == "https://receiver.example/cases/HB26-483920-5"
    assert seen[0] == (0, sealed.size)
    assert seen[-1] == (sealed.size, sealed.size)
    assert seen == sorted(seen)
    entry = case.outbox.get(sealed.sha256)
    assert entry.state is State.DELIVERED
    assert entry.receipt is not None
    assert json.loads(dsse.verify(entry.receipt.encode(), RECEIPT_TYPE, behaviour.key.public, max_size=10_000))
    assert not case.outbox.bundle(entry).exists()
    with pytest.raises(OutboxError, match="delivered already"):
        case.send()
    assert case.outbox.get(sealed.sha256) == entry


@pytest.mark.parametrize("keep_partial", [True, False])
def test_a_line_that_breaks_again_and_again(
    behaviour: Behaviour, make: Make, sealed: Sealed, keep_partial: bool
) -> None:
    behaviour.keep_partial = keep_partial
    behaviour.break_at = [0, 1, 500, 1001, 1999, 3000, 4500, sealed.size - 1]
    with receiver(behaviour) as url:
        make(url).send()
    assert content(behaviour) == sealed.path.read_bytes()
    assert behaviour.break_at == []


def test_tls_that_breaks_is_no_reason_to_give_up(
    behaviour: Behaviour, make: Make, sealed: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = certificate(tmp_path, "localhost", days=1)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    behaviour.break_at = [1, 500, 3000, sealed.size - 1]
    with receiver(behaviour, context) as url:
        make(url).send()
    assert content(behaviour) == sealed.path.read_bytes()
    assert behaviour.break_at == []


def test_another_attempt_goes_on_where_the_last_one_ended(behaviour: Behaviour, make: Make, sealed: Sealed) -> None:
    behaviour.break_at = [2500, 2500, 2500, 2500, 2500, 2500]
    with receiver(behaviour) as url:
        case = make(url)
        with pytest.raises(Unreachable):
            case.send()
        entry = case.kept()
        assert entry.attempts == 1
        assert entry.upload_url is not None
        behaviour.break_at, behaviour.received = [], 0
        case.send()
    assert content(behaviour) == sealed.path.read_bytes()
    assert behaviour.received == sealed.size - 2500
    assert [request.split()[0] for request in behaviour.requests].count("POST") == 1


def test_damage_on_the_way_is_sent_again(behaviour: Behaviour, make: Make, sealed: Sealed) -> None:
    behaviour.corrupt = 2
    with receiver(behaviour) as url:
        make(url).send()
    assert content(behaviour) == sealed.path.read_bytes()


def test_an_upload_that_the_receiver_forgot_is_begun_again(behaviour: Behaviour, make: Make, sealed: Sealed) -> None:
    behaviour.break_at = [2500] * 6
    with receiver(behaviour) as url:
        case = make(url)
        with pytest.raises(Unreachable):
            case.send()
        behaviour.break_at = []
        behaviour.uploads.clear()
        case.send()
    assert content(behaviour) == sealed.path.read_bytes()


def test_a_bundle_begun_with_another_receiver(behaviour: Behaviour, make: Make, sealed: Sealed) -> None:
    with receiver(behaviour) as url:
        case = make(url)
        case.outbox.started(case.entry, "https://elsewhere.example/uploads/1")
        case.send()
    assert content(behaviour) == sealed.path.read_bytes()


@pytest.mark.parametrize(("status", "name"), [(500, "internal"), (503, ""), (409, "conflict"), (413, "too-large")])
def test_a_receiver_that_only_fails(behaviour: Behaviour, make: Make, status: int, name: str) -> None:
    behaviour.replies = [(status, name)] * 50
    with receiver(behaviour) as url:
        case = make(url)
        with pytest.raises(Refused, match="refused"):
            case.send()
    assert len(behaviour.replies) == (49 if status == 413 else 46)
    case.kept()


def test_a_bundle_that_the_receiver_does_not_believe(behaviour: Behaviour, make: Make) -> None:
    behaviour.receipts = [lambda _: b""]
    with receiver(behaviour) as url:
        case = make(url)
        with pytest.raises(Refused, match="this is bundle-rejected"):
            case.send()
    assert "bundle-rejected" in str(case.kept(State.REFUSED).last_error)


def test_an_unknown_case(behaviour: Behaviour, sealed: Sealed, outbox: Outbox, tmp_path: Path) -> None:
    behaviour.metadata.clear()
    with receiver(behaviour) as url:
        case = Case(url, outbox, sealed, tmp_path)
        behaviour.replies = [(404, "unknown-case")]
        with pytest.raises(UnknownCase, match=f"there is no case {RMA} for the serial number"):
            case.send()
    case.kept()


def signed_by_another(tmp: Path) -> Callable[[dict[str, Any]], bytes]:
    other = DeviceKey.load_or_create(tmp / "other")
    return lambda payload: dsse.sign(json.dumps(payload).encode(), RECEIPT_TYPE, other)


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "0" * 64},
        {"rma": "HB26-000000-0"},
        {"serial": "other"},
        {"size": 1},
        {"size": "1"},
        {"bundle_id": "other"},
        {"case_url": "javascript:alert(1)"},
        {"case_url": "https://x/\x1b[2J"},
        {"case_url": "http://["},
        {"received_at": None},
    ],
)
def test_a_receipt_for_something_else(behaviour: Behaviour, make: Make, change: dict[str, Any]) -> None:
    def receipt(payload: dict[str, Any]) -> bytes:
        return dsse.sign(json.dumps({**payload, **change}).encode(), RECEIPT_TYPE, behaviour.key)

    behaviour.receipts = [receipt]
    with receiver(behaviour) as url:
        case = make(url)
        with pytest.raises(ReceiverError, match="receipt is not for this bundle"):
            case.send()
        case.kept()
        case.send()  # the next receipt is right


def test_a_receipt_that_is_not_the_receivers(behaviour: Behaviour, make: Make, tmp_path: Path) -> None:
    behaviour.receipts = [signed_by_another(tmp_path), lambda _: b"<html>", lambda _: b"x" * 70_000]
    with receiver(behaviour) as url:
        case = make(url)
        for reason in ["signature", "not a signed envelope", "not a signed envelope"]:
            with pytest.raises(ReceiverError, match=reason):
                case.send()
            case.kept()


def test_another_process_that_was_quicker(behaviour: Behaviour, make: Make) -> None:
    """Its receipt is this one's too: the bundle is delivered, and nothing is left to be sent later."""
    with receiver(behaviour) as url:
        case = make(url)

        def quicker(payload: dict[str, Any]) -> bytes:
            envelope = dsse.sign(json.dumps(payload).encode(), RECEIPT_TYPE, behaviour.key)
            case.outbox.delivered(case.outbox.get(case.entry.sha256), envelope, behaviour.key.public)
            return envelope

        behaviour.receipts = [quicker]
        receipt = case.send()
        assert receipt.sha256 == case.sealed.sha256
        assert send(case.outbox, case.entry, case.receiver, retries=QUICK) == receipt
    assert case.outbox.get(case.entry.sha256).state is State.DELIVERED


@pytest.mark.parametrize("location", ["https://evil.example/u/1", "//evil.example/u/1", "http://["])
def test_an_upload_is_never_sent_elsewhere(behaviour: Behaviour, make: Make, location: str) -> None:
    behaviour.location = location
    with receiver(behaviour) as url:
        case = make(url)
        with pytest.raises(Nonsense):
            case.send()
    assert case.kept().upload_url is None


def test_a_receiver_that_is_down(behaviour: Behaviour, make: Make) -> None:
    with receiver(behaviour) as url:
        case = make(url)
    with pytest.raises(Unreachable, match="cannot be reached"):
        case.send()
    assert str(case.kept().last_error) == f"the server {url} cannot be reached"


def test_a_bundle_damaged_in_the_outbox_is_not_sent(behaviour: Behaviour, make: Make) -> None:
    with receiver(behaviour) as url:
        case = make(url)
        path = case.outbox.bundle(case.entry)
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(OutboxError, match="damaged"):
            case.send()
        path.unlink()
        with pytest.raises(OutboxError):
            case.send()
    assert behaviour.uploads == {}
