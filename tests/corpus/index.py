"""The index of the captured data beside the checkout (``../shared/corpora/INDEX.csv``)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One capture. ``label`` is ``healthy``, ``failing`` or ``unknown``, by the source itself or by the rule that
    ``reason`` states; ``file`` is where it lies.
    """

    path: str
    file: Path
    kind: str
    subkind: str
    label: str
    health_class: str
    reason: str
    model: str


def rows(shared: Path) -> list[Row]:
    """Every capture, in the order of the index."""
    corpora = shared / "corpora"
    with (corpora / "INDEX.csv").open(newline="", encoding="utf-8") as index:
        return [
            Row(
                path=row["path"],
                file=corpora / row["path"],
                kind=row["kind"],
                subkind=row["subkind"],
                label=row["label"],
                health_class=row["health_class"],
                reason=row["label_reason"],
                model=row["model"],
            )
            for row in csv.DictReader(index)
        ]
