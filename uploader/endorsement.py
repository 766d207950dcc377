"""What a TPM shows of itself, so that a receiver can prove that the device's key is in it: the certificate of its
maker, and secrets that it alone can read (TPM 2.0 Library, part 1, 24).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.model import Text
from uploader.keys import PublicKey
from uploader.tpm import Tpm, TpmUnusable, read

_CERTIFICATES: Final = (("ecc", "0x01c0000a"), ("rsa", "0x01c00002"))
"""Where a maker leaves its certificates (TCG EK Credential Profile for TPM Family 2.0, 2.2.1.4): of the endorsement key
P-256, which a TPM makes at once, and of the one with RSA of 2048 bits.
"""
_SLOW: Final = 6
"""How much more time than for another program a TPM has for its endorsement key: RSA takes a slow one half a minute.
Ours.
"""
_MAX_CERTIFICATE: Final = 8192
_NO_SUCH_HANDLE: Final = 0x8B  # TPM_RC_HANDLE
_FILE_HEAD: Final = bytes.fromhex("badcc0de00000001")
"""Of tpm2-tools' files: magic and version."""
_REASONS: Final = {
    0x85: Text("the TPM's endorsement hierarchy is switched off"),
    0x8E: Text("the TPM's endorsement hierarchy has a password"),
    0xA2: Text("the TPM's endorsement hierarchy has a password"),
}


@dataclass(frozen=True, slots=True)
class Endorsement:
    """The certificate (DER) of an endorsement key, its public area and that of the device's key (TPM2B_PUBLIC). All are
    empty where the TPM shows no certificate. ``context`` is the endorsement key, for the TPM alone.
    """

    certificate: bytes = b""
    public: bytes = b""
    key_public: bytes = b""
    context: bytes = b""


def endorsement(tpm: Tpm, key: PublicKey) -> Endorsement:
    """What ``tpm`` shows of itself and of ``key``, which it holds; raises :class:`~uploader.tpm.TpmUnusable`."""
    with tpm.at_work() as work:
        for kind, index in _CERTIFICATES:
            try:
                tpm.ask("tpm2_nvread", "-o", f"{work}/certificate", index)
            except TpmUnusable as error:
                if error.code != _NO_SUCH_HANDLE:
                    raise
                continue
            if tpm.create(work) != key:
                raise TpmUnusable(Text("the TPM has another key than before"))
            tpm.ask("tpm2_readpublic", "-c", f"{work}/context", "-f", "tss", "-o", f"{work}/key")
            try:
                tpm.ask("tpm2_createek", "-G", kind, "-c", f"{work}/ek", "-u", f"{work}/ek_public", times=_SLOW)
            except TpmUnusable as error:
                raise TpmUnusable(_REASONS.get(error.code, error.reason)) from error
            certificate = _der(read(work / "certificate", _MAX_CERTIFICATE))
            return Endorsement(certificate, read(work / "ek_public"), read(work / "key"), read(work / "ek"))
    return Endorsement()


def activated(tpm: Tpm, key: PublicKey, shown: Endorsement, credential: bytes, seed: bytes) -> bytes:
    """The secret in ``credential``, which the TPM tells only while it holds ``key`` as it was ``shown``.

    ``credential`` is a TPM2B_ID_OBJECT, ``seed`` a TPM2B_ENCRYPTED_SECRET. Raises
    :class:`~uploader.tpm.TpmUnusable`.
    """
    with tpm.at_work() as work:
        if tpm.create(work) != key:
            raise TpmUnusable(Text("the TPM has another key than before"))
        (work / "ek").write_bytes(shown.context)
        (work / "credential").write_bytes(_FILE_HEAD + credential + seed)
        session = f"{work}/session"
        tpm.ask("tpm2_startauthsession", "--policy-session", "-S", session)
        try:
            tpm.ask("tpm2_policysecret", "-S", session, "-c", "e")
            keys = ["-c", f"{work}/context", "-C", f"{work}/ek", "-P", f"session:{session}"]
            tpm.ask("tpm2_activatecredential", *keys, "-i", f"{work}/credential", "-o", f"{work}/secret")
        finally:
            tpm.ask("tpm2_flushcontext", session)
        return read(work / "secret")


def _der(stored: bytes) -> bytes:
    """A certificate without what fills its place in the TPM up; as it is where it is none."""
    if stored[:2] != b"\x30\x82":  # a sequence with 16 bits of length: 256 bytes or more
        return stored
    return stored[: 4 + int.from_bytes(stored[2:4], "big")]
