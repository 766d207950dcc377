"""Envelopes as an attacker writes them, at all three places that read them: a bundle, an enrolment and a receipt."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from server_stub.db import Bundle, DeviceKey
from server_stub.settings import API
from tests.device import ENROLMENT_TYPE, TIME, Device
from tests.fuzz.mutant import pack
from tests.fuzz.of_json import Pairs, Raw, spell, written
from tests.p256_key import P256Key
from tests.unit.server.conftest import Bench, problem
from uploader import dsse, strict_json
from uploader.bundle.format import MAX_ENVELOPE, PAYLOAD_TYPE
from uploader.bundle.verify import BundleRejected, open_bundle
from uploader.dsse import EnvelopeRejected
from uploader.keys import SigningKey
from uploader.receipt import RECEIPT_TYPE, Receipt

pytestmark = pytest.mark.adversarial

SERIAL = "HB24A0017"


@dataclass(frozen=True)
class Signed:
    """A sound envelope, and what an attacker has besides it."""

    envelope: dict[str, Any]
    payload: bytes
    payload_type: str
    key: SigningKey
    stranger: SigningKey

    @property
    def signature(self) -> dict[str, str]:
        return dict(self.envelope["signatures"][0])

    @property
    def sig(self) -> bytes:
        return base64.b64decode(self.signature["sig"])

    def by(self, key: SigningKey, payload_type: str = "") -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(dsse.sign(self.payload, payload_type or self.payload_type, key))
        return parsed


Change = Callable[[Signed], Any]
"""Gives the envelope's text (bytes), or what it is to be spelled from."""


def member(name: str, value: Any) -> Change:
    return lambda s: {**s.envelope, name: value}


def without(name: str) -> Change:
    return lambda s: {key: value for key, value in s.envelope.items() if key != name}


def doubled(name: str, value: Callable[[Signed], Any], *, first: bool) -> Change:
    """The member twice: parsers differ in which one they take."""

    def change(s: Signed) -> Any:
        extra, pairs = [(name, value(s))], list(s.envelope.items())
        return Pairs(extra + pairs if first else pairs + extra)

    return change


def in_signature(**values: Any) -> Change:
    return lambda s: {**s.envelope, "signatures": [{**s.signature, **values}]}


def signature_without(name: str) -> Change:
    return lambda s: {**s.envelope, "signatures": [{k: v for k, v in s.signature.items() if k != name}]}


def sig(change: Callable[[bytes], bytes]) -> Change:
    return lambda s: in_signature(sig=base64.b64encode(change(s.sig)).decode())(s)


def payload(change: Callable[[str], str]) -> Change:
    return lambda s: {**s.envelope, "payload": change(s.envelope["payload"])}


def text(change: Callable[[bytes], bytes]) -> Change:
    return lambda s: change(written(s.envelope))


def url_safe(text: str) -> str:
    """At least one letter is another one."""
    padded = text.rstrip("=")
    return padded.replace("+", "-").replace("/", "_") + "_"


CASES: dict[str, Change] = {
    "payload missing": without("payload"),
    "payload null": member("payload", None),
    "payload a number": member("payload", 7),
    "payload a list": member("payload", ["e30="]),
    "payload an object": member("payload", {}),
    "payload empty": member("payload", ""),
    "payload doubled, the true one last": doubled("payload", lambda s: "e30=", first=True),
    "payload doubled, the true one first": doubled("payload", lambda s: "e30=", first=False),
    "payload doubled, both true": doubled("payload", lambda s: s.envelope["payload"], first=True),
    "payload without its padding, or with more": payload(lambda p: p.rstrip("=") + "=" * (3 - p.count("="))),
    "payload with a line feed": payload(lambda p: p[:40] + "\n" + p[40:]),
    "payload in the URL's base64": payload(url_safe),
    "payload no base64": payload(lambda p: "!" + p[1:]),
    "payload of another character set": payload(lambda p: "é" + p[1:]),
    "payload one letter changed": payload(lambda p: p[:-9] + ("A" if p[-9] != "A" else "B") + p[-8:]),
    "payload of another envelope": member("payload", base64.b64encode(b"{}").decode()),
    "type missing": without("payloadType"),
    "type null": member("payloadType", None),
    "type a number": member("payloadType", 1),
    "type a list": lambda s: {**s.envelope, "payloadType": [s.payload_type]},
    "type empty": member("payloadType", ""),
    "type in capitals": lambda s: {**s.envelope, "payloadType": s.payload_type.upper()},
    "type with a parameter": lambda s: {**s.envelope, "payloadType": s.payload_type + "; charset=utf-8"},
    "type plain JSON": member("payloadType", "application/json"),
    "type doubled": doubled("payloadType", lambda s: "application/json", first=True),
    "type of something else, honestly signed": lambda s: s.by(s.key, "application/vnd.hibertek.aiodiag.other+json"),
    "type of something else, renamed after signing": lambda s: {
        **s.by(s.key, "application/vnd.hibertek.aiodiag.other+json"),
        "payloadType": s.payload_type,
    },
    "type and payload pushed together": lambda s: {
        **s.by(s.key, s.payload_type + " 0 "),
        "payloadType": s.payload_type,
    },
    "signatures missing": without("signatures"),
    "signatures null": member("signatures", None),
    "signatures an object": lambda s: {**s.envelope, "signatures": s.signature},
    "signatures a text": member("signatures", "x"),
    "signatures none": member("signatures", []),
    "signatures null in a list": member("signatures", [None]),
    "signatures doubled": doubled("signatures", lambda s: [], first=True),
    "threshold: the same signature twice": lambda s: {**s.envelope, "signatures": [s.signature] * 2},
    "threshold: a stranger's beside it": lambda s: {
        **s.envelope,
        "signatures": [s.signature, *s.by(s.stranger)["signatures"]],
    },
    "threshold: a stranger's before it": lambda s: {
        **s.envelope,
        "signatures": [*s.by(s.stranger)["signatures"], s.signature],
    },
    "threshold: a thousand": lambda s: {**s.envelope, "signatures": [s.signature] * 1000},
    "key id missing": signature_without("keyid"),
    "key id null": in_signature(keyid=None),
    "key id empty": in_signature(keyid=""),
    "key id a number": in_signature(keyid=7),
    "key id in capitals": lambda s: in_signature(keyid=s.signature["keyid"].upper())(s),
    "key id a stranger's": lambda s: in_signature(keyid=s.stranger.public.keyid)(s),
    "signature missing": signature_without("sig"),
    "signature null": in_signature(sig=None),
    "signature a list": in_signature(sig=[]),
    "signature empty": in_signature(sig=""),
    "signature no base64": in_signature(sig="é!"),
    "signature of zeros": sig(lambda raw: bytes(len(raw))),
    "signature one byte short": sig(lambda raw: raw[:-1]),
    "signature one byte more": sig(lambda raw: raw + b"\0"),
    "signature one bit changed": sig(lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])),
    "signature doubled": lambda s: {
        **s.envelope,
        "signatures": [Pairs([("keyid", s.signature["keyid"]), ("sig", "AAAA"), ("sig", s.signature["sig"])])],
    },
    "signature of megabytes": in_signature(sig="A" * (2 << 20)),
    "signed by a stranger": lambda s: s.by(s.stranger),
    "signed by a stranger in the unit's name": lambda s: {
        **s.envelope,
        "signatures": [{**s.by(s.stranger)["signatures"][0], "keyid": s.signature["keyid"]}],
    },
    "one member more": member("more", 1),
    "one member more in the signature": in_signature(cert="x"),
    "members in another order": lambda s: dict(reversed(s.envelope.items())),
    "white space": text(lambda t: t.replace(b":", b": ", 1)),
    "a line feed behind": text(lambda t: t + b"\n"),
    "something behind": text(lambda t: t + b"{}"),
    "a NUL behind": text(lambda t: t + b"\0"),
    "a byte order mark": text(lambda t: b"\xef\xbb\xbf" + t),
    "UTF-16": text(lambda t: t.decode().encode("utf-16")),
    "a letter as an escape": text(lambda t: t.replace(b'"payload"', b'"p\\u0061yload"', 1)),
    "a lone surrogate": text(lambda t: t.replace(b'"keyid":"', b'"keyid":"\\ud800', 1)),
    "not UTF-8": text(lambda t: t.replace(b'"keyid":"', b'"keyid":"\xff', 1)),
    "NaN": text(lambda t: t[:-1] + b',"x":NaN}'),
    "a number of many digits": text(lambda t: t[:-1] + b',"x":' + b"9" * 5000 + b"}"),
    "a number beyond a float": text(lambda t: t[:-1] + b',"x":1e999}'),
    "nested deeply": text(lambda t: t[:-1] + b',"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
    "nested deeply and unfinished": lambda s: b'{"a":' * 10_000,
    "larger than allowed": text(lambda t: t + b" " * (MAX_ENVELOPE + 1)),
    "cut off": text(lambda t: t[: len(t) // 2]),
    "empty": lambda s: b"",
    "null": lambda s: b"null",
    "a list": lambda s: [s.envelope],
    "a text": lambda s: json.dumps(spell(s.envelope)).encode(),
    "prototype": lambda s: {**s.envelope, "__proto__": {}},
    "raw nonsense in place of the payload": member("payload", Raw("tru")),
}


def changed(name: str, envelope: bytes, key: SigningKey, stranger: SigningKey) -> bytes:
    parsed = json.loads(envelope)
    sound = Signed(parsed, base64.b64decode(parsed["payload"]), parsed["payloadType"], key, stranger)
    value = CASES[name](sound)
    forged = value if isinstance(value, bytes) else written(value)
    assert forged != envelope
    return forged


@pytest.fixture
def stranger() -> SigningKey:
    return P256Key()


@pytest.mark.parametrize("name", CASES)
def test_no_such_envelope_is_believed(name: str, bench: Bench, stranger: SigningKey) -> None:
    # every other case with a key of the other kind
    device = Device(bench.folder / "device", SERIAL, P256Key() if list(CASES).index(name) % 2 else None)
    # an enrolment: nobody is enrolled by it
    rma = bench.open_case(SERIAL).case.rma
    forged = changed(name, device.enrolment(rma), device.key, stranger)
    answer = bench.http.post(f"{API}/cases/{rma}/enrolment", data=forged)
    too_large = len(forged) > 64 * 1024
    problem(answer, *((413, "too-large") if too_large else (400, "bad-request")))
    with bench.receiver.db.read() as session:
        assert session.scalars(select(DeviceKey)).all() == []

    # a bundle: it is kept in quarantine
    nonce = bench.nonce(device, rma)
    sealed = device.bundle(rma, nonce)
    with open_bundle(sealed.path) as bundle:
        parts = [(entry.encode(), bundle.read(entry)) for entry in bundle.names]
    envelope = json_of(sealed.path.read_bytes())
    evil = pack([(b"envelope.dsse.json", changed(name, envelope, device.key, stranger)), *parts])
    (bench.folder / "evil").write_bytes(evil)
    with pytest.raises(BundleRejected):
        open_bundle(bench.folder / "evil", key=device.key.public)
    problem(bench.receipt(bench.upload(rma, SERIAL, evil)), 422, "bundle-rejected")
    with bench.receiver.db.read() as session:
        assert [row.state.value for row in session.scalars(select(Bundle))] == ["quarantined"]
    # and the sound one, with the nonce that the other one bore, still counts
    assert bench.receipt(bench.upload(rma, SERIAL, sealed.path.read_bytes())).status_code == 200
    with bench.receiver.db.read() as session:
        assert [row.fresh for row in session.scalars(select(Bundle))] == [False, True]

    # a receipt: a unit does not let go of its bundle for it
    told = {
        "rma": rma,
        "serial": SERIAL,
        "bundle_id": sealed.bundle_id,
        "sha256": sealed.sha256,
        "size": sealed.size,
        "received_at": TIME,
        "case_url": "https://receiver.example/",
    }
    receipt = dsse.sign(strict_json.canonical(told), RECEIPT_TYPE, device.key)
    Receipt.verify(receipt, device.key.public)
    with pytest.raises(EnvelopeRejected):
        Receipt.verify(changed(name, receipt, device.key, stranger), device.key.public)


def json_of(sealed: bytes) -> bytes:
    """The envelope of a bundle: its first entry."""
    name = b"envelope.dsse.json"
    size = int.from_bytes(sealed[18:22], "little")
    return sealed[30 + len(name) : 30 + len(name) + size]


@pytest.mark.parametrize("taken_for", [PAYLOAD_TYPE, RECEIPT_TYPE], ids=["a bundle's", "a receipt's"])
def test_what_was_signed_as_an_enrolment_is_nothing_else(taken_for: str, bench: Bench) -> None:
    device = bench.device(SERIAL)
    envelope = device.enrolment("HB26-483920-5")
    with pytest.raises(EnvelopeRejected):
        dsse.verify(envelope, taken_for, device.key.public, max_size=MAX_ENVELOPE)
    dsse.verify(envelope, ENROLMENT_TYPE, device.key.public, max_size=MAX_ENVELOPE)
