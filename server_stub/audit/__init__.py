"""The audit log: what warranty money hangs on, in links that hold each other (``docs/receiver.md``)."""

from server_stub.audit.acting import OPERATOR, RECEIVER, SENDER, acting
from server_stub.audit.chain import of_account, of_case, of_token, of_unit, record

__all__ = ["OPERATOR", "RECEIVER", "SENDER", "acting", "of_account", "of_case", "of_token", "of_unit", "record"]
