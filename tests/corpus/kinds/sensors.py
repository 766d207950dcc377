"""Outputs of ``sensors``: no source says of one that a part is broken, so all there is to measure are false alarms.

*Healthy* of the index means that every temperature is below the limits printed beside it. The others have what is no
fault by itself: alarms by limits that nobody set, 0 rpm of a fan that is not there, a sensor without a sense.
"""

from __future__ import annotations

from tests.corpus.evaluation import Document, Goal, Mark, no_fault
from tests.corpus.index import Row

KIND = "sensors"
GOAL = Goal(detected=1.0, false_alarms=0.0)


def mark(row: Row, document: Document) -> Mark | None:
    """Trees of single files of sysfs are no input. Of healthy ones nothing may be said, of others nothing critical."""
    if row.file.is_dir():
        return None
    return no_fault(document, row.subkind, ("critical", "warning") if row.label == "healthy" else ("critical",))
