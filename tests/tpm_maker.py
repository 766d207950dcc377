"""A maker of TPMs: it certifies endorsement keys, as its own authority or as an attacker's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509.oid import NameOID, ObjectIdentifier

from server_stub.tpm.areas import EkPublic
from tests.swtpm import Swtpm

FOR_ENDORSEMENT_KEYS = ObjectIdentifier("2.23.133.8.1")
INDEX = {"rsa": "0x01c00002", "ecc": "0x01c0000a"}
"""Where a TPM keeps the certificates (TCG EK Credential Profile, 2.2.1.4)."""


class Maker:
    """A root, and an authority below it that certifies. ``below`` is what the authority may and may not."""

    def __init__(self, name: str = "Maker of TPMs", **below: Any) -> None:
        self.name = name
        self._root_key = generate_private_key(SECP256R1())
        self._key = generate_private_key(SECP256R1())
        root = _builder(f"{name}, root", f"{name}, root", self._root_key.public_key())
        root = _authority(root, self._root_key.public_key(), self._root_key.public_key())
        self.root = root.sign(self._root_key, SHA256())
        self.authority = self.second(**below)

    def second(self, usages: list[ObjectIdentifier] | None = None, **changes: Any) -> x509.Certificate:
        """One more certificate of the authority's key."""
        made = _builder(f"{self.name}, authority", f"{self.name}, root", self._key.public_key(), **changes)
        if usages:
            made = made.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return _authority(made, self._key.public_key(), self._root_key.public_key()).sign(self._root_key, SHA256())

    def certificate(
        self,
        key: Any,
        *,
        usages: tuple[ObjectIdentifier, ...] = (FOR_ENDORSEMENT_KEYS,),
        ca: bool = False,
        more: tuple[tuple[x509.ExtensionType, bool], ...] = (),
        **changes: Any,
    ) -> bytes:
        """DER for ``key``, as the TCG's profile wants it but for what is said otherwise; ``more`` are extensions, each
        with whether it is critical.
        """
        made = _builder("", f"{self.name}, authority", key, **changes)
        if usages:
            made = made.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        made = made.add_extension(x509.BasicConstraints(ca, None), critical=True)
        for extension, critical in more:
            made = made.add_extension(extension, critical)
        whose = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        tpm = x509.Name([x509.NameAttribute(ObjectIdentifier("2.23.133.2.2"), "swtpm")])
        made = made.add_extension(x509.SubjectAlternativeName([x509.DirectoryName(tpm)]), critical=True)
        return made.add_extension(whose, critical=False).sign(self._key, SHA256()).public_bytes(Encoding.DER)

    def believed_in(self, folder: Path) -> None:
        """As the operator of a receiver does."""
        folder.mkdir(parents=True, exist_ok=True)
        pem = b"".join(each.public_bytes(Encoding.PEM) for each in (self.root, self.authority))
        (folder / f"{self.name.replace(' ', '-')}.pem").write_bytes(pem)


def ek_of(swtpm: Swtpm, kind: str, folder: Path) -> EkPublic:
    """The endorsement key of a TPM."""
    path = folder / f"ek-{kind}.pem"
    swtpm.ask("tpm2_createek", "-Q", "-G", kind, "-c", f"{folder}/ek-{kind}", "-f", "pem", "-u", f"{path}")
    key = load_pem_public_key(path.read_bytes())
    assert isinstance(key, EkPublic)
    return key


def put_in(swtpm: Swtpm, kind: str, certificate: bytes, folder: Path) -> None:
    """As the maker does before a TPM leaves it."""
    path = folder / f"certificate-{kind}"
    path.write_bytes(certificate)
    what = "platformcreate|ppwrite|ppread|ownerread|authread|no_da"
    swtpm.ask("tpm2_nvdefine", "-Q", "-C", "p", "-s", str(len(certificate)), "-a", what, INDEX[kind])
    swtpm.ask("tpm2_nvwrite", "-Q", "-C", "p", "-i", f"{path}", INDEX[kind])


def certified(swtpm: Swtpm, maker: Maker, folder: Path, kind: str = "rsa") -> bytes:
    """Let ``maker`` certify a TPM; gives the certificate."""
    made = maker.certificate(ek_of(swtpm, kind, folder))
    put_in(swtpm, kind, made, folder)
    return made


def spki(key: EkPublic) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _builder(
    subject: str,
    issuer: str,
    key: Any,
    *,
    since: timedelta = -timedelta(days=1),
    until: timedelta = timedelta(days=365),
) -> x509.CertificateBuilder:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []) for name in (subject, issuer)]
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(names[1], names[0], key, x509.random_serial_number())
    return made.not_valid_before(now + since).not_valid_after(now + until)


def _authority(made: x509.CertificateBuilder, key: Any, signer: Any) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = made.add_extension(usage, critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
