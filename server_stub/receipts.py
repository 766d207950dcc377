"""The receiver's signed word that it has a bundle. Only then may a unit forget it."""

from __future__ import annotations

import json

from server_stub.clock import iso
from server_stub.db import Bundle, Case
from uploader import dsse
from uploader.keys import SigningKey

PAYLOAD_TYPE = "application/vnd.hibertek.aiodiag.receipt+json"


def receipt(key: SigningKey, case: Case, bundle: Bundle, public_url: str) -> bytes:
    """The DSSE envelope for an accepted bundle. ``public_url`` is where this receiver's pages are found."""
    payload = {
        "rma": case.rma,
        "serial": bundle.statement["serial"],  # as the unit spells it
        "bundle_id": bundle.bundle_id,
        "sha256": bundle.sha256,
        "size": bundle.size,
        "received_at": iso(bundle.received),
        "case_url": f"{public_url.rstrip('/')}/cases/{case.rma}",
    }
    return dsse.sign(json.dumps(payload, separators=(",", ":")).encode(), PAYLOAD_TYPE, key)
