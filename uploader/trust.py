"""Whom the agent takes for the receiver: a server with a certificate of an authority that this system trusts, and,
where its operator pinned it, with that one public key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from requests.adapters import HTTPAdapter
from urllib3 import HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPSConnection

PIN_VARIABLE = "AIODIAG_PIN"
_PIN = "sha256//"
_STORES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/var/lib/ca-certificates/ca-bundle.pem",  # openSUSE
)
"""Where systems keep it, for an agent that was built on another one."""


class KeyNotPinned(ssl.SSLCertVerificationError):
    """The server's certificate is of another key than the one that was pinned."""


def authorities() -> str | bool:
    """The system's certificate store, as ``requests`` takes it; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name another one
    (openssl-verification-options(1)). ``True``, the list that comes along with the agent, where the system has none.
    """
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    if "SSL_CERT_DIR" in os.environ and paths.capath:
        return paths.capath
    return next((store for store in _STORES if Path(store).is_file()), True)


def pins() -> frozenset[bytes]:
    """The SHA-256 of each public key (SubjectPublicKeyInfo, DER) that ``AIODIAG_PIN`` names, as curl's
    ``--pinnedpubkey`` has it: ``sha256//BASE64``, several with ``;`` between. Raises ``ValueError`` for anything else.
    """
    found = set()
    for pin in filter(None, os.environ.get(PIN_VARIABLE, "").split(";")):
        try:
            digest = base64.b64decode(pin.removeprefix(_PIN), validate=True)
        except binascii.Error as error:
            raise ValueError(pin) from error
        if not pin.startswith(_PIN) or len(digest) != hashlib.sha256().digest_size:
            raise ValueError(pin)
        found.add(digest)
    return frozenset(found)


class PinnedAdapter(HTTPAdapter):
    """Connects by https to servers with one of these keys alone, beside all that is verified anyway."""

    def __init__(self, keys: frozenset[bytes]) -> None:
        connection = type("PinnedConnection", (_Connection,), {"keys": keys})
        self._pool = type("PinnedPool", (HTTPSConnectionPool,), {"ConnectionCls": connection})
        super().__init__()

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        """As of any adapter, with pools of ours."""
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools(self.poolmanager.pool_classes_by_scheme)

    def proxy_manager_for(self, *args: Any, **named: Any) -> ProxyManager:
        """The same through a proxy, which has nothing to do with what is inside."""
        manager: ProxyManager = super().proxy_manager_for(*args, **named)
        manager.pool_classes_by_scheme = self._pools(manager.pool_classes_by_scheme)
        return manager

    def _pools(self, classes: Mapping[str, Any]) -> dict[str, Any]:
        return {**classes, "https": self._pool}


class _Connection(HTTPSConnection):
    keys: ClassVar[frozenset[bytes]]

    def connect(self) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # here: few have pinned a key
        from cryptography.x509 import load_der_x509_certificate

        super().connect()
        shown = self.sock.getpeercert(binary_form=True) if isinstance(self.sock, ssl.SSLSocket) else None
        key = load_der_x509_certificate(shown).public_key() if shown else None
        encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if key else b""
        if hashlib.sha256(encoded).digest() not in self.keys:
            self.close()
            raise KeyNotPinned(1, "the server's key is not the one that was pinned")
