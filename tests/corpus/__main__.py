"""``./dev accuracy``: measure, and write the tables into ``docs/accuracy.md``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.corpus import report
from tests.corpus.diagnosed import diagnosed
from tests.corpus.evaluation import all_kinds, marked
from tests.corpus.index import rows


def main() -> int:
    """0, or 2 where there is no captured data."""
    shared = Path(os.environ.get("AIODIAG_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    if not shared.is_dir():
        print(f"no captured data at {shared}; AIODIAG_SHARED names another folder", file=sys.stderr)
        return 2
    captures, kinds = rows(shared), all_kinds()
    documents = diagnosed([row.file for row in captures])
    tables = report.region({kind.name: marked(kind, captures, documents) for kind in kinds}, kinds)
    report.write(tables)
    print(tables, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
