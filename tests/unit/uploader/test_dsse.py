from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uploader import dsse, strict_json
from uploader.dsse import EnvelopeRejected
from uploader.keys import DeviceKey, PublicKey

TYPE = "application/vnd.test+json"
MAX = 10_000
KEY = PublicKey("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def refuse(data: bytes, key: PublicKey = KEY) -> EnvelopeRejected:
    with pytest.raises(EnvelopeRejected) as caught:
        dsse.verify(data, TYPE, key, max_size=MAX)
    return caught.value


def test_what_was_signed_is_verified(key: DeviceKey) -> None:
    for payload in [b"", b"{}", bytes(range(256))]:
        envelope = dsse.sign(payload, TYPE, key)
        assert dsse.verify(envelope, TYPE, key.public, max_size=MAX) == payload
        assert dsse.peek(envelope, TYPE, max_size=MAX) == payload


def test_the_signature_is_over_dsse_pre_authentication_encoding(key: DeviceKey) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    envelope = json.loads(dsse.sign(b"hello world", "http://example.com/HelloWorld", key))
    encoded = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"  # the example of dsse/protocol.md
    raw = bytes.fromhex(key.public.raw_hex)
    Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(envelope["signatures"][0]["sig"]), encoded)


def test_another_type_or_key_or_size_is_refused(key: DeviceKey) -> None:
    envelope = dsse.sign(b"payload", TYPE, key)
    assert "signature" in str(refuse(envelope).reason)
    with pytest.raises(EnvelopeRejected):
        dsse.verify(envelope, "application/other", key.public, max_size=MAX)
    with pytest.raises(EnvelopeRejected):
        dsse.verify(envelope, TYPE, key.public, max_size=len(envelope) - 1)
    assert dsse.verify(envelope, TYPE, key.public, max_size=len(envelope)) == b"payload"


def test_every_changed_byte_is_refused(key: DeviceKey) -> None:
    envelope = bytearray(dsse.sign(b'{"a":1}', TYPE, key))
    for position in range(len(envelope)):
        for bit in range(8):
            envelope[position] ^= 1 << bit
            refuse(bytes(envelope), key.public)
            envelope[position] ^= 1 << bit


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.pop("payload"),
        lambda e: e.pop("payloadType"),
        lambda e: e.pop("signatures"),
        lambda e: e.update(extra=1),
        lambda e: e.update(payload=None),
        lambda e: e.update(payload=7),
        lambda e: e.update(payload="not base64!"),
        lambda e: e.update(payload=e["payload"].rstrip("=")),
        lambda e: e.update(payload=e["payload"] + "\n"),
        lambda e: e.update(payloadType=["x"]),
        lambda e: e.update(signatures=[]),
        lambda e: e.update(signatures={}),
        lambda e: e.update(signatures=[None]),
        lambda e: e.update(signatures=e["signatures"] * 2),
        lambda e: e["signatures"][0].pop("keyid"),
        lambda e: e["signatures"][0].pop("sig"),
        lambda e: e["signatures"][0].update(sig=7),
        lambda e: e["signatures"][0].update(sig="é"),
        lambda e: e["signatures"][0].update(sig=""),
        lambda e: e["signatures"][0].update(keyid=None),
        lambda e: e["signatures"][0].update(cert="x"),
    ],
)
def test_other_shapes_are_refused(key: DeviceKey, change: Any) -> None:
    envelope = json.loads(dsse.sign(b"payload!", TYPE, key))
    change(envelope)
    refuse(strict_json.canonical(envelope), key.public)


def test_other_spellings_are_refused(key: DeviceKey) -> None:
    envelope = dsse.sign(b"payload!", TYPE, key)
    parsed = json.loads(envelope)
    doubled = envelope.replace(b'{"payload":', b'{"payload":"eHg=","payload":', 1)
    reordered = strict_json.canonical(dict(reversed(parsed.items())))
    for other in [json.dumps(parsed).encode(), envelope + b"\n", doubled, reordered, b"\xef\xbb\xbf" + envelope]:
        refuse(other, key.public)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'"x"',
        b"[" * 9_000,
        b'{"a":' * 1_500,
        b"1" * 9_000,
        b'"' + b'\\"' * 4_000,
        b"\\" * 9_000,
        b"{" * MAX * 2,
    ],
)
def test_nonsense_is_refused(data: bytes) -> None:
    refuse(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
signatures = st.lists(st.fixed_dictionaries({"keyid": json_values, "sig": json_values}) | json_values, max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {"payload": json_values, "payloadType": st.just(TYPE) | json_values, "signatures": signatures | json_values}
    )
)
def test_arbitrary_envelopes_are_refused_and_nothing_else(envelope: dict[str, Any]) -> None:
    refuse(json.dumps(envelope, separators=(",", ":")).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    refuse(data)


def test_the_scan_for_depth_is_linear() -> None:
    """An unfinished string of escaped quotes once made such scans quadratic: minutes instead of milliseconds."""
    import time

    start = time.monotonic()
    with pytest.raises(strict_json.Malformed):
        strict_json.loads(b'"' + b'\\"' * 500_000, max_size=2 << 20, max_depth=3)
    assert time.monotonic() - start < 5
