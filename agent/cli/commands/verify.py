"""``aiodiag verify``: run a recipe on the repaired unit until the repair is believed, and certify it."""

from __future__ import annotations

import argparse
from gettext import gettext as _
from typing import TYPE_CHECKING

from agent.cli import checking, exercising
from agent.cli.commands import Subparsers
from agent.cli.commands.test import number
from agent.cli.settings import state_directory
from agent.model import Text

if TYPE_CHECKING:
    from agent.replay.verification import Verification


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("run a recipe on the repaired unit until the repair is believed, and certify it")
    parser = subparsers.add_parser("verify", parents=[common], help=text, description=text)
    parser.add_argument("--recipe", metavar="FILE", required=True, help=_("what aiodiag replay has written"))
    parser.add_argument("--confidence", metavar="SHARE", default="0.95", help=_("how sure it must be (default: 0.95)"))
    parser.add_argument("--hours", metavar="HOURS", default="72", help=_("how long at most (default: 72)"))
    checking.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify, seal, send. Exit status 0 the fault is gone, with the stated confidence; 1 it or another fault showed; 3
    it could not be judged.
    """
    from agent import __version__
    from agent.plans import symptom, symptoms
    from agent.profiles import Shelf
    from agent.replay.verification import Verification
    from agent.runner.recording import Asked
    from agent.runner.verifying import VERIFICATION, background_in, is_sound_too, parameters, sound_in, verification

    recipe = exercising.recipe_in(args.recipe)
    alpha = exercising.alpha_of(args.confidence)
    if recipe.work.restarts:
        exercising.require_restarts(args.lang)
    limit_h = number(args.hours, "--hours", 0.001, 24.0 * 365)
    unit = checking.identified(args)
    kept = Shelf(state_directory()).of(unit)
    profile = kept.profile if kept else None
    background = background_in(profile, recipe)
    state = Verification(recipe, alpha, limit_h, sound=sound_in(profile), background=background)
    exercising.compare_units(recipe, unit, args.lang)
    complaint = symptom(recipe.symptom) if recipe.symptom in symptoms() else None
    asked = Asked(
        "verify",
        f"verify-{recipe.fault.code}",
        __version__,
        (VERIFICATION,),
        recipe.symptom,
        args.rma,
        args.lang,
        args.command_line,
        unit,
        {**parameters(state, complaint), "server": args.server},
    )
    values: dict[str, str | int | float] = {
        "needed": state.needed,
        "hours": round(state.hours_left, 2),
        "code": recipe.fault.code,
    }
    exercising.say(
        Text("verifying that {code} is gone: {needed} rounds without it, {hours} h at least", values), args.lang
    )
    if is_sound_too(recipe):
        exercising.say(_of_background(state), args.lang)
    if recipe.markers and not state.can_be_marked:
        text = Text(
            "the rounds alone decide: the failing unit measured what sound ones do, or too few of those are known"
        )
        exercising.say(text, args.lang)
    elif state.can_be_marked:
        text = Text("one round is enough where what was measured of the failing unit is that of sound units again")
        exercising.say(text, args.lang)
    with exercising.run(args, unit) as under_way:
        certificate = verification(
            asked,
            under_way.journal,
            under_way.host,
            state,
            tell=under_way.teller(state),
            observers=under_way.observers,
            restarter=under_way.restarter,
        )
        under_way.finish()
    return exercising.tell_verification(args, under_way, state, certificate)


def _of_background(state: Verification) -> Text:
    """How a fault is counted that sound units have too."""
    test = state.sequential
    if test:
        values = {"sound": f"{100 * test.sound:.2g}", "failing": f"{100 * test.failing:.2g}"}
        return Text("sound units have it in {sound} % of the rounds, this one had it in {failing} % at least", values)
    return Text("sound units have it too, but how often is not known well enough: it must not come at all")
