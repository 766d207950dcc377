"""Runs that an earlier agent left open: it was ended, or the unit went down. Which of them, and what the unit was like
just before, is on record: going down is evidence.

Why a unit went down is for its last shutdown to tell (:mod:`agent.probes.last_shutdown` and its rules).
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from agent.journal import Journal, JournalError, Recovery, RunStore, read
from agent.model import Heartbeat, Outcome, RunVerdict, Text, ocp
from agent.model.run_view import JOURNAL, RunView
from agent.runner import scratch
from agent.runner.recording import boot_id


@dataclass(frozen=True, slots=True)
class Closed:
    """An open run that was closed, what had become of its journal, and what ended it."""

    run_id: str
    recovery: Recovery
    why: Text


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
                why = _close(journal, recovery)
            except (JournalError, OSError):
                continue
        scratch.remove(store.path(run_id))
        closed.append(Closed(run_id, recovery, why))
    return closed


def close_steps(journal: Journal, recovery: Recovery, going_on: Collection[str] = ()) -> Text:
    """Close the steps that were open as ``interrupted``, but for those that go on, and say what ended them."""
    view = RunView.from_records(read(journal.directory / JOURNAL))
    then, now = (view.boots or [""])[-1], boot_id()
    if recovery.torn:
        journal.append(ocp.run_log("WARNING", f"a torn last line of {len(recovery.torn)} bytes was cut off"))
    last = view.last or "unknown"
    journal.append(ocp.run_log("WARNING", f"interrupted: last record at {last}, boot {then}; closed in boot {now}"))
    beats = {step: view.steps[step].heartbeat for step in recovery.open_steps if step in view.steps}
    for step in (step for step in recovery.open_steps if step not in going_on):
        beat = beats.get(step)
        seconds = beat.seconds if beat else 0.0
        why = _why(then, now, beat)
        journal.append(*ocp.step_end(step, Outcome.INTERRUPTED, why, time.monotonic(), seconds))
    return _why(then, now, next((beat for beat in beats.values() if beat), None))


def _close(journal: Journal, recovery: Recovery) -> Text:
    why = close_steps(journal, recovery)
    if not recovery.ended:
        journal.append(ocp.run_end(RunVerdict.INCOMPLETE, complete=False))
    journal.sync()
    return why


def _why(then: str, now: str, beat: Heartbeat | None) -> Text:
    """What ended a step, by the kernel's ids of the boot in which it ran and of this one, and by its last heartbeat."""
    if not then or not now:
        return Text("the agent or the unit went down")
    if beat is None:
        return Text("the agent was ended") if then == now else Text("the unit went down")
    values: dict[str, str | int | float] = {"seconds": round(beat.seconds)}
    if then == now:
        return Text("the agent was ended {seconds} s after the test began", values)
    if beat.temperature is None:
        return Text("the unit went down {seconds} s after the test began", values)
    values["temperature"] = beat.temperature
    return Text("the unit went down {seconds} s after the test began, at {temperature} °C", values)
