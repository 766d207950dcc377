"""P-256 keys and signatures: one spelling of each."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import Key

from tests.p256_key import P256Key
from tests.unit.uploader.support import BINDING, write_run
from uploader import dsse, p256, strict_json
from uploader.bundle.seal import seal
from uploader.bundle.verify import BundleRejected, open_bundle
from uploader.dsse import EnvelopeRejected
from uploader.keys import PublicKey
from uploader.strict_json import Malformed

TYPE = "application/vnd.test+json"
KEY = P256Key()

# What `tpm2_createprimary -f pem` (tpm2-tools 5.4) wrote of a key in swtpm, what `tpm2_sign -f plain` signed with it
# over the SHA-256 of "hello", and x and y as createprimary printed them.
TPM_PEM = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsK4+lYr6EtJp35VaN5g0CcY+6qcz
8tNwt9T+D3Wvxuezh7BgFhdNcYq2N31TfXO97R8NEUvWFFo/suk+t1MSag==
-----END PUBLIC KEY-----
"""
TPM_X = "b0ae3e958afa12d269df955a37983409c63eeaa733f2d370b7d4fe0f75afc6e7"
TPM_Y = "b387b06016174d718ab6377d537d73bded1f0d114bd6145a3fb2e93eb753126a"
TPM_SIGNATURE = bytes.fromhex(
    "3046022100bd968b0f26d509591160a5613b503d33927f897befa3a0c38e2a4918ed3c2c06"
    "0221008e148b653c18890d49c478d579ecbaeb28824068f38e4f06a5ffb18d9bf78c2b"
)


def test_the_pem_of_a_tpm_is_a_key() -> None:
    key = PublicKey(p256.point_of_pem(TPM_PEM))
    assert key.raw_hex == f"04{TPM_X}{TPM_Y}"
    assert key.to_json()["keyval"]["public"] == TPM_PEM
    assert PublicKey.from_json(key.to_json()) == key


def test_the_signature_of_a_tpm_verifies_in_its_one_spelling() -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    one = p256.canonical(TPM_SIGNATURE)
    assert one != TPM_SIGNATURE  # this one has the upper s
    for signature in (one, TPM_SIGNATURE):
        p256.load(f"04{TPM_X}{TPM_Y}").verify(signature, b"hello", ECDSA(SHA256()))


def test_securesystemslib_takes_the_key_as_it_travels() -> None:
    data = KEY.public.to_json()
    assert Key.from_dict(data.pop("keyid"), data).to_dict() == KEY.public.sslib.to_dict()


def test_what_was_signed_is_verified_and_nothing_else() -> None:
    envelope = dsse.sign(b"payload", TYPE, KEY)
    assert dsse.verify(envelope, TYPE, KEY.public, max_size=10_000) == b"payload"
    with pytest.raises(EnvelopeRejected):
        dsse.verify(envelope, TYPE, P256Key().public, max_size=10_000)


def test_every_changed_byte_of_an_envelope_is_refused() -> None:
    envelope = bytearray(dsse.sign(b'{"a":1}', TYPE, KEY))
    for position in range(len(envelope)):
        for bit in range(8):
            envelope[position] ^= 1 << bit
            with pytest.raises(EnvelopeRejected):
                dsse.verify(bytes(envelope), TYPE, KEY.public, max_size=10_000)
            envelope[position] ^= 1 << bit


def test_the_other_signature_that_anybody_can_make_is_refused() -> None:
    envelope = json.loads(dsse.sign(b"payload", TYPE, KEY))
    r, s = decode_dss_signature(base64.b64decode(envelope["signatures"][0]["sig"]))
    assert s <= p256.ORDER // 2
    envelope["signatures"][0]["sig"] = base64.b64encode(encode_dss_signature(r, p256.ORDER - s)).decode()
    with pytest.raises(EnvelopeRejected, match="one spelling"):
        dsse.verify(strict_json.canonical(envelope), TYPE, KEY.public, max_size=10_000)


@pytest.mark.parametrize("change", [lambda der: der + b"\0", lambda der: der[:-1], lambda _: b"", lambda _: b"\0" * 64])
def test_what_is_no_der_signature_is_refused(change: Any) -> None:
    envelope = json.loads(dsse.sign(b"payload", TYPE, KEY))
    sig = base64.b64decode(envelope["signatures"][0]["sig"])
    envelope["signatures"][0]["sig"] = base64.b64encode(change(sig)).decode()
    with pytest.raises(EnvelopeRejected):
        dsse.verify(strict_json.canonical(envelope), TYPE, KEY.public, max_size=10_000)


@pytest.mark.parametrize("value", [0, p256.ORDER, p256.ORDER + 1])
def test_values_outside_the_group_are_no_signature(value: int) -> None:
    for pair in ((value, 1), (1, value)):
        with pytest.raises(Malformed):
            p256.canonical(encode_dss_signature(*pair))


def test_a_bundle_sealed_by_a_p256_key_verifies_and_every_changed_byte_of_its_envelope_is_noticed(
    tmp_path: Any,
) -> None:
    sealed = seal(write_run(tmp_path / "run"), tmp_path / "out", KEY, BINDING)
    with open_bundle(sealed.path, key=KEY.public) as bundle:
        assert (bundle.key, bundle.statement.run.key_protection) == (KEY.public, "tpm")
    content = sealed.path.read_bytes()
    for position in range(0, 4096, 37):
        changed = bytearray(content)
        changed[position] ^= 1
        (tmp_path / "changed").write_bytes(changed)
        with pytest.raises(BundleRejected):
            open_bundle(tmp_path / "changed").close()


GOOD = KEY.public.to_json()
PEM = GOOD["keyval"]["public"]


@pytest.mark.parametrize(
    "change",
    [
        {"keyid": "0" * 64},
        {"keytype": "ed25519"},
        {"keytype": "ed25519", "scheme": "ed25519"},
        {"keytype": "ecdsa-sha2-nistp256"},
        {"scheme": "ecdsa-sha2-nistp384"},
        {"keyval": {"public": KEY.public.raw_hex}},
        {"keyval": {"public": PEM.rstrip("\n")}},
        {"keyval": {"public": PEM + "\n"}},
        {"keyval": {"public": PEM.replace("\n", "\r\n")}},
        {"keyval": {"public": " " + PEM}},
        {"keyval": {"public": PEM.replace("PUBLIC", "EC PUBLIC")}},
        {"keyval": {"public": PEM, "private": ""}},
        {"more": 1},
    ],
)
def test_other_shapes_of_a_key_are_refused(change: dict[str, Any]) -> None:
    assert PublicKey.from_json(GOOD) == KEY.public
    with pytest.raises(Malformed):
        PublicKey.from_json({**GOOD, **change})


@pytest.mark.parametrize(
    "point",
    [
        "04" + "00" * 64,
        "04" + TPM_X + TPM_X,
        "04" + "ff" * 64,
        "00" * 65,
        "02" + TPM_X,
        "06" + TPM_X + TPM_Y,
        ("04" + TPM_X + TPM_Y).upper(),
        "04" + TPM_X + TPM_Y + "00",
    ],
)
def test_a_point_off_the_curve_or_in_another_form_is_refused(point: str) -> None:
    with pytest.raises(Malformed):
        PublicKey(point)


@settings(max_examples=200)
@given(data=st.data())
def test_no_other_text_is_taken_for_a_key(data: st.DataObject) -> None:
    """One character exchanged, anywhere: another key with another id, or none."""
    at = data.draw(st.integers(0, len(PEM) - 1))
    text = PEM[:at] + data.draw(st.characters(codec="ascii")) + PEM[at + 1 :]
    try:
        point = p256.point_of_pem(text)
        key = PublicKey(point)
    except Malformed:
        return
    assert key.to_json()["keyval"]["public"] == text


@settings(max_examples=200)
@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_no_signature_or_have_one_spelling(data: bytes) -> None:
    try:
        one = p256.canonical(data)
    except Malformed:
        return
    assert p256.canonical(one) == one
