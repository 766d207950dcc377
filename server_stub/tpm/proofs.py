"""A proof in two steps: a secret for the unit's TPM, and the secret back (``docs/protocol.md``)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server_stub import audit
from server_stub.cases import note
from server_stub.clock import now
from server_stub.db import Case, DeviceKey, TpmChallenge
from server_stub.db.models import KeyState
from server_stub.enrolment import could_be_proven
from server_stub.problems import Problem
from server_stub.tpm import holders
from server_stub.tpm.areas import EkPublic, check_ek, name_of_device_key
from server_stub.tpm.credential import SECRET_BYTES, Credential, make_credential
from server_stub.tpm.makers import Makers
from server_stub.tpm.refused import NotProven, Reason
from server_stub.unit_word import FRESH, asked, check_fresh, sender
from uploader.keys import PublicKey

CHALLENGE_TYPE = "application/vnd.hibertek.aiodiag.tpm-challenge+json"
ANSWER_TYPE = "application/vnd.hibertek.aiodiag.tpm-answer+json"

TO_ANSWER = timedelta(minutes=5)
"""For a TPM to open a credential. Ours: a slow one takes half a minute to make its endorsement key, and is asked for it
once more.
"""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the unit is given."""

    id: str
    credential: Credential
    expires: datetime


def challenge(session: Session, makers: Makers, rma: str, envelope: bytes) -> Challenge | NotProven:
    """A secret for the TPM that the envelope shows; or why there is none, which was taken down.

    Raises :class:`Problem`: ``unknown-case``, ``not-enrolled`` and ``bad-request``, and ``conflict`` for a nonce that
    is not fresh or had its challenge.
    """
    said = asked(envelope, CHALLENGE_TYPE, rma, ("nonce", "ek_certificate", "ek_public", "key_public"))
    certificate, ek_area, key_area = (_bytes(said[name]) for name in ("ek_certificate", "ek_public", "key_public"))
    case, key = sender(session, envelope, CHALLENGE_TYPE, rma, said["serial"])
    check_fresh(session, said["nonce"], case, key)
    if not could_be_proven(session, key):
        raise Problem("conflict", "Of this key nothing is left to be proven.")
    if session.scalar(select(TpmChallenge.id).where(TpmChallenge.nonce == said["nonce"])) is not None:
        raise Problem("conflict", "A challenge was made with this nonce already.")
    try:
        ek = makers.certified(certificate, now())
        check_ek(ek_area, ek)
        name = name_of_device_key(key_area, PublicKey.from_json(key.public))
    except NotProven as refusal:
        _refuse(session, case, key, refusal.reason)
        return refusal
    secret, made = secrets.token_bytes(SECRET_BYTES), now()
    row = TpmChallenge(
        id=secrets.token_hex(16),
        nonce=said["nonce"],
        case_id=case.id,
        key_id=key.id,
        secret_sha256=hashlib.sha256(secret).hexdigest(),
        ek=_digest(ek),
        certificate=hashlib.sha256(certificate).hexdigest(),
        created=made,
        answered=None,
    )
    session.execute(delete(TpmChallenge).where(TpmChallenge.created < made - FRESH - TO_ANSWER))
    session.add(row)
    return Challenge(row.id, make_credential(ek, name, secret), made + TO_ANSWER)


def answer(session: Session, rma: str, envelope: bytes) -> NotProven | None:
    """The unit's answer; ``None`` when the key is in that TPM, and the TPM no other unit's. Else why not, which was
    taken down. A challenge is answered once, rightly or wrongly.

    Raises :class:`Problem`: ``unknown-case``, ``not-enrolled`` and ``bad-request``, and ``conflict`` for a challenge
    that was not this key's for this case, is over, or was answered.
    """
    said = asked(envelope, ANSWER_TYPE, rma, ("challenge", "secret"))
    secret = _bytes(said["secret"])
    case, key = sender(session, envelope, ANSWER_TYPE, rma, said["serial"])
    row = session.get(TpmChallenge, said["challenge"])
    if row is None or (row.case_id, row.key_id) != (case.id, key.id):
        raise Problem("conflict", "This challenge was not given to this unit for this case.")
    if row.answered is not None or now() - row.created > TO_ANSWER:
        raise Problem("conflict", "This challenge was answered, or is over.")
    row.answered = now()
    if not hmac.compare_digest(hashlib.sha256(secret).hexdigest(), row.secret_sha256):
        _refuse(session, case, key, Reason.WRONG_ANSWER)
        return NotProven(Reason.WRONG_ANSWER)
    owner = holders.take(session, key, row.ek, row.certificate)
    tpm = {"keyid": key.keyid, "ek": row.ek, "certificate": row.certificate}
    if owner is None:
        note(session, case, "tpm-proven", **tpm)
        audit.record(session, "tpm-proven", audit.of_unit(case.unit.serial), rma=case.rma, **tpm)
        return None
    key.state, key.unproven = KeyState.QUARANTINED, Reason.OF_ANOTHER_UNIT
    note(session, case, "tpm-of-another-unit", **tpm)
    about = {**tpm, "unit": owner.serial}
    audit.record(session, "tpm-of-another-unit", audit.of_unit(case.unit.serial), rma=case.rma, **about)
    return NotProven(Reason.OF_ANOTHER_UNIT)


def _refuse(session: Session, case: Case, key: DeviceKey, reason: Reason) -> None:
    """Take a refusal down: the same one again says nothing new."""
    if key.unproven != reason:
        key.unproven = reason
        audit.record(
            session, "tpm-not-proven", audit.of_unit(case.unit.serial), rma=case.rma, keyid=key.keyid, reason=reason
        )


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem("bad-request", "What should be base64 is not.") from error


def _digest(ek: EkPublic) -> str:
    return hashlib.sha256(ek.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
