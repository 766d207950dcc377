"""The durable record of a run, and the only writer of a run directory.

A run directory holds ``journal.jsonl`` (OCP Test & Validation output 2.0, one record a line), ``attachments/`` (raw
evidence) and, after an accident, ``journal.damaged-N.jsonl`` (a journal that was set aside).
"""

from agent.journal.errors import JournalDamaged, JournalError
from agent.journal.reader import read
from agent.journal.recovery import Recovery
from agent.journal.store import RunStore
from agent.journal.writer import Journal

__all__ = ["Journal", "JournalDamaged", "JournalError", "Recovery", "RunStore", "read"]
