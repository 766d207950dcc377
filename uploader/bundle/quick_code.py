"""What a unit without a network says by a picture: who it is and what was found, signed, as one address.

The address is upper case and base 32, so that a QR code holds it in its alphanumeric mode (ISO/IEC 18004, 7.3.4: 5.5
bits a character, where bytes take 8): a version 10 or 11 symbol at level M.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from securesystemslib.signer import Signer, SSlibKey

from agent.model import RunVerdict
from agent.model.check_digit import check_digit, is_rma_number
from uploader.bundle import cose
from uploader.strict_json import Malformed

MAX_FAULTS = 6
"""Fault codes in one picture at most, the worst first."""
MAX_MESSAGE = 400
"""Bytes; one with a serial number of 64 characters has about 290. Ours."""
PATH = "/Q/"
_SERIAL_CAP = 64
_TIMES = range(1 << 32)
_VERDICTS = (RunVerdict.PASS, RunVerdict.FAIL, RunVerdict.INCOMPLETE)
_SERIAL, _RMA, _VERDICT, _FAULTS, _TIME, _DIGEST = range(1, 7)
_CODE = re.compile(r"[A-Z]+-([0-9]{4})", re.ASCII)
_BASE32 = re.compile(r"[A-Z2-7]+")
_MAX_BASE32 = (MAX_MESSAGE * 8 + 4) // 5


@dataclass(frozen=True, slots=True)
class QuickCode:
    """``faults`` are the four digits of fault codes (the last one their check digit), the worst first; ``time`` is the
    unit's own, in whole seconds since 1970 (UTC); ``sha256`` (hexadecimal) is that of the whole bundle.
    """

    serial: str
    rma: str | None
    verdict: RunVerdict
    faults: tuple[int, ...]
    time: int
    sha256: str

    @property
    def when(self) -> datetime:
        """``time``, as the unit's clock said it."""
        return datetime.fromtimestamp(self.time, UTC)

    def signed(self, signer: Signer) -> bytes:
        """The message, COSE_Sign1; raises :class:`Malformed` when it holds something that nobody would read."""
        payload = self._encode()
        _decode(payload)
        return cose.sign(payload, signer)

    def _encode(self) -> bytes:
        import cbor2

        told = {
            _SERIAL: self.serial,
            _RMA: self.rma,
            _VERDICT: _VERDICTS.index(self.verdict),
            _FAULTS: list(self.faults),
            _TIME: self.time,
            _DIGEST: bytes.fromhex(self.sha256),
        }
        return cbor2.dumps({key: value for key, value in told.items() if value is not None}, canonical=True)


def worst(codes: Iterable[str]) -> tuple[int, ...]:
    """The digits of the first ``MAX_FAULTS`` fault codes (``LOG-8400``), each once; what is no fault code (a bundle may
    hold anything) is left out.
    """
    digits = [match[1] for code in codes if (match := _CODE.fullmatch(code))]
    found = [int(four) for four in digits if check_digit(four) == 0]
    return tuple(dict.fromkeys(found))[:MAX_FAULTS]


def address(base_url: str, message: bytes) -> str:
    """What the picture says. Of the receiver's address only scheme and host may be spelt in upper case."""
    parts = urlsplit(base_url)
    text = base64.b32encode(message).decode().rstrip("=")
    return f"{parts.scheme.upper()}://{parts.netloc.upper()}{parts.path.rstrip('/')}{PATH}{text}"


def message_of(text: str) -> bytes:
    """The message in the last part of an address; raises :class:`Malformed`, also for a second spelling of one."""
    if len(text) > _MAX_BASE32 or not _BASE32.fullmatch(text):
        raise Malformed("this is no quick code")
    try:
        message = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError as error:
        raise Malformed("this is no quick code") from error
    if base64.b32encode(message).decode().rstrip("=") != text:
        raise Malformed("this is no quick code")
    return message


def peek(message: bytes) -> QuickCode:
    """What it says, *unverified*; raises :class:`Malformed` and nothing else."""
    return _decode(cose.peek(message))


def verify(message: bytes, key: SSlibKey) -> QuickCode:
    """What it says, when ``key`` signed it; raises :class:`Malformed` or :class:`~uploader.bundle.cose.Unsigned`."""
    return _decode(cose.verify(message, key))


def _decode(payload: bytes) -> QuickCode:
    data = cose.decode(payload)
    members = {_SERIAL, _VERDICT, _FAULTS, _TIME, _DIGEST}
    if not isinstance(data, dict) or set(data) - {_RMA} != members or any(type(key) is not int for key in data):
        raise Malformed("not the members of a quick code")
    serial, rma, verdict, faults, time, digest = (data.get(key) for key in range(_SERIAL, _DIGEST + 1))
    if type(serial) is not str or not 0 < len(serial) <= _SERIAL_CAP or not serial.isprintable():
        raise Malformed("no serial number")
    if _RMA in data and (type(rma) is not str or not is_rma_number(rma)):
        raise Malformed("no RMA number")
    if type(verdict) is not int or not 0 <= verdict < len(_VERDICTS):
        raise Malformed("no verdict")
    if type(faults) is not list or len(faults) > MAX_FAULTS or len(set(map(repr, faults))) != len(faults):
        raise Malformed("no list of faults")
    if not all(type(fault) is int and 0 <= fault <= 9999 and check_digit(f"{fault:04d}") == 0 for fault in faults):
        raise Malformed("no fault code")
    if type(time) is not int or time not in _TIMES:
        raise Malformed("no time")
    if type(digest) is not bytes or len(digest) != 32:
        raise Malformed("no digest")
    return QuickCode(serial, rma, _VERDICTS[verdict], tuple(faults), time, digest.hex())
