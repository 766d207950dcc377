"""Which key this device uses: its TPM's where there is one, else the one in a file (``docs/device-keys.md``).

The key that a TPM gave for a unit is remembered, so that the device never becomes another one without saying so. By
serial number: an agent on a stick meets many units, each with a TPM of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey

from agent import durable
from agent.model import Text
from uploader import strict_json
from uploader.clocks import TpmClock
from uploader.keys import DeviceKey, KeyUnusable, PublicKey, count_bundle, own, read_private
from uploader.strict_json import Malformed
from uploader.tpm import Tpm, TpmUnusable

Tell = Callable[[Text], None]
"""Called with each sentence that a person should read."""

TPM_FOLDER = "tpm"
_MAX_REMEMBERED = 4096
_WAITS = Text("until the service staff have confirmed it, the receiver holds back what this unit sends")


class TpmKey:
    """A key in this unit's TPM. ``earlier`` is the key in a file that spoke for the device before, if there is one: it
    can vouch for this one.
    """

    protection = "tpm"

    def __init__(self, directory: Path, tpm: Tpm, public: PublicKey, earlier: DeviceKey | None) -> None:
        self._directory = directory
        self.public = public
        self.tpm = tpm
        self.signer: Signer = _TpmSigner(tpm, public)
        self.earlier = earlier

    def next_sequence(self) -> int:
        """As :meth:`uploader.keys.DeviceKey.next_sequence`, and the same count."""
        return count_bundle(self._directory)

    def clock(self) -> TpmClock | None:
        """The TPM's own; ``None`` where it does not say, which is no reason not to seal."""
        try:
            return self.tpm.clock()
        except TpmUnusable:
            return None


class _TpmSigner(Signer):
    """securesystemslib's way of asking; raises :class:`TpmUnusable`."""

    def __init__(self, tpm: Tpm, public: PublicKey) -> None:
        self._tpm = tpm
        self._public = public

    @property
    def public_key(self) -> SSlibKey:
        """The part that may be told."""
        return self._public.sslib

    def sign(self, payload: bytes) -> Signature:
        """The signature over ``payload``."""
        return self._tpm.sign(payload, self._public)

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Signer:
        """securesystemslib asks for it; a TPM's key has no address."""
        raise NotImplementedError


def device_key(directory: Path, serial: str, tpm: Tpm, tell: Tell) -> DeviceKey | TpmKey:
    """The key of the unit ``serial``; it and what is remembered of it are kept in ``directory``.

    The TPM's where it gives one. A TPM that gives another key than before is used all the same, and one that gives none
    any more is stood in for by the key in a file: the person is told either, and the receiver's staff must confirm the
    unit. Raises :class:`KeyUnusable`.
    """
    remembered = _remembered(directory, serial)
    try:
        public = tpm.public()
    except TpmUnusable as error:
        return _in_file(directory, remembered, error, tell)
    if public != remembered:
        if remembered is not None:
            tell(Text("the TPM has another key than before: it was cleared, or the mainboard was exchanged"))
            tell(_WAITS)
        with own(directory):
            durable.replace(_memory(directory, serial), strict_json.canonical(public.to_json()))
    return TpmKey(directory, tpm, public, DeviceKey.load(directory))


def _in_file(directory: Path, remembered: PublicKey | None, error: TpmUnusable, tell: Tell) -> DeviceKey:
    if remembered is not None:
        tell(error.reason)
        tell(Text("the TPM holds this unit's key; until it is back, results are sealed by a key in a file instead"))
        tell(_WAITS)
        tell(Text("switch the unit off for a minute and on again; if that does not help, tell the service"))
    elif not error.absent and DeviceKey.load(directory) is None:
        tell(error.reason)
        tell(Text("this unit's key is therefore kept in a file"))
    return DeviceKey.load_or_create(directory)


def _remembered(directory: Path, serial: str) -> PublicKey | None:
    path = _memory(directory, serial)
    with own(directory):
        try:
            text = read_private(path)
        except FileNotFoundError:
            return None
    try:
        return PublicKey.from_json(strict_json.loads(text, max_size=_MAX_REMEMBERED, max_depth=3))
    except Malformed as error:
        raise KeyUnusable(Text("{path} is damaged", {"path": str(path)})) from error


def _memory(directory: Path, serial: str) -> Path:
    return directory / f"tpm-{hashlib.sha256(serial.encode()).hexdigest()[:32]}.json"
