"""What a unit asks with its signature, over a nonce that its enrolment gave it just now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from server_stub.cases import find_by_serial
from server_stub.clock import now
from server_stub.db import Case, DeviceKey, Nonce
from server_stub.enrolment import enrolled_key
from server_stub.problems import Problem, unknown_case
from server_stub.rma import tidy_rma
from server_stub.settings import BODY_CAP
from uploader import dsse
from uploader.keys import PublicKey
from uploader.strict_json import Malformed, exactly, field, loads

FRESH = timedelta(minutes=10)
"""Between the nonce that a unit was given and what it asks for with it. Ours."""


def asked(envelope: bytes, payload_type: str, rma: str, names: Sequence[str]) -> dict[str, str]:
    """The members ``names`` of what the envelope says of the case ``rma``, besides ``rma`` and ``serial``, before it is
    known who signed it; raises :class:`Problem` (``bad-request``).
    """
    members = ("rma", "serial", *names)
    try:
        data = loads(dsse.peek(envelope, payload_type, max_size=BODY_CAP), max_size=BODY_CAP, max_depth=2)
        exactly(data, members)
        said = {name: field(data, name, str) for name in members}
    except (dsse.EnvelopeRejected, Malformed) as error:
        raise Problem("bad-request", f"This is no such request: {error}"[:300]) from error
    if tidy_rma(said["rma"]) != tidy_rma(rma):
        raise Problem("bad-request", "This is a request about another case.")
    return said


def sender(session: Session, envelope: bytes, payload_type: str, rma: str, serial: str) -> tuple[Case, DeviceKey]:
    """The case, and the key that is enrolled for its unit, which signed the envelope. Raises :class:`Problem`
    (``unknown-case``, ``not-enrolled``).
    """
    case = find_by_serial(session, rma, serial)
    if case is None:
        raise unknown_case()
    key = enrolled_key(session, case.unit_id)
    if key is None or not _signed(envelope, payload_type, key):
        raise Problem("not-enrolled", "The request was not signed by the key that is enrolled for this unit.")
    return case, key


def check_fresh(session: Session, nonce: str, case: Case, key: DeviceKey) -> None:
    """Raises :class:`Problem` (``conflict``) unless the key was given this nonce for this case just now."""
    known = session.get(Nonce, nonce)
    if known is None or (known.case_id, known.key_id) != (case.id, key.id) or now() - known.issued > FRESH:
        raise Problem("conflict", "The nonce is none that was issued to this unit for this case just now.")


def _signed(envelope: bytes, payload_type: str, key: DeviceKey) -> bool:
    try:
        dsse.verify(envelope, payload_type, PublicKey.from_json(key.public), max_size=BODY_CAP)
    except dsse.EnvelopeRejected:
        return False
    return True
