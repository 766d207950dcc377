"""Hardware tests that somebody named: side by side, with all watchers, then the rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.host import Host
from agent.journal import Journal, read
from agent.model import Text
from agent.model.run_view import JOURNAL, RunView
from agent.runner.engine import Observer
from agent.runner.freezes import restarted
from agent.runner.recording import Asked, recorded
from agent.runner.scratch import scratch
from agent.runner.steps import RULES, exercise_steps, judging_step, profile_step
from agent.tests_hw import Bout, load, tests


def known_tests() -> tuple[str, ...]:
    """The names of all hardware tests, sorted."""
    return tests()


def disturbances(names: Iterable[str]) -> list[Text]:
    """What a person at the unit will notice of these tests, each once."""
    noticed = {load(name).disturbs.template: load(name).disturbs for name in names}
    return list(noticed.values())


def needed(names: Iterable[str]) -> tuple[str, ...]:
    """The steps without which such a run has no verdict."""
    return (*(f"test.{name}" for name in names), RULES)


def run_tests(
    asked: Asked,
    journal: Journal,
    host: Host,
    names: Sequence[str],
    seconds: float | None,
    *,
    seed: int,
    observers: Iterable[Observer] = (),
    state: Path | None = None,
) -> RunView:
    """Run the tests ``names`` for so many seconds, or for as long as the most patient of them needs at least. What they
    measure is compared with the profile of the unit's model, where ``state``, the agent's state directory, has one.

    Raises like :func:`agent.runner.run.run`, and ``KeyError`` for an unknown test.
    """
    least = max(load(name).least_s for name in names)
    whole = max(seconds or 0.0, least)
    with recorded(asked, journal, observers) as engine, scratch(journal.directory) as folder:
        bout = Bout(whole, seed, folder)
        results = engine.run([profile_step(asked.unit, state)] if state is not None else [])
        with restarted(journal, names):
            results += engine.run(exercise_steps(names, bout, host))
        engine.run([judging_step(results)])
    return RunView.from_records(read(journal.directory / JOURNAL))
