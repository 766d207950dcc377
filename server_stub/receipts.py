"""The receiver's signed word that it has a bundle. Only then may a unit forget it."""

from __future__ import annotations

import json

from sqlalchemy import select

from server_stub import audit
from server_stub.clock import iso
from server_stub.db import AuditRow, Bundle, Case, Database
from uploader import dsse
from uploader.keys import SigningKey

PAYLOAD_TYPE = "application/vnd.hibertek.aiodiag.receipt+json"


def receipt(key: SigningKey, case: Case, bundle: Bundle, public_base: str) -> bytes:
    """The DSSE envelope for an accepted bundle. ``public_base`` is where a browser reaches this receiver."""
    payload = {
        "rma": case.rma,
        "serial": bundle.statement["serial"],  # as the unit spells it
        "bundle_id": bundle.bundle_id,
        "sha256": bundle.sha256,
        "size": bundle.size,
        "received_at": iso(bundle.received),
        "case_url": f"{public_base}/cases/{case.rma}",
    }
    return dsse.sign(json.dumps(payload, separators=(",", ":")).encode(), PAYLOAD_TYPE, key)


def receipt_given(db: Database, case: Case, bundle: Bundle) -> None:
    """Write down that a receipt is given, before it is. The first time only: whoever has lost it may ask again, and
    asking must not make the log longer. (Two first ones at a moment may both be written down.)
    """
    subject, detail = audit.of_case(case.rma), {"sha256": bundle.sha256, "bundle_id": bundle.bundle_id}
    told = select(AuditRow.detail).where(AuditRow.subject == subject, AuditRow.action == "receipt-given")
    with db.read() as session:
        if any(json.loads(text) == detail for text in session.scalars(told)):
            return
    with db.write() as session:
        audit.record(session, "receipt-given", subject, **detail)
