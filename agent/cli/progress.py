"""Progress on standard error: a bar on a terminal, plain lines otherwise. Where nobody can see it any more (the pipe is
closed, the disk full), the check goes on without.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Self, TextIO

from agent.model import Outcome, Text
from agent.runner.step import Step, StepResult
from agent.runner.worker import Item
from agent.texts import render
from agent.texts.words import OUTCOMES, step_word


class Lines:
    """A line for every step that ends."""

    def __init__(self, language: str, stream: TextIO) -> None:
        self._language = language
        self._stream = stream

    def started(self, steps: Sequence[Step]) -> None:
        """Nothing: a line per end is enough."""

    def received(self, step: Step, item: Item) -> None:
        """Nothing."""

    def ended(self, step: Step, result: StepResult) -> None:
        """One line."""
        outcome = render(OUTCOMES[result.outcome or Outcome.ERROR], self._language)
        word = render(step_word(step.id), self._language)
        with suppress(OSError):
            print(f"{word}: {outcome} ({result.duration_s:.1f} s)", file=self._stream, flush=True)

    def tick(self) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to take away."""


class Bar:
    """A bar that says what is still being looked at. ``total`` is the number of steps of the whole run."""

    def __init__(self, language: str, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        from agent.cli.console import AgentConsole

        self._language = language
        self._progress = Progress(
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=AgentConsole(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self._task = self._progress.add_task("", total=total)
        self._open: list[str] = []

    def started(self, steps: Sequence[Step]) -> None:
        """Show what begins."""
        self._open += [step.id for step in steps]
        self._show()

    def received(self, step: Step, item: Item) -> None:
        """Nothing."""

    def ended(self, step: Step, _result: StepResult) -> None:
        """Move on; after the last step the bar is taken away."""
        self._open.remove(step.id)
        self._progress.advance(self._task)
        self._show()

    def tick(self) -> None:
        """Keep the clock going."""
        with suppress(OSError):
            self._progress.refresh()

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Take the bar away."""
        with suppress(OSError):
            self._progress.stop()

    def _show(self) -> None:
        words = [render(step_word(step), self._language) for step in self._open[:3]]
        more = " …" if len(self._open) > 3 else ""
        looking = render(Text("looking at: {what}", {"what": ", ".join(words) + more}), self._language)
        self._progress.update(self._task, description=looking if words else "")
        self.tick()


def progress(language: str, total: int) -> Lines | Bar:
    """The kind of progress that standard error can show."""
    return Bar(language, total) if sys.stderr.isatty() else Lines(language, sys.stderr)
