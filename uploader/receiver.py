"""The receiver as the agent sees it: who it is, whether a case is known, and this device's enrolment."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from agent.model import Text
from agent.model.utc import utc_text
from uploader import dsse, strict_json
from uploader.bundle.recipient import read_recipient
from uploader.bundle.seal import SealingKey
from uploader.endorsement import Endorsement
from uploader.http import Http, ReceiverError, Refused, nonsense
from uploader.keys import PublicKey, SigningKey
from uploader.pins import Pin, pin_path, read_pin, write_pin
from uploader.strict_json import Malformed, field

API = "/api/v1"
ENROLMENT_TYPE = "application/vnd.hibertek.aiodiag.enrolment+json"
LINK_TYPE = "application/vnd.hibertek.aiodiag.link+json"
CHALLENGE_TYPE = "application/vnd.hibertek.aiodiag.tpm-challenge+json"
ANSWER_TYPE = "application/vnd.hibertek.aiodiag.tpm-answer+json"
TPM_PROOF = "tpm-ek"
ROTATION_TYPE = "application/vnd.hibertek.aiodiag.rotation+json"
_FIRST_ANSWER_S = 10.0
"""Seconds for the server's first answer. It needs no work there, and a person waits for it before the check begins;
ours, after the 10 s that keep a person's attention (Nielsen, Usability Engineering, 1993, section 5.5).
"""


class UnknownCase(ReceiverError):
    """RMA number and serial number do not belong together there."""


class Quarantined(ReceiverError):
    """The receiver's staff has to look at this device first."""


class TooMuch(ReceiverError):
    """The receiver takes no more now, or for this case at all; it is not the bundle's fault, and nothing is lost."""


class NotProven(ReceiverError):
    """The receiver does not believe that the key is in a TPM. It stays enrolled as it was."""


class KeyChanged(ReceiverError):
    """The receiver is another one than at the first contact."""


@dataclass(frozen=True, slots=True)
class ReceiverInfo:
    """Who the receiver says it is. ``uploads`` is the path of its tus endpoint; ``recipient`` (``age1...``, signed by
    ``key``) is for bundles that go there without a network, ``None`` at a receiver that takes none.
    """

    name: str
    version: str
    key: PublicKey
    uploads: str
    recipient: str | None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """``nonce`` binds the next bundle to the case. ``asks_proof`` is whether the receiver would believe more of the key
    when its TPM proves that it is there.
    """

    nonce: str
    asks_proof: bool


@dataclass(frozen=True, slots=True)
class Challenge:
    """A secret for a TPM: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET."""

    id: str
    credential: bytes
    seed: bytes


@dataclass(frozen=True, slots=True)
class CaseStatus:
    """A case as anybody may see it who knows RMA number and serial number."""

    rma: str
    status: str


class Receiver:
    """A receiver at ``base_url`` (``https://...``; ``http://`` on this machine only).

    Its key is remembered in ``state_dir`` at the first contact, and another key is refused from then on. All methods
    raise :class:`~uploader.http.ReceiverError`, and none waits longer than a minute.
    """

    def __init__(self, base_url: str, state_dir: Path) -> None:
        self.http = Http(base_url)
        self._state_dir = state_dir
        self._info: ReceiverInfo | None = None

    @property
    def base_url(self) -> str:
        """The address, without a slash at its end."""
        return self.http.base_url

    def info(self) -> ReceiverInfo:
        """Who it is, after its key was compared with the one it had at the first contact. Asked once."""
        if self._info is None:
            data = self.http.call("GET", self._path("receiver"), limit_s=_FIRST_ANSWER_S).json()
            try:
                key = PublicKey.from_json(field(data, "key", dict))
                info = ReceiverInfo(
                    name=field(data, "name", str),
                    version=field(data, "version", str),
                    key=key,
                    uploads=field(data, "uploads", str),
                    recipient=read_recipient(data["recipient"], key) if "recipient" in data else None,
                )
            except Malformed as error:
                raise nonsense(self.base_url, str(error)) from error
            self.http.url(info.uploads)
            self._compare(info)
            self._info = info
        return self._info

    def case(self, rma: str, serial: str) -> CaseStatus:
        """The coarse status of a case; raises :class:`UnknownCase` when the serial is not that of the RMA."""
        try:
            path = self._path(f"cases/{quote(rma, safe='')}?serial={quote(serial, safe='')}")
            data = self.http.call("GET", path).json()
            return CaseStatus(field(data, "rma", str), field(data, "status", str))
        except Malformed as error:
            raise nonsense(self.base_url, str(error)) from error
        except Refused as error:
            raise told(error, rma, serial) from error

    def enrol(self, rma: str, serial: str, key: SealingKey, earlier: SigningKey | None = None) -> Enrolment:
        """Make ``key`` known as this device's. ``earlier`` vouches for it, so that
        it takes the place of ``earlier`` where that one speaks for the serial.

        Raises :class:`UnknownCase`, and :class:`Quarantined` when the serial has another key already.
        """
        payload = {
            "rma": rma,
            "serial": serial,
            "key": key.public.to_json(),
            "key_protection": key.protection,
            "time": utc_text(datetime.now(UTC)),
        }
        if earlier is not None:
            payload["rotation"] = rotation(serial, key.public, earlier).decode()
        envelope = dsse.sign(strict_json.canonical(payload), ENROLMENT_TYPE, key)
        try:
            data = self._post(f"cases/{quote(rma, safe='')}/enrolment", envelope)
            status = field(data, "status", str)
            nonce = field(data, "nonce", str) if status == "enrolled" else ""
            asks_proof = data.get("proof") == TPM_PROOF
        except Malformed as error:
            raise nonsense(self.base_url, str(error)) from error
        except Refused as error:
            raise told(error, rma, serial) from error
        if status == "quarantined":
            raise _quarantined("")
        if not nonce:
            raise nonsense(self.base_url, f"status {status[:50]!r} and no nonce")
        return Enrolment(nonce, asks_proof)

    def tpm_challenge(self, rma: str, serial: str, nonce: str, shown: Endorsement, key: SealingKey) -> Challenge:
        """A secret for the TPM that is ``shown``. ``nonce`` is of an enrolment just now.

        Raises :class:`NotProven` where the receiver does not believe what is shown.
        """
        said = {"ek_certificate": shown.certificate, "ek_public": shown.public, "key_public": shown.key_public}
        encoded = {name: base64.b64encode(value).decode() for name, value in said.items()}
        data = self._said(
            "tpm-challenge", CHALLENGE_TYPE, {"rma": rma, "serial": serial, "nonce": nonce, **encoded}, key
        )
        try:
            values = [base64.b64decode(field(data, name, str), validate=True) for name in ("credential", "seed")]
            return Challenge(field(data, "challenge", str), *values)
        except (Malformed, ValueError) as error:
            raise nonsense(self.base_url, str(error)) from error

    def tpm_answer(self, rma: str, serial: str, challenge: str, secret: bytes, key: SealingKey) -> None:
        """Show what the TPM read. Raises :class:`NotProven` where that is wrong, and :class:`Quarantined` where the TPM
        is another unit's.
        """
        said = {"rma": rma, "serial": serial, "challenge": challenge, "secret": base64.b64encode(secret).decode()}
        self._said("tpm-answer", ANSWER_TYPE, said, key)

    def _said(self, call: str, payload_type: str, said: dict[str, str], key: SealingKey) -> Any:
        """What a call about a case answers that the device signs."""
        try:
            envelope = dsse.sign(strict_json.canonical(said), payload_type, key)
            return self._post(f"cases/{quote(said['rma'], safe='')}/{call}", envelope)
        except Refused as error:
            if error.name == "not-proven":
                raise NotProven(_NOT_PROVEN, error.detail) from error
            raise told(error, said["rma"], said["serial"]) from error

    def link(self, rma: str, serial: str, nonce: str, key: SealingKey) -> str:
        """An address that shows once what this device sent for a case; ``nonce`` is of an enrolment just now."""
        envelope = dsse.sign(strict_json.canonical({"rma": rma, "serial": serial, "nonce": nonce}), LINK_TYPE, key)
        try:
            url = field(self._post(f"cases/{quote(rma, safe='')}/link", envelope), "url", str)
        except Malformed as error:
            raise nonsense(self.base_url, str(error)) from error
        except Refused as error:
            raise told(error, rma, serial) from error
        try:
            web_address = urlsplit(url).scheme in {"http", "https"} and url.isprintable()
        except ValueError:
            web_address = False
        if not web_address:
            raise nonsense(self.base_url, "'url' is no web address")
        return url

    def receipt(self, upload_url: str) -> bytes:
        """The envelope of the receipt for a whole upload; not yet verified."""
        return self.http.call("GET", f"{upload_url}/receipt").body

    def _post(self, path: str, body: bytes) -> Any:
        return self.http.call("POST", self._path(path), headers={"Content-Type": "application/json"}, body=body).json()

    def _path(self, path: str) -> str:
        return f"{self.base_url}{API}/{path}"

    def _compare(self, info: ReceiverInfo) -> None:
        known = read_pin(self._state_dir, self.base_url)
        if known is not None and known.key != info.key:
            server = {"server": self.base_url}
            reason = Text("the key of the server {server} has changed; nothing was sent", server)
            pin = pin_path(self._state_dir, self.base_url)
            raise KeyChanged(reason, f"{known.key.keyid} was expected in {pin}, {info.key.keyid} was given")
        # The key vouches for another recipient, too; one that is not told any more is kept: it was the receiver's.
        told = Pin(self.base_url, info.key, info.recipient or (known.recipient if known else None))
        if told != known:
            write_pin(self._state_dir, told)


def rotation(serial: str, new: PublicKey, old: SigningKey) -> bytes:
    """The statement that ``new`` shall speak for the unit instead of ``old``, signed by ``old``."""
    statement = {"serial": serial, "old": old.public.to_json(), "new": new.to_json()}
    return dsse.sign(strict_json.canonical(statement), ROTATION_TYPE, old)


_NOT_PROVEN = Text("the receiver does not believe what the TPM shows of itself")
_FULL = {
    "no-room": Text("the receiver has no room at the moment; try again in a few hours"),
    "case-full": Text("the receiver takes no more bundles for this case; ask service staff"),
    "too-many-keys": Text("too many devices with this serial number wait for the receiver's staff; ask service staff"),
}


def told(error: Refused, rma: str, serial: str) -> ReceiverError:
    """The same refusal in the words of the case that it is about."""
    if error.name == "unknown-case":
        case = {"rma": rma, "serial": serial}
        return UnknownCase(Text("there is no case {rma} for the serial number {serial}", case), error.detail)
    if error.name == "quarantined":
        return _quarantined(error.detail)
    if error.name == "too-many-requests":
        minutes = max(1, -(-error.wait_s // 60))
        return TooMuch(
            Text("the receiver has too much to do; try again in {minutes} min", {"minutes": minutes}), error.detail
        )
    if error.name in _FULL:
        return TooMuch(_FULL[error.name], error.detail)
    return error


def _quarantined(detail: str) -> Quarantined:
    return Quarantined(Text("the receiver holds this device back until its staff has looked at it"), detail)
