"""Freezes that become restarts, where somebody asked for that: the watchdog is held while hardware is exercised."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from agent.journal import Journal
from agent.model import ocp
from agent.tools import watchdog

ASKED = "watchdog"
"""A file in the state directory by which it is asked for, so that a run which goes on after a restart knows it too."""
SLEEPS = "suspend"
"""The test during which it is not held: not every watchdog stands still while the unit sleeps."""


@contextmanager
def restarted(journal: Journal, tests: Collection[str]) -> Iterator[None]:
    """Have a freeze in this block restart the unit, where that was asked for and can be. It is on record whether."""
    if not (journal.directory.parent.parent / ASKED).exists() or SLEEPS in tests:
        yield
        return
    with watchdog.watched() as held:
        said = f"after {watchdog.TIMEOUT_S} s" if held else "not available"
        journal.append(ocp.run_log("INFO" if held else "WARNING", f"restart of a frozen unit by its watchdog: {said}"))
        yield
