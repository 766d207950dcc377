"""Who shows a certificate that is none of a TPM, or of no maker that the receiver was told of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from server_stub.settings import BODY_CAP
from server_stub.tpm.makers import MAX_CERTIFICATE, Makers
from tests.adversarial.tpm_attacks import (
    MAKER,
    board,
    ek,
    receiver,
    refused,
    swtpm,
    unit,
)
from tests.tpm_maker import FOR_ENDORSEMENT_KEYS, Maker
from tests.tpm_unit import Proving
from tests.unit.server.conftest import problem

__all__ = ["board", "receiver", "swtpm", "unit"]

pytestmark = pytest.mark.adversarial


def test_certificate_of_an_unknown_maker(unit: Proving) -> None:
    refused(unit, unit.but(certificate=Maker("Another").certificate(ek(unit))).challenge(), "unknown-maker")


def test_certificate_of_somebody_who_calls_himself_the_maker(unit: Proving) -> None:
    refused(unit, unit.but(certificate=Maker().certificate(ek(unit))).challenge(), "unknown-maker")


@pytest.mark.parametrize(
    "dates", [{"until": timedelta(hours=-1)}, {"since": timedelta(hours=1)}], ids=["expired", "not-yet"]
)
def test_certificate_that_is_not_valid_now(dates: dict[str, timedelta], unit: Proving) -> None:
    refused(unit, unit.but(certificate=MAKER.certificate(ek(unit), **dates)).challenge(), "not-valid-now")


@pytest.mark.parametrize("usages", [(), (ExtendedKeyUsageOID.SERVER_AUTH,), (ObjectIdentifier("2.23.133.8.3"),)])
def test_certificate_for_something_else_than_an_endorsement_key(
    usages: tuple[ObjectIdentifier, ...], unit: Proving
) -> None:
    """No purpose, a web server's, and an attestation key's of the same maker."""
    refused(unit, unit.but(certificate=MAKER.certificate(ek(unit), usages=usages)).challenge(), "not-of-a-tpm")


def test_certificate_that_may_certify_itself(unit: Proving) -> None:
    refused(unit, unit.but(certificate=MAKER.certificate(ek(unit), ca=True)).challenge(), "not-of-a-tpm")


def test_certificate_of_a_key_that_only_signs(unit: Proving) -> None:
    signs = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    made = MAKER.certificate(ek(unit), more=((signs, True),))
    refused(unit, unit.but(certificate=made).challenge(), "not-of-a-tpm")


def test_certificate_with_a_condition_that_nobody_here_knows(unit: Proving) -> None:
    strange = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\0")
    refused(
        unit, unit.but(certificate=MAKER.certificate(ek(unit), more=((strange, True),))).challenge(), "not-of-a-tpm"
    )


def test_certificate_that_was_changed(unit: Proving) -> None:
    """One bit of the signature."""
    made = bytearray(unit.shown.certificate)
    made[-1] ^= 1
    refused(unit, unit.but(certificate=bytes(made)).challenge(), "unknown-maker")


def test_certificate_that_another_tpms_certificate_signed(unit: Proving) -> None:
    """A unit's endorsement key is no authority, whatever it signs."""
    middle = Maker("Middle")
    middle.authority = x509.load_der_x509_certificate(MAKER.certificate(middle.authority.public_key()))
    refused(unit, unit.but(certificate=middle.certificate(ek(unit))).challenge(), "unknown-maker")


@pytest.mark.parametrize(
    "below",
    [{"until": timedelta(hours=-1)}, {"usages": [ExtendedKeyUsageOID.SERVER_AUTH]}],
    ids=["expired", "for-web-servers"],
)
def test_certificate_of_an_authority_that_may_not(below: dict[str, Any], unit: Proving) -> None:
    maker = Maker("Careless", **below)
    unit.bench.receiver.makers = Makers([maker.root, maker.authority])
    refused(unit, unit.but(certificate=maker.certificate(ek(unit))).challenge(), "unknown-maker")


def test_certificate_of_an_authority_that_may_certify_tpms_only(unit: Proving) -> None:
    """That one is right."""
    maker = Maker("Careful", usages=[FOR_ENDORSEMENT_KEYS])
    unit.bench.receiver.makers = Makers([maker.root, maker.authority])
    assert unit.but(certificate=maker.certificate(ek(unit))).prove().status_code == 200


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("no-certificate", b"x" * 700),
        ("cut-off", MAKER.root.public_bytes(Encoding.DER)[:-20]),
        ("twice", MAKER.root.public_bytes(Encoding.DER) * 2),
        ("text", MAKER.root.public_bytes(Encoding.PEM)),
        ("deep", b"\x30\x80" * 2000),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_certificate_that_is_none(name: str, content: bytes, unit: Proving) -> None:
    refused(
        unit,
        unit.but(certificate=content).challenge(),
        "no-certificate" if name == "empty" else "unreadable-certificate",
    )


def test_huge_certificate(unit: Proving) -> None:
    filling = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\0" * MAX_CERTIFICATE)
    made = MAKER.certificate(ek(unit), more=((filling, False),))
    refused(unit, unit.but(certificate=made).challenge(), "unreadable-certificate")
    problem(unit.but(certificate=bytes(BODY_CAP)).challenge(), 413, "too-large")


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 3072), ec.generate_private_key(ec.SECP384R1())],
    ids=["rsa-3072", "p-384"],
)
def test_certificate_of_an_endorsement_key_of_another_kind(key: Any, unit: Proving) -> None:
    refused(unit, unit.but(certificate=MAKER.certificate(key.public_key())).challenge(), "other-tpm")
