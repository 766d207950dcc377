"""Looks for the newest earlier run of the same unit, among runs that may be anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from agent.history.earlier import KIND, of_view
from agent.journal import JournalError, RunStore, read
from agent.model import Evidence, Gap, Outcome, Text
from agent.model.run_view import JOURNAL, RunView
from agent.model.utc import utc_text

JOURNAL_MOST = 32 * 1024 * 1024
"""Bytes of a journal that is still read for its counters; ours, ten times the longest that a plan of today writes."""
RUNS_MOST = 50
"""Runs that are looked at, newest first; ours: a stick may have been in many units."""


def gather(state: Path, unit: Mapping[str, str], run_id: str) -> Iterator[Evidence | Gap]:
    """The counters of the newest run that is older than ``run_id``, came to its end, and is of the same unit, below the
    state directory. What cannot be read on the way there is a gap, and so is that there is none; neither is essential.
    """
    store = RunStore(state)
    for earlier_id in store.before(run_id)[:RUNS_MOST]:
        path = store.path(earlier_id) / JOURNAL
        try:
            view = _view(path)
            if not view.complete or not is_same_unit(unit, view.unit):
                continue
            data = of_view(view, earlier_id).encode()
        except (JournalError, OSError, ValueError) as e:
            reason = Text("could not be read: {error}", {"error": _said(e)[:300]})
            yield Gap(earlier_id, Outcome.ERROR, reason)
            continue
        # Below the state directory: where that is may name the person.
        yield Evidence(KIND, "", data, f"runs/{earlier_id}/{JOURNAL}", utc_text(datetime.now(UTC)))
        return
    yield Gap("", Outcome.UNSUPPORTED, Text("this unit was not checked before"))


def is_same_unit(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two identities (:func:`agent.runner.identity.identify`) are of one unit: the serial number says so; of
    machines without one, the UUID that the firmware gives; of machines without either, that nothing tells them apart.
    """
    for key in ("serial", "uuid"):
        if one.get(key) or other.get(key):
            return one.get(key) == other.get(key)
    return all(one.get(key) == other.get(key) for key in ("manufacturer", "model", "board", "board_serial"))


def _said(error: Exception) -> str:
    """What went wrong, without the path that an ``OSError`` tells too."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _view(path: Path) -> RunView:
    if os.stat(path, follow_symlinks=False).st_size > JOURNAL_MOST:
        raise ValueError(f"more than {JOURNAL_MOST} bytes")
    return RunView.from_records(read(path))
