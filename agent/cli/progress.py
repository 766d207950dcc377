"""Progress on standard error: a bar on a terminal, plain lines otherwise. Where nobody can see it any more (the pipe is
closed, the disk full), the check goes on without.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Self, TextIO

from agent.model import Heartbeat, Outcome, Text
from agent.model.step_name import plain, round_of
from agent.runner.step import Step, StepResult
from agent.runner.worker import Item
from agent.texts import render
from agent.texts.words import OUTCOMES, step_word

if TYPE_CHECKING:
    from rich.progress import Progress


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


class _OnTerminal:
    """Something of rich's that is there for as long as a block lasts."""

    _progress: Progress

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Take it away."""
        with suppress(OSError):
            self._progress.stop()


class Bar(_OnTerminal):
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

    def _show(self) -> None:
        words = [render(step_word(step), self._language) for step in self._open[:3]]
        more = " …" if len(self._open) > 3 else ""
        looking = render(Text("looking at: {what}", {"what": ", ".join(words) + more}), self._language)
        self._progress.update(self._task, description=looking if words else "")
        self.tick()


class Live(_OnTerminal):
    """What goes on in a run of rounds, of which nobody knows how many there will be: what is at work, for how long, and
    how warm the unit is.
    """

    def __init__(self, language: str) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        from agent.cli.console import AgentConsole

        self._language = language
        columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=AgentConsole(stderr=True), auto_refresh=False, transient=True)
        self._task = self._progress.add_task("", total=None)
        self._open: list[str] = []
        self._celsius: float | None = None

    def started(self, steps: Sequence[Step]) -> None:
        """Show what begins."""
        self._open += [step.id for step in steps]
        self.tick()

    def received(self, _step: Step, item: Item) -> None:
        """Take the temperature from the heartbeat of a test."""
        if isinstance(item, Heartbeat):
            self._celsius = item.temperature

    def ended(self, step: Step, _result: StepResult) -> None:
        """Show what is left."""
        self._open.remove(step.id)
        self.tick()

    def tick(self) -> None:
        """Keep the clock and the words going."""
        self._progress.update(self._task, description=self.words())
        with suppress(OSError):
            self._progress.refresh()

    def words(self) -> str:
        """What is at work (the tests, where there are any), in which round, and how warm the unit is."""
        tests = [step for step in self._open if plain(step).startswith("test.")]
        shown = tests or self._open
        what = ", ".join(dict.fromkeys(render(step_word(step), self._language) for step in shown[:3]))
        number = next((n for n in map(round_of, shown) if n is not None), None)
        warm = "" if self._celsius is None else f"  {self._celsius:g} °C"
        return f"{'' if number is None else f'{number}: '}{what}{warm}"


class Transfer(_OnTerminal):
    """How much of a bundle the receiver has."""

    def __init__(self, language: str) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        from agent.cli.console import AgentConsole

        columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=AgentConsole(stderr=True), transient=True)
        self._task = self._progress.add_task(render(Text("sending"), language), total=None)

    def __call__(self, has: int, whole: int) -> None:
        """The receiver has so many bytes of the whole."""
        with suppress(OSError):
            self._progress.update(self._task, completed=has, total=whole)


def transfer(language: str) -> AbstractContextManager[Transfer | None]:
    """Progress of a transfer where standard error can show it; nothing elsewhere."""
    return Transfer(language) if sys.stderr.isatty() else nullcontext()


def live(language: str) -> AbstractContextManager[Live | None]:
    """Progress of a run of rounds where standard error can show it; nothing elsewhere: a line is told after each."""
    return Live(language) if sys.stderr.isatty() else nullcontext()


def progress(language: str, total: int) -> Lines | Bar:
    """The kind of progress that standard error can show."""
    return Bar(language, total) if sys.stderr.isatty() else Lines(language, sys.stderr)
