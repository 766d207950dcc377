"""The receiver as the agent sees it: who it is, whether a case is known, and this device's enrolment."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent import durable
from agent.model import Text
from agent.model.utc import utc_text
from uploader import dsse, strict_json
from uploader.bundle.seal import SealingKey
from uploader.http import Http, ReceiverError, Refused, nonsense
from uploader.keys import PublicKey, SigningKey
from uploader.strict_json import Malformed, field

API = "/api/v1"
ENROLMENT_TYPE = "application/vnd.hibertek.aiodiag.enrolment+json"
ROTATION_TYPE = "application/vnd.hibertek.aiodiag.rotation+json"
_MAX_PIN = 4096
_FIRST_ANSWER_S = 10.0
"""Seconds for the server's first answer. It needs no work there, and a person waits for it before the check begins;
ours, after the 10 s that keep a person's attention (Nielsen, Usability Engineering, 1993, section 5.5).
"""


class UnknownCase(ReceiverError):
    """RMA number and serial number do not belong together there."""


class Quarantined(ReceiverError):
    """The receiver's staff has to look at this device first."""


class KeyChanged(ReceiverError):
    """The receiver is another one than at the first contact."""


@dataclass(frozen=True, slots=True)
class ReceiverInfo:
    """Who the receiver says it is. ``uploads`` is the path of its tus endpoint."""

    name: str
    version: str
    key: PublicKey
    uploads: str


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
                info = ReceiverInfo(
                    name=field(data, "name", str),
                    version=field(data, "version", str),
                    key=PublicKey.from_json(field(data, "key", dict)),
                    uploads=field(data, "uploads", str),
                )
            except Malformed as error:
                raise nonsense(self.base_url, str(error)) from error
            self.http.url(info.uploads)
            self._compare_key(info.key)
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

    def enrol(self, rma: str, serial: str, key: SealingKey, earlier: SigningKey | None = None) -> str:
        """Make ``key`` known as this device's; gives the nonce for the next bundle. ``earlier`` vouches for it, so that
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
        except Malformed as error:
            raise nonsense(self.base_url, str(error)) from error
        except Refused as error:
            raise told(error, rma, serial) from error
        if status == "quarantined":
            raise _quarantined("")
        if not nonce:
            raise nonsense(self.base_url, f"status {status[:50]!r} and no nonce")
        return nonce

    def receipt(self, upload_url: str) -> bytes:
        """The envelope of the receipt for a whole upload; not yet verified."""
        return self.http.call("GET", f"{upload_url}/receipt").body

    def _post(self, path: str, body: bytes) -> Any:
        return self.http.call("POST", self._path(path), headers={"Content-Type": "application/json"}, body=body).json()

    def _path(self, path: str) -> str:
        return f"{self.base_url}{API}/{path}"

    def _compare_key(self, key: PublicKey) -> None:
        pin = self._state_dir / "receivers" / f"{hashlib.sha256(self.base_url.encode()).hexdigest()}.json"
        server = {"server": self.base_url}
        try:
            with pin.open("rb") as file:
                known = PublicKey.from_json(
                    strict_json.loads(file.read(_MAX_PIN), max_size=_MAX_PIN, max_depth=4).get("key")
                )
        except FileNotFoundError:
            self._remember(pin, key)
            return
        except (OSError, Malformed, AttributeError) as error:
            raise ReceiverError(Text("{path} is damaged", {"path": str(pin)}), str(error)) from error
        if known != key:
            reason = Text("the key of the server {server} has changed; nothing was sent", server)
            raise KeyChanged(reason, f"{known.keyid} was expected in {pin}, {key.keyid} was given")

    def _remember(self, pin: Path, key: PublicKey) -> None:
        try:
            pin.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.replace(pin, strict_json.canonical({"base_url": self.base_url, "key": key.to_json()}))
        except OSError as error:
            reason = Text("{path}: {error}", {"path": str(pin), "error": error.strerror or ""})
            raise ReceiverError(reason) from error


def rotation(serial: str, new: PublicKey, old: SigningKey) -> bytes:
    """The statement that ``new`` shall speak for the unit instead of ``old``, signed by ``old``."""
    statement = {"serial": serial, "old": old.public.to_json(), "new": new.to_json()}
    return dsse.sign(strict_json.canonical(statement), ROTATION_TYPE, old)


def told(error: Refused, rma: str, serial: str) -> ReceiverError:
    """The same refusal in the words of the case that it is about."""
    if error.name == "unknown-case":
        case = {"rma": rma, "serial": serial}
        return UnknownCase(Text("there is no case {rma} for the serial number {serial}", case), error.detail)
    if error.name == "quarantined":
        return _quarantined(error.detail)
    return error


def _quarantined(detail: str) -> Quarantined:
    return Quarantined(Text("the receiver holds this device back until its staff has looked at it"), detail)
