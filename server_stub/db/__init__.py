"""The database: tables, and sessions on them."""

from server_stub.db.engine import Database
from server_stub.db.models import Bundle, Case, CaseStatus, DeviceKey, Event, KeyProof, Nonce, Unit, Upload

__all__ = ["Bundle", "Case", "CaseStatus", "Database", "DeviceKey", "Event", "KeyProof", "Nonce", "Unit", "Upload"]
