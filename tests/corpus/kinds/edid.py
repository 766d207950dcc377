"""EDIDs: the index tells by the bytes alone (header, checksums, length) which are damaged.

``edid-decode`` finds fault with most ordinary panels, which are no faulty ones for that, so its "conformity" counts for
nothing here; what it reads in each block is compared with what we read in ``tests/corpus/test_edid.py``.
"""

from __future__ import annotations

from tests.corpus.evaluation import Document, Goal, Mark, Result, fault, no_fault, said
from tests.corpus.index import Row

KIND = "edid"
GOAL = Goal(detected=0.98, false_alarms=0.0)

_SEVERITIES = ("critical", "warning")


def mark(row: Row, document: Document) -> Mark | None:
    """Damaged ones are faults of the panel, whole ones none; of one that was cut off nobody knows who cut it."""
    if row.label == "failing":
        return fault(document, row.subkind, ("panel",), _SEVERITIES)
    if row.label == "healthy" or "checksums ok" in row.reason:
        return no_fault(document, row.subkind, _SEVERITIES)
    return Mark(row.subkind, Result.OPEN, said(document))
