"""Runs that an earlier agent left open: it was killed, or the unit went down."""

from __future__ import annotations

import time
from dataclasses import dataclass

from agent.journal import Journal, JournalError, Recovery, RunStore
from agent.model import Outcome, RunVerdict, Text, ocp
from agent.runner import scratch


@dataclass(frozen=True, slots=True)
class Closed:
    """An open run that was closed, and what had become of its journal."""

    run_id: str
    recovery: Recovery


def close_interrupted(store: RunStore) -> list[Closed]:
    """Close every run that is open and that nobody is writing: its open steps become ``interrupted``.

    What was written stays; nothing here can keep a new run from starting, so a run that cannot be closed (full disk,
    somebody else is writing it) is left as it is.
    """
    closed = []
    for run_id in store.open_runs():
        try:
            journal, recovery = Journal.reopen(store.path(run_id))
        except (JournalError, OSError):
            continue
        with journal:
            try:
                _close(journal, recovery)
            except JournalError:
                continue
        scratch.remove(store.path(run_id))
        closed.append(Closed(run_id, recovery))
    return closed


def close_steps(journal: Journal, recovery: Recovery) -> None:
    """Close the steps that were open as ``interrupted``."""
    if recovery.torn:
        journal.append(ocp.run_log("WARNING", f"a torn last line of {len(recovery.torn)} bytes was cut off"))
    reason = Text("the agent or the unit went down")
    for step in recovery.open_steps:
        journal.append(
            ocp.step_outcome(step, Outcome.INTERRUPTED, reason, time.monotonic(), 0.0),
            ocp.step_end(step, Outcome.INTERRUPTED),
        )


def _close(journal: Journal, recovery: Recovery) -> None:
    close_steps(journal, recovery)
    if not recovery.ended:
        journal.append(ocp.run_end(RunVerdict.INCOMPLETE, complete=False))
    journal.sync()
