"""Kernel logs: excerpts from mails to the kernel's lists, whole boot logs, pieces of loghub's collections.

The label names classes of messages that the source, or the curator's search for such messages, found. The first class
decides what is wanted: a finding about a component that such a message can speak of, of a severity that fits. What the
hardware corrected, or the kernel got over, is a fault all the same, but a note suffices. A machine check or a record of
firmware ("mce") is about the processor, the memory or the board: the class does not say which. An error on a link that
was not corrected may be got over: a warning suffices. Clean is what has none of these messages; there only a critical
finding is a false alarm. A syslog that its source does not label is open.
"""

from __future__ import annotations

from tests.corpus.evaluation import Document, Goal, Mark, Result, fault, no_fault, said
from tests.corpus.index import Row

KIND = "kernel-logs"
GOAL = Goal(detected=0.95, false_alarms=0.02)

_DRIVE = ("storage-device",)
_MEMORY = ("memory-module",)
_PROCESSOR = ("cpu", "memory-module", "motherboard")
_BOARD = ("motherboard",)
_ANY = ("info", "warning", "critical")
_TROUBLE = ("warning", "critical")
_SERIOUS = ("critical",)

WANTED = {
    "ata_media_unc": (_DRIVE, _SERIOUS),
    "ata_icrc_link": (_DRIVE, _TROUBLE),
    "ata_command_failed": (_DRIVE, _ANY),
    "io_error": (_DRIVE, _TROUBLE),
    "nvme_controller_failure": (_DRIVE, _SERIOUS),
    "nvme_io_timeout": (_DRIVE, _TROUBLE),
    "edac_ue": (_MEMORY, _SERIOUS),
    "edac_ce": (_MEMORY, _TROUBLE),
    "mce_uncorrected": (_PROCESSOR, _SERIOUS),
    "mce_corrected": (_PROCESSOR, _ANY),
    "aer_uncorrected_fatal": (_BOARD, _TROUBLE),
    "aer_uncorrected_nonfatal": (_BOARD, _TROUBLE),
    "aer_corrected": (_BOARD, _ANY),
    # A supercomputer's nodes: the source marks lines by alerts of its own, most of them interrupts of the processor.
    "loghub-BGL": (_PROCESSOR, _ANY),
}


def mark(row: Row, document: Document) -> Mark | None:
    """By the class in the index; see the module."""
    if row.label == "healthy":
        return no_fault(document, row.subkind, _SERIOUS)
    wanted = WANTED.get(row.health_class.partition(",")[0] or row.subkind)
    if wanted is None:
        return Mark(row.subkind, Result.OPEN, said(document))
    return fault(document, row.subkind, *wanted)
