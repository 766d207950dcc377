"""Keys: the public part as it travels, and an Ed25519 private part in a file that is its owner's alone."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from agent import durable
from agent.model import Text
from uploader import ed25519, p256
from uploader.strict_json import Malformed, exactly, field

_KEY = "key.pem"
_SEQUENCE = "sequence"
_MAX_FILE = 4096  # bytes; the key has 119

_ED25519 = ("ed25519", "ed25519")
_P256 = ("ecdsa", "ecdsa-sha2-nistp256")
"""Key type and scheme, in securesystemslib's words."""
_RAW_HEX = re.compile(r"[0-9a-f]{64}")


class KeyUnusable(Exception):
    """The key cannot be used, or not safely. ``reason`` is for the person."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


class SigningKey(Protocol):
    """Whatever can sign: a key in a file, or one in a TPM."""

    @property
    def public(self) -> PublicKey:
        """The part that may be told."""

    @property
    def signer(self) -> Signer:
        """securesystemslib's signer for it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 or a P-256 public key.

    ``raw_hex`` is in lower-case hexadecimal: the 32 bytes of an Ed25519 key (64 digits), which is not of small order,
    or the uncompressed point of a P-256 key (130 digits, beginning with 04), which is on the curve.
    """

    raw_hex: str

    def __post_init__(self) -> None:
        if _RAW_HEX.fullmatch(self.raw_hex):
            ed25519.check(bytes.fromhex(self.raw_hex))
            return
        if not p256.POINT_HEX.fullmatch(self.raw_hex):
            raise Malformed("a public key is 64 (Ed25519) or 130 (P-256) lower-case hexadecimal digits")
        p256.load(self.raw_hex)

    @property
    def keyid(self) -> str:
        """SHA-256 (hexadecimal) over the canonical JSON of the key; securesystemslib's default."""
        return str(self.sslib.keyid)

    @property
    def sslib(self) -> SSlibKey:
        """The key as securesystemslib wants it."""
        if self._is_p256:
            return SSlibKey.from_crypto(p256.load(self.raw_hex))
        return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.raw_hex)))

    def check_spelling(self, signature: bytes) -> None:
        """Raises :class:`Malformed` for a signature that may verify, but is another spelling of one that does.

        Of Ed25519 there is one only: its verification refuses the others (RFC 8032, 5.1.7).
        """
        if self._is_p256 and p256.canonical(signature) != signature:
            raise Malformed("the signature is not in its one spelling")

    def to_json(self) -> dict[str, Any]:
        """``{"keyid", "keytype", "scheme", "keyval": {"public"}}``, as securesystemslib writes a key of either kind."""
        return {"keyid": self.keyid, **self.sslib.to_dict()}

    @classmethod
    def from_json(cls, data: Any) -> PublicKey:
        """Inverse of :meth:`to_json`; raises :class:`Malformed`, also when the key id is not that of the key."""
        exactly(data, ("keyid", "keytype", "scheme", "keyval"))
        exactly(data["keyval"], ("public",))
        kind = (field(data, "keytype", str), field(data, "scheme", str))
        if kind not in {_ED25519, _P256}:
            raise Malformed("only Ed25519 and P-256 keys are known")
        public = field(data["keyval"], "public", str)
        key = cls(p256.point_of_pem(public) if kind == _P256 else public)
        if data != key.to_json():
            raise Malformed("the key id, or the kind, is not that of the key")
        return key

    @property
    def _is_p256(self) -> bool:
        return len(self.raw_hex) > 64


class DeviceKey:
    """The key of this device (or of a receiver), in a directory that belongs to its user alone.

    Beside it the number of bundles that were sealed with it is kept.
    """

    protection = "file"

    def __init__(self, directory: Path, private: Ed25519PrivateKey) -> None:
        self._directory = directory
        self._signer = CryptoSigner(private)

    @property
    def public(self) -> PublicKey:
        """The part that may be told."""
        return PublicKey(str(self._signer.public_key.keyval["public"]))

    @property
    def signer(self) -> Signer:
        """securesystemslib's signer for it."""
        return self._signer

    @classmethod
    def load_or_create(cls, directory: Path) -> DeviceKey:
        """The key in ``directory``; made on first use, and then on disk before this returns.

        A file that is damaged, a link, somebody else's or open to others raises :class:`KeyUnusable` and is left as it
        is: a new key would be a stranger to the receiver.
        """
        with own(directory):
            try:
                pem = read_private(directory / _KEY)
            except FileNotFoundError:
                pem = CryptoSigner.generate_ed25519().private_bytes
                durable.replace(directory / _KEY, pem)
        return cls(directory, _parse(directory / _KEY, pem))

    @classmethod
    def load(cls, directory: Path) -> DeviceKey | None:
        """The key in ``directory``, if there is one; raises like :meth:`load_or_create`."""
        with own(directory):
            try:
                pem = read_private(directory / _KEY)
            except FileNotFoundError:
                return None
        return cls(directory, _parse(directory / _KEY, pem))

    def next_sequence(self) -> int:
        """Count one more bundle, durably; gives its number, from 1. Raises :class:`KeyUnusable`."""
        return count_bundle(self._directory)

    def clock(self) -> None:
        """A file has no clock."""


def count_bundle(directory: Path) -> int:
    """Count one more bundle of the device whose key directory this is; as :meth:`DeviceKey.next_sequence`."""
    with own(directory):
        path = directory / _SEQUENCE
        try:
            text = read_private(path)
        except FileNotFoundError:
            text = b"0"
        if not re.fullmatch(rb"[0-9]{1,15}", text):
            raise KeyUnusable(Text("{path} is damaged", {"path": str(path)}))
        sequence = int(text) + 1
        durable.replace(path, b"%d" % sequence)
        return sequence


@contextmanager
def own(directory: Path) -> Iterator[None]:
    """Hold the directory against other processes, after it was found (or made) to be ours alone.

    Raises :class:`KeyUnusable`, also for an ``OSError`` in the block.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with durable.locked(directory) as descriptor:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise _exposed(directory)
            yield
    except OSError as error:
        raise KeyUnusable(Text("{path}: {error}", {"path": str(directory), "error": error.strerror or ""})) from error


def read_private(path: Path) -> bytes:
    """What a file of at most 4 KiB holds that is ours alone; raises ``OSError`` and :class:`KeyUnusable`."""
    try:
        # Not blocking, so that a named pipe is refused instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _exposed(path) from error
        raise
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise _exposed(path)
        return file.read(_MAX_FILE)


def _parse(path: Path, pem: bytes) -> Ed25519PrivateKey:
    try:
        private = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(Text("{path} is damaged", {"path": str(path)})) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnusable(Text("{path} is damaged", {"path": str(path)}))
    return private


def _exposed(path: Path) -> KeyUnusable:
    return KeyUnusable(Text("{path} must belong to you, and nobody else may have access to it", {"path": str(path)}))
