"""Restarting the unit so many times, and looking each time whether all came back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent.host import Host
from agent.journal import Journal
from agent.model import Outcome, Text
from agent.plans import RESTARTS, Symptom
from agent.replay.cycles import Cycles
from agent.replay.recipe import Work
from agent.runner.baseline import Baseline
from agent.runner.engine import Observer
from agent.runner.recording import Asked, conclude, recorded
from agent.runner.replaying import EVERY_ROUND, possible_works
from agent.runner.restarting import Restarter
from agent.runner.rounds import Player
from agent.runner.run import new_seed

CYCLING = "restarts"
"""The step that says what came of it; the run has no verdict without."""


def cycling(
    asked: Asked,
    journal: Journal,
    host: Host,
    state: Cycles,
    *,
    restarter: Restarter,
    observers: Iterable[Observer] = (),
) -> None:
    """The unit as it is, then the first restart: raises :class:`agent.runner.restarting.Restarting` when it goes down,
    and what :func:`agent.runner.run.run` raises. ``asked.parameters`` are as :func:`parameters` gives them.
    """
    with recorded(asked, journal, observers) as engine:
        baseline = Baseline.looked_at(engine, host)
        player = Player(engine, journal, host, asked.parameters["areas"], baseline, restarter=restarter)
        restart_again(state, player)


def parameters(state: Cycles, symptom: Symptom | None) -> dict[str, Any]:
    """What it is told, for the record."""
    return {
        "areas": list(symptom.needed if symptom else EVERY_ROUND),
        "times": state.times,
        "work": _work().to_json(),
    }


def restart_again(state: Cycles, player: Player) -> None:
    """Restart the unit, or write down what came of it where it was often enough. Raises like :meth:`Player.play`."""
    if state.goes_on:
        player.play(_work(), new_seed())  # the unit goes down, and the run goes on after it
    outcome = Outcome.FAIL if state.failed else Outcome.PASS if state.counted >= state.times else Outcome.SKIPPED
    conclude(player.journal, CYCLING, outcome, cycles_text(state))


def _work() -> Work:
    return possible_works()[RESTARTS]


def cycles_text(state: Cycles) -> Text:
    """What came of it, in one sentence."""
    values: dict[str, str | int | float] = {"counted": state.counted, "times": state.times, "failed": state.failed}
    if state.failed:
        return Text("something showed after {failed} of {counted} restarts", values)
    if state.counted < state.times:
        return Text("only {counted} of {times} restarts count", values)
    return Text("nothing showed in {counted} restarts", values)
