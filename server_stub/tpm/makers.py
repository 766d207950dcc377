"""The makers of TPMs that the operator believes, and whether a certificate for an endorsement key is one of theirs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from server_stub.tpm.areas import EkPublic
from server_stub.tpm.refused import NotProven, Reason

MAX_CERTIFICATE: Final = 8192
"""Bytes; those of makers have 1 to 2 KiB, and a TPM's memory ends soon after. Ours."""
_FOR_ENDORSEMENT_KEYS: Final = ObjectIdentifier("2.23.133.8.1")
"""tcg-kp-EKCertificate (TCG EK Credential Profile for TPM Family 2.0, 3.2.16)."""
_KNOWN: Final = (
    x509.BasicConstraints,
    x509.ExtendedKeyUsage,
    x509.KeyUsage,
    x509.SubjectAlternativeName,
)
"""Extensions of an endorsement key's certificate that may be critical. The alternative name says which TPM it is; who
made the certificate answers for that.
"""
_DEPTH: Final = 5
"""Certificates between the TPM's and a root at most; makers have one or two. Ours."""


class Makers:
    """Certificates of makers. Each is believed for itself: roots, and those below them that TPMs do not bring."""

    def __init__(self, certificates: list[x509.Certificate]) -> None:
        self._certificates = certificates

    @classmethod
    def load(cls, folder: Path) -> Makers:
        """All of the files ``*.pem`` in ``folder``, which need not be there; raises ``ValueError`` and ``OSError`` for
        one that cannot be read: an operator who names a maker wants it believed.
        """
        found = []
        for path in sorted(folder.glob("*.pem")):
            try:
                found += x509.load_pem_x509_certificates(path.read_bytes())
            except ValueError as error:
                raise ValueError(f"{path} holds no certificate that can be read") from error
        return cls(found)

    def __bool__(self) -> bool:
        return bool(self._certificates)

    def certified(self, der: bytes, when: datetime) -> EkPublic:
        """The endorsement key that a maker's certificate is for; raises :class:`NotProven`.

        Whether the maker has taken it back since is not asked.
        """
        if not self._certificates:
            raise NotProven(Reason.NO_MAKERS)
        if not der:
            raise NotProven(Reason.NO_CERTIFICATE)
        certificate, key = _read(der)
        if not certificate.not_valid_before_utc <= when <= certificate.not_valid_after_utc:
            raise NotProven(Reason.NOT_VALID_NOW)
        _check_purpose(certificate)
        anything = ExtensionPolicy.permit_all()  # of the TPM's own certificate: it was looked at above
        policy = PolicyBuilder().store(Store(self._certificates)).time(when).max_chain_depth(_DEPTH)
        policy = policy.extension_policies(ca_policy=_of_makers(), ee_policy=anything)
        try:
            policy.build_client_verifier().verify(certificate, [])
        except VerificationError as error:
            raise NotProven(Reason.UNKNOWN_MAKER) from error
        return key


def _of_makers() -> ExtensionPolicy:
    """Makers' own certificates, as on the Internet but for what they may certify."""
    return ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _certifies_endorsement_keys
    )


def _certifies_endorsement_keys(_policy: Any, _certificate: x509.Certificate, usage: Any) -> None:
    if usage is not None and not {_FOR_ENDORSEMENT_KEYS, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
        raise ValueError("its maker may not certify endorsement keys")


def _read(der: bytes) -> tuple[x509.Certificate, EkPublic]:
    if len(der) > MAX_CERTIFICATE:
        raise NotProven(Reason.UNREADABLE, f"A certificate has at most {MAX_CERTIFICATE} bytes.")
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        _ = certificate.extensions, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise NotProven(Reason.UNREADABLE) from error
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
        raise NotProven(Reason.OTHER_TEMPLATE)
    return certificate, key


def _check_purpose(certificate: x509.Certificate) -> None:
    found = {type(extension.value): extension for extension in certificate.extensions}
    usage = found.get(x509.ExtendedKeyUsage)
    constraints = found.get(x509.BasicConstraints)
    if usage is None or _FOR_ENDORSEMENT_KEYS not in usage.value:
        raise NotProven(Reason.NOT_OF_A_TPM)
    if constraints is not None and constraints.value.ca:
        raise NotProven(Reason.NOT_OF_A_TPM, "The certificate is a maker's own.")
    if any(extension.critical and kind not in _KNOWN for kind, extension in found.items()):
        raise NotProven(Reason.NOT_OF_A_TPM, "The certificate has a critical extension that is not known here.")
    keys = found.get(x509.KeyUsage)
    if keys is not None and not (keys.value.key_encipherment or keys.value.key_agreement):
        raise NotProven(Reason.NOT_OF_A_TPM, "The certificate's key is not for receiving secrets.")
