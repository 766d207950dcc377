"""A signing key in a TPM 2.0: a primary key, which the TPM makes again from a fixed template whenever it is asked.

So no file holds any part of it, and the same TPM gives the same key until its owner seed is changed (TPM2_Clear).
The template (TPM 2.0 Library, part 2, TPMT_PUBLIC; ``docs/device-keys.md``): owner hierarchy, ECC NIST P-256,
ECDSA with SHA-256, name algorithm SHA-256, no policy, an empty password, unrestricted, for signing only.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature

from agent.model import Text
from agent.tools import Result, Status, run
from uploader import p256
from uploader.clocks import TpmClock
from uploader.keys import KeyUnusable, PublicKey, own
from uploader.strict_json import Malformed

ANSWER_S: Final = 20.0
"""Seconds for each of the programs; ours. A TPM makes a P-256 key or a signature in a fraction of a second, but may
have to finish something of somebody else's before.
"""
_DEVICE = "device:"
_ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign"
"""``noda``: wrong passwords for other objects do not lock it."""
_UNIQUE = hashlib.sha256(b"https://hibertek.com/aiodiag/device-key/v1").digest()
"""``unique.x`` of the template; ``unique.y`` is 32 zero bytes. It makes this key another than anybody else's."""
_MANAGED = "/dev/tpmrm"
_MAX_FILE = 4096
_CODE = re.compile(rb"Esys_\w+\(0x([0-9A-Fa-f]{1,8})\)")
_CLOCK = re.compile(r"^ *(clock|reset_count|restart_count|safe): (\d{1,20}|yes|no)$", re.MULTILINE | re.ASCII)
"""tpm2_readclock(1): YAML."""
_REASONS = {
    0x85: Text("the TPM's owner hierarchy is switched off"),
    0x8E: Text("the TPM has an owner password"),
    0xA2: Text("the TPM has an owner password"),
    0x921: Text("the TPM is locked after wrong passwords"),
}
"""By response code (part 2, 6.6.3): TPM_RC_HIERARCHY, _AUTH_FAIL, _BAD_AUTH, _LOCKOUT."""


class TpmUnusable(KeyUnusable):
    """The TPM gives no key or no signature. ``absent``: there is none, or not for this user; nothing is wrong then.
    ``code`` is what it answered (part 2, 6.6.2), without what parameter or session is meant, 0 where it did not.
    """

    def __init__(self, reason: Text, *, absent: bool = False, code: int = 0) -> None:
        super().__init__(reason)
        self.absent = absent
        self.code = code


class Tpm:
    """The TPM that ``tcti`` names (tpm2-tools, ``man tpm2-tctis``), asked through files in ``folder``.

    The folder is this user's alone, and held meanwhile: one asks at a time. Each call raises :class:`TpmUnusable`
    (:class:`~uploader.keys.KeyUnusable` for a folder that cannot be used), and comes back within six times
    ``answer_s`` and some seconds. The kernel's resource manager is the default; nothing in the environment changes it.
    """

    def __init__(self, folder: Path, tcti: str = f"{_DEVICE}/dev/tpmrm0", answer_s: float = ANSWER_S) -> None:
        self._folder = folder
        self._tcti = tcti
        self._answer_s = answer_s
        self._contexts: dict[PublicKey, bytes] = {}

    def public(self) -> PublicKey:
        """The key that the template gives now, after it has signed something: one that cannot is no key."""
        with self.at_work() as work:
            key = self.create(work)
            self._signature(work, key, b"")
            return key

    def sign(self, data: bytes, key: PublicKey) -> Signature:
        """The signature over SHA-256 of ``data``, when the TPM's key still is ``key``; it was verified.

        Making the key is the slow part, so its context is kept for the next signature: sealed by the TPM, for the TPM
        alone, and void once it was reset or cleared. Then, or where it fails for whatever reason, the key is made anew.
        """
        with self.at_work() as work:
            context = self._contexts.pop(key, None)
            if context is not None:
                (work / "context").write_bytes(context)
                with suppress(TpmUnusable):
                    made = self._signature(work, key, data)
                    self._contexts[key] = context
                    return made
            if self.create(work) != key:
                raise TpmUnusable(Text("the TPM has another key than before"))
            return self._signature(work, key, data)

    def clock(self) -> TpmClock:
        """What its clock says (TPM2_ReadClock), which needs no key and no password."""
        self._look()
        result = run("tpm2_readclock", ["-T", self._tcti], timeout_s=self._answer_s)
        _require(result)
        told = dict(_CLOCK.findall(result.stdout.decode("ascii", "replace")))
        try:
            clock, resets, restarts = (int(told[name]) for name in ("clock", "reset_count", "restart_count"))
            return TpmClock(clock, resets, restarts, told["safe"] == "yes")
        except (KeyError, ValueError):
            raise TpmUnusable(Text("the TPM does not answer")) from None

    @contextmanager
    def at_work(self) -> Iterator[Path]:
        """A directory for what the programs read and write, made anew: a killed agent may have left one."""
        self._look()
        with own(self._folder):
            work = self._folder / "work"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(mode=0o700)
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def _look(self) -> None:
        """Ask nobody where there is no TPM: most often that is no fault."""
        device = self._tcti.removeprefix(_DEVICE)
        if device == self._tcti:
            return
        try:
            there = stat.S_ISCHR(os.stat(device).st_mode)
        except OSError:
            there = False
        if not there:
            raise TpmUnusable(Text("there is no TPM 2.0 that the system offers"), absent=True)
        if not os.access(device, os.R_OK | os.W_OK):
            raise TpmUnusable(Text("the TPM is not for this user"), absent=True)

    def create(self, work: Path) -> PublicKey:
        """Make the key; its context stays in ``work``."""
        (work / "unique").write_bytes(b"\x20\0" + _UNIQUE + b"\x20\0" + bytes(32))  # sizes, little-endian, and bytes
        template = ["-C", "o", "-g", "sha256", "-G", "ecc256:ecdsa-sha256", "-a", _ATTRIBUTES, "-u", f"{work}/unique"]
        self.ask("tpm2_createprimary", *template, "-c", f"{work}/context", "-f", "pem", "-o", f"{work}/public")
        try:
            key = PublicKey(p256.point_of_pem(read(work / "public").decode("ascii", "replace")))
        except Malformed as error:
            raise TpmUnusable(Text("the TPM gives no key")) from error
        self._contexts[key] = read(work / "context")
        return key

    def _signature(self, work: Path, key: PublicKey, data: bytes) -> Signature:
        """By the key whose context is in ``work``."""
        (work / "digest").write_bytes(hashlib.sha256(data).digest())
        words = ["-c", f"{work}/context", "-g", "sha256", "-s", "ecdsa", "-f", "plain", "-d"]
        self.ask("tpm2_sign", *words, "-o", f"{work}/signature", f"{work}/digest")
        try:
            made = Signature(key.keyid, p256.canonical(read(work / "signature")).hex())
            key.sslib.verify_signature(made, data)
        except (Malformed, UnverifiedSignatureError) as error:
            raise TpmUnusable(Text("the TPM gives signatures that are wrong")) from error
        return made

    def ask(self, program: str, *args: str, times: int = 1) -> None:
        """Run a program of tpm2-tools, for ``times`` as long as others may take.

        What it loaded is let go of: by the kernel's resource manager when the program ends, else here, because a TPM
        has three places for objects (TPM 2.0 Library, part 1, 37.5).
        """
        result = run(program, ["-Q", "-T", self._tcti, *args], timeout_s=times * self._answer_s)
        if _MANAGED not in self._tcti and result.reason is None:
            run("tpm2_flushcontext", ["-Q", "-T", self._tcti, "-t"], timeout_s=self._answer_s)
        _require(result)


def _require(result: Result) -> None:
    """Raises :class:`TpmUnusable` unless the program came to a good end."""
    if result.status is Status.TIMED_OUT:
        raise TpmUnusable(Text("the TPM does not answer"))
    if result.reason is not None:
        raise TpmUnusable(result.reason)
    if result.exit_status != 0:
        raise _told(result.stderr)


def _told(stderr: bytes) -> TpmUnusable:
    """What an error of tpm2-tools means."""
    match = _CODE.search(stderr)
    code = int(match[1], 16) if match else 0
    if not code or code >> 16:  # the upper half says which layer of the software stack failed, and is 0 for the TPM
        return TpmUnusable(Text("the TPM cannot be reached"))
    # Of format one, the bits above say which session or parameter is meant (part 2, 6.6.2).
    bare = code & 0xBF if code & 0x80 else code
    reason = _REASONS.get(bare, Text("the TPM answers with error {code}", {"code": f"0x{code:x}"}))
    return TpmUnusable(reason, code=bare)


def read(path: Path, most: int = _MAX_FILE) -> bytes:
    """What a program wrote, ``most`` bytes of it; nothing where it wrote nothing."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        return b""
