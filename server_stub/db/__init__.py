"""The database: tables, and sessions on them."""

from server_stub.db import accounts as accounts  # its tables are made with the others
from server_stub.db.audit import AuditHead, AuditRow
from server_stub.db.engine import Database
from server_stub.db.models import Base, Bundle, Case, CaseStatus, DeviceKey, Event, KeyProof, Nonce, Unit, Upload
from server_stub.db.tpm import ProvenTpm, TpmChallenge

__all__ = [
    "AuditHead",
    "AuditRow",
    "Base",
    "Bundle",
    "Case",
    "CaseStatus",
    "Database",
    "DeviceKey",
    "Event",
    "KeyProof",
    "Nonce",
    "ProvenTpm",
    "TpmChallenge",
    "Unit",
    "Upload",
]
