"""Reproducing a fault on this unit: rounds of exercises until it was seen often enough, or until the time is over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agent import __version__
from agent.compare.parts import built_in
from agent.host import Host
from agent.journal import Journal, read
from agent.model import Outcome, Text
from agent.model.run_view import JOURNAL, RunView
from agent.model.utc import utc_text
from agent.plans import BURN_IN, RESTARTS, Symptom, causes, exercises
from agent.replay import search
from agent.replay.rate import rate
from agent.replay.recipe import Recipe, Work, write
from agent.replay.reproduction import ANY, Ending, Reproduction, Shows
from agent.replay.round import Conditions, Round, Signature
from agent.runner.baseline import Baseline
from agent.runner.engine import Observer
from agent.runner.recording import Asked, conclude, recorded
from agent.runner.restarting import Restarter
from agent.runner.rounds import Player
from agent.runner.run import new_seed
from agent.tests_hw import load
from agent.tools import PROGRAMS

POSSIBLE = 0.1
"""The weight of a cause that the symptom does not name: it is possible, and the search comes to it late; ours."""

EVERY_ROUND = ("kernel_log", "mce", "thermals")
"""The areas that are looked at after each round where no symptom names any."""
SHOWN = 3.0
"""How much likelier than the likeliest one of its symptom a cause is that the customer's own check showed; ours."""
REPRODUCTION = "reproduction"
"""The step that says what came of it; the run has no verdict without."""
Told = Callable[[Round], None]


def possible_works(seconds: float | None = None) -> dict[str, Work]:
    """What this unit can be made to do: every exercise without the tests whose programs are not installed.

    ``seconds`` is how long each round takes in all (at least one for each test), where somebody wants another length
    than the plan's.
    """
    works = {}
    for exercise in exercises():
        tests = tuple(test for test in exercise.tests if _is_installed(test))
        if not tests and not exercise.restarts:
            continue
        work = Work(
            exercise.name, tests, exercise.seconds, exercise.rest_s, exercise.times, exercise.gives, exercise.restarts
        )
        works[work.name] = work if seconds is None else work.lasting(seconds)
    return works


def restarts_for(symptom: Symptom | None) -> bool:
    """Whether the plan of a symptom has the unit restarted: where it names a cause that shows only then. No unit is
    restarted for the sake of a cause that is merely possible.
    """
    named = symptom.causes if symptom else {}
    return any(cause.exposed_by == RESTARTS and cause.name in named for cause in causes())


def reproduction(
    symptom: Symptom | None,
    works: Mapping[str, Work],
    *,
    limit_h: float,
    alpha: float,
    hints: Sequence[Signature] = (),
    given: bool = False,
    wanted: Conditions = ANY,
) -> Reproduction:
    """The search for the cause of a symptom by these exercises; ``hints`` is what the unit showed at the customer's,
    ``given`` that the one exercise is that of a recipe, ``wanted`` the conditions under which the customer's unit was.

    Raises ``ValueError`` where there is nothing to search with.
    """
    named = symptom.causes if symptom else {}
    known = []
    for c in causes():
        belief = search.Cause(c.name, c.exposed_by, POSSIBLE, c.shape, c.scale)
        shows = Shows(belief, c.codes, c.log_of, c.markers_by)
        weight = named.get(c.name, POSSIBLE)
        if any(shows.is_shown_by(hint) for hint in hints):
            weight += SHOWN * max(named.values(), default=1.0)
        known.append(replace(shows, cause=replace(shows.cause, weight=weight)))
    todo = [search.Exercise(work.name, work.hours, work.gives) for work in works.values() if work.gives]
    if not todo:
        raise ValueError("nothing can be exercised")
    burn_in = BURN_IN if BURN_IN in works else todo[0].name
    return Reproduction(known, todo, burn_in, limit_h=limit_h, alpha=alpha, given=given, wanted=wanted)


def replay(
    asked: Asked,
    journal: Journal,
    host: Host,
    state: Reproduction,
    works: Mapping[str, Work],
    *,
    tell: Told,
    observers: Iterable[Observer] = (),
    restarter: Restarter | None = None,
) -> Recipe | None:
    """A whole run: the unit as it is, then rounds until the reproduction is over.

    Raises like :func:`agent.runner.run.run`, and like :meth:`agent.runner.rounds.Player.play`. What is needed to go on
    after a restart is in ``asked.parameters``, as :func:`parameters` gives it.
    """
    with recorded(asked, journal, observers) as engine:
        baseline = Baseline.looked_at(engine, host)
        areas = asked.parameters["areas"]
        player = Player(engine, journal, host, areas, baseline, leaves_out=True, restarter=restarter)
        return reproduce(state, works, player, tell)


def parameters(
    symptom: Symptom | None,
    works: Mapping[str, Work],
    *,
    limit_h: float,
    alpha: float,
    hints: Sequence[Signature] = (),
    given: bool = False,
    wanted: Conditions = ANY,
) -> dict[str, Any]:
    """What a reproduction is told, for the record."""
    return {
        "given": given,
        "wanted": wanted.to_json(),
        "hints": [hint.to_json() for hint in hints],
        "areas": list(symptom.needed if symptom else EVERY_ROUND),
        "works": [work.to_json() for work in works.values()],
        "limit_h": limit_h,
        "alpha": alpha,
    }


def reproduce(state: Reproduction, works: Mapping[str, Work], player: Player, tell: Told) -> Recipe | None:
    """Play rounds until the reproduction is over, and write down what came of it; ``tell`` hears of each round."""
    while state.ending is Ending.GOES_ON:
        work = works[state.next().name]
        played = player.play(work.without(player.unsupported), new_seed())
        state.took(played)
        if work.tests and player.unsupported.issuperset(work.tests):
            state.leave_out(work.name)
        tell(played)
    measuring = works.get(state.to_measure or "")
    if measuring:
        played = player.play(measuring.without(player.unsupported), new_seed())
        state.took(played)
        tell(played)
    view = RunView.from_records(read(player.journal.directory / JOURNAL))
    done = {name: work.without(player.unsupported) for name, work in works.items()}
    recipe = recipe_of(state, done, view, player.journal.directory.name)
    outcome = Outcome.FAIL if recipe else Outcome.SKIPPED
    conclude(player.journal, REPRODUCTION, outcome, ending_text(state), recipe.to_json() if recipe else None)
    return recipe


def ending_text(state: Reproduction) -> Text:
    """What came of it, in one sentence, with the rate at 95 % confidence in rounds."""
    observed = state.observed
    if observed is None:
        return Text("nothing could be exercised as it should be")
    found = rate(observed)
    values: dict[str, int | float | str] = {
        "rounds": int(observed.exposure),
        "hours": round(state.hours, 2),
        "failures": observed.failures,
        "low": round(100 * found.low, 1),
        "high": round(100 * found.high, 1),
    }
    if state.fault is None:
        return Text("not reproduced in {rounds} rounds ({hours} h): it comes in less than {high} % of them", values)
    values["code"] = state.fault.code
    if state.ending is Ending.RARE:
        return Text("{code} was seen once in {rounds} rounds ({hours} h), and not again", values)
    return Text("{code} in {failures} of {rounds} rounds: it comes in {low} to {high} % of them", values)


def recipe_of(state: Reproduction, works: Mapping[str, Work], view: RunView, run_id: str) -> Recipe | None:
    """The recipe, where something was reproduced in the run."""
    return write(
        state,
        works,
        unit=view.unit,
        rma=view.parameters.get("rma"),
        symptom=view.parameters.get("symptom"),
        run_id=run_id,
        made=utc_text(datetime.now(UTC)),
        agent=__version__,
        parts=built_in(view),
    )


def _is_installed(test: str) -> bool:
    return all(any(os.path.exists(path) for path in PROGRAMS[name].paths) for name in load(test).programs)
