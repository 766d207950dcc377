"""``aiodiag replay``: make the reported fault happen, say how often it does, and write a recipe."""

from __future__ import annotations

import argparse
from contextlib import suppress
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.cli import checking, exercising
from agent.cli.commands import Subparsers
from agent.cli.commands.test import number
from agent.cli.problem import INCOMPLETE, USAGE, Problem, explained
from agent.cli.settings import state_directory
from agent.model import Text
from agent.texts import render

if TYPE_CHECKING:
    from agent.model.run_view import RunView
    from agent.plans import Symptom
    from agent.replay.recipe import Work
    from agent.replay.reported import Reported
    from agent.replay.round import Signature

HOURS = 8.0
"""Hours of exercising after which nothing was reproduced; ours: a working day."""


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("make the reported fault happen again, say how often it does, and write a recipe")
    parser = subparsers.add_parser("replay", parents=[common], help=text, description=text)
    parser.add_argument("--symptom", metavar="SYMPTOM", help=_("what is wrong, for example restarts or no-picture"))
    parser.add_argument("--bundle", metavar="FILE", help=_("the customer's bundle: its symptom, and what it showed"))
    parser.add_argument("--recipe", metavar="FILE", help=_("an earlier recipe: its exercise alone, to count again"))
    parser.add_argument("--hours", metavar="HOURS", default=f"{HOURS:g}", help=_("how long at most (default: 8)"))
    parser.add_argument("--round", metavar="SECONDS", help=_("how long one round exercises (default: as planned)"))
    parser.add_argument("--confidence", metavar="SHARE", default="0.95", help=_("asked of the verification (0.95)"))
    checking.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Reproduce, seal, send. Exit status 1 where the fault was reproduced, 3 where it was not: that is never "all
    right".
    """
    from agent import __version__
    from agent.runner.recording import Asked
    from agent.runner.replaying import REPRODUCTION, parameters, replay, reproduction

    limit_h = number(args.hours, "--hours", 0.001, 24.0 * 30)
    alpha = exercising.alpha_of(args.confidence)
    seconds = None if args.round is None else number(args.round, "--round", 1.0, 86400.0)
    told = _by_recipe(args, seconds) if args.recipe else _by_symptom(args, seconds)
    unit = checking.identified(args)
    how: Any = {"limit_h": limit_h, "alpha": alpha, "hints": told.hints, "given": told.given}
    how["wanted"] = told.reported.least
    state = reproduction(told.symptom, told.works, **how)
    asked = Asked(
        "replay",
        f"replay-{told.what}",
        __version__,
        (REPRODUCTION,),
        told.symptom.name if told.symptom else None,
        args.rma,
        args.lang,
        args.command_line,
        unit,
        {**parameters(told.symptom, told.works, **how), "server": args.server},
    )
    values: dict[str, str | int | float] = {"symptom": told.what, "hours": round(limit_h, 2)}
    if told.symptom:
        values["symptom"] = told.symptom.title[args.lang]
    exercising.say(Text("reproducing: {symptom}; at most {hours} h, stop with Ctrl-C", values), args.lang)
    if told.reported.known:
        exercising.say(_of_conditions(told.reported), args.lang)
    with exercising.run(args, unit) as under_way:
        recipe = replay(
            asked,
            under_way.journal,
            under_way.host,
            state,
            told.works,
            tell=under_way.teller(state),
            observers=under_way.observers,
            restarter=under_way.restarter,
        )
        under_way.finish()
    return exercising.tell_reproduction(args, under_way, state, recipe)


class _Told(NamedTuple):
    """What to reproduce, in a word; by which exercises, and what is known of it."""

    what: str
    symptom: Symptom | None
    works: dict[str, Work]
    hints: list[Signature]
    given: bool
    reported: Reported


def _by_recipe(args: argparse.Namespace, seconds: float | None) -> _Told:
    """The one exercise of a recipe: nothing is searched for."""
    from agent.plans import symptom, symptoms
    from agent.replay.reported import Reported

    recipe = exercising.recipe_in(args.recipe)
    work = recipe.work if seconds is None else recipe.work.lasting(seconds)
    if work.restarts:
        exercising.require_restarts(args.lang)
    complaint = symptom(recipe.symptom) if recipe.symptom in symptoms() else None
    works = {work.name: work} | ({recipe.soak.name: recipe.soak} if recipe.soak else {})
    return _Told(recipe.fault.code, complaint, works, [recipe.fault], given=True, reported=Reported())


def _by_symptom(args: argparse.Namespace, seconds: float | None) -> _Told:
    """All that this unit can be made to do, the likeliest cause of the symptom first."""
    from agent.replay.reported import Reported
    from agent.replay.round import Signature
    from agent.runner.replaying import possible_works

    reported = _reported(args)
    symptom = checking.symptom_named(args.symptom or (reported.parameters.get("symptom") if reported else None))
    if symptom is None:
        raise Problem(Text("what is wrong with it? Give --symptom, for example --symptom restarts"))
    works = _with_restarts(possible_works(seconds), symptom, args.lang)
    if not works:
        text = Text("none of the programs that exercise hardware is installed; see: aiodiag doctor")
        raise Problem(text, INCOMPLETE)
    if reported is None:
        return _Told(symptom.name, symptom, works, [], given=False, reported=Reported())
    hints = [Signature.of(found.finding) for found in reported.findings]
    return _Told(symptom.name, symptom, works, hints, given=False, reported=_conditions(reported))


def _conditions(view: RunView) -> Reported:
    """What a check measured, and how the unit was when it went down in one of its steps."""
    from agent.model import Outcome, Readings
    from agent.replay.reported import reported

    down = (step for step in view.steps.values() if step.outcome in (None, Outcome.INTERRUPTED))
    return reported(Readings(view.readings.values()), [step.heartbeat for step in down if step.heartbeat])


def _of_conditions(seen: Reported) -> Text:
    values = {
        "peak": "–" if seen.peak_c is None else f"{seen.peak_c:.0f}",
        "load": "–" if seen.load is None else f"{100 * seen.load:.0f}",
        "hours": "–" if seen.uptime_s is None else f"{seen.uptime_s / 3600:.1f}",
    }
    return Text(
        "at the customer's: {peak} °C, load {load} %, {hours} h after the start; exercises that get there come first",
        values,
    )


def _with_restarts(works: dict[str, Work], symptom: Symptom, language: str) -> dict[str, Work]:
    """The same without the exercises that restart the unit, where the symptom does not ask for them, or the unit must
    not be restarted; the person is told why.
    """
    from agent.runner.replaying import restarts_for

    if not restarts_for(symptom):
        return {name: work for name, work in works.items() if not work.restarts}
    refusal = exercising.restarter(language).refusal()
    if refusal is None:
        exercising.say(Text("the unit will be restarted again and again; this goes on by itself each time"), language)
        return works
    exercising.say(Text("the unit is not restarted: {reason}", {"reason": render(refusal, language)}), language)
    return {name: work for name, work in works.items() if not work.restarts}


def _reported(args: argparse.Namespace) -> RunView | None:
    """What the customer's own check said: that in the bundle, else the newest for that case on this very unit."""
    from agent.journal import JournalDamaged, JournalError, RunStore, read
    from agent.model.run_view import JOURNAL, RunView
    from uploader.bundle.verify import open_bundle

    if args.bundle:
        with explained(USAGE), open_bundle(Path(args.bundle)) as bundle:
            return RunView.from_records(bundle.journal())
    if args.rma is None:
        return None
    store = RunStore(state_directory())
    for run_id in store.before("A"):
        with suppress(JournalError, JournalDamaged, OSError):
            view = RunView.from_records(read(store.path(run_id) / JOURNAL))
            if view.parameters.get("rma") == args.rma and view.parameters.get("kind", "selfcheck") == "selfcheck":
                return view
    return None
