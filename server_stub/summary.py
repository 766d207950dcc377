"""The journal of a verified bundle as a run. Signed is not the same as sane: everything in it is still a stranger's."""

from __future__ import annotations

import itertools
import json
from typing import Any

from agent.model.run_view import RunView
from uploader.bundle.verify import BundleRejected, VerifiedBundle

MAX_RECORDS = 500_000
"""Records of a journal that are looked at: a hundred times those of a quick run. Ours."""


class UnreadableJournal(Exception):
    """A journal that makes no sense, in a way that would hurt a reader."""


def read_run(bundle: VerifiedBundle) -> RunView:
    """The run that the journal tells of; raises :class:`UnreadableJournal` and ``BundleRejected``."""
    try:
        view = RunView.from_records(itertools.islice(bundle.journal(), MAX_RECORDS))
        _ = view.verdict, view.findings  # they read members of the journal, and must not fail later on a page
    except BundleRejected:
        raise
    except Exception as error:  # what a stranger can put into JSON has no end
        raise UnreadableJournal(str(error)[:200]) from error
    return view


def strict_findings(view: RunView) -> list[dict[str, Any]]:
    """The findings without their evidence, as strict JSON; raises :class:`UnreadableJournal` when they are not."""
    found = [{**f.finding.to_json(), "evidence": list(f.records)} for f in view.findings]
    try:
        return list(json.loads(json.dumps(found, allow_nan=False).encode("ascii")))
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableJournal(str(error)[:200]) from error
